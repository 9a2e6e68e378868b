//! A configuration for people to read.

use std::fmt::{self, Write as _};

use super::{Config, Loaded, SETTINGS};

/// Every value with its unit and where it came from, one a line.
impl fmt::Display for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<[String; 4]> = SETTINGS
            .iter()
            .zip(&self.origins)
            .map(|(setting, origin)| {
                let value = setting.value(&self.config);
                let value = if value.is_empty() { "-".to_owned() } else { value };
                [setting.name.to_owned(), value, setting.unit.to_owned(), origin.to_string()]
            })
            .collect();
        let heads = ["setting", "value", "unit", "from"].map(str::to_owned);
        let width = |column: usize| rows.iter().chain([&heads]).map(|row| row[column].chars().count()).max();
        let widths = [0, 1, 2].map(|column| width(column).unwrap_or_default());
        for [name, value, unit, origin] in [&heads].into_iter().chain(&rows) {
            let [first, second, third] = widths;
            writeln!(f, "{name:first$}  {value:second$}  {unit:third$}  {origin}")?;
        }
        Ok(())
    }
}

impl Loaded {
    /// A file with all settings, each explained and commented out at its default.
    pub fn template() -> String {
        let mut text =
            "# Settings of `parea serve`. Put it as `parea.toml` into the data folder, or name it with --config.\n\
                        # A flag counts before the environment, that before this file.\n"
                .to_owned();
        for setting in SETTINGS {
            let value = setting.value(&Config::default());
            // Writing to a String cannot fail.
            let _ = write!(
                text,
                "\n# {}.\n# {}; --{}, {}\n",
                setting.about,
                setting.unit,
                setting.flag(),
                setting.variable()
            );
            let quoted = if setting.is_switch() || value.bytes().all(|byte| byte.is_ascii_digit()) && !value.is_empty()
            {
                value
            } else {
                format!("{value:?}")
            };
            let _ = writeln!(text, "# {} = {quoted}", setting.name);
        }
        text
    }
}

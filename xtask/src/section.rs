//! Figures in `BENCHMARKS.md`: each chore that measures owns the lines between two marks there.

use std::{fs, path::PathBuf};

use crate::step::Failure;

/// Puts the text between `<!-- NAME -->` and `<!-- /NAME -->`, and shows it.
pub(crate) fn write(name: &str, text: &str) -> Result<(), Failure> {
    print!("\n{text}");
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../BENCHMARKS.md");
    let failed = |source| Failure::Start { command: "BENCHMARKS.md".to_owned(), source };
    let page = fs::read_to_string(&path).map_err(failed)?;
    let page = replaced(&page, name, text).ok_or_else(|| {
        Failure::Missing(format!("BENCHMARKS.md has no marks `<!-- {name} -->` and `<!-- /{name} -->`"))
    })?;
    fs::write(&path, page).map_err(failed)
}

fn replaced(page: &str, name: &str, text: &str) -> Option<String> {
    let (before, rest) = page.split_once(&format!("<!-- {name} -->\n"))?;
    let (_, after) = rest.split_once(&format!("<!-- /{name} -->"))?;
    Some(format!("{before}<!-- {name} -->\n{text}<!-- /{name} -->{after}"))
}

#[cfg(test)]
mod tests {
    use super::replaced;

    #[test]
    fn the_lines_between_the_marks_are_replaced_and_no_others() {
        let page = "a\n<!-- x -->\nold\n<!-- /x -->\nb\n<!-- y -->\n<!-- /y -->\n";
        let new = replaced(page, "x", "new\n");
        assert_eq!(new.as_deref(), Some("a\n<!-- x -->\nnew\n<!-- /x -->\nb\n<!-- y -->\n<!-- /y -->\n"));
        assert_eq!(replaced(page, "z", "new\n"), None);
    }
}

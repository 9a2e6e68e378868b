//! How values are spelled.

use std::time::Duration;

/// The units of sizes, larger ones first within a letter.
const SIZES: &[(&str, u64)] = &[
    ("gib", 1 << 30),
    ("mib", 1 << 20),
    ("kib", 1 << 10),
    ("gb", 1_000_000_000),
    ("mb", 1_000_000),
    ("kb", 1_000),
    ("bytes", 1),
    ("b", 1),
    ("", 1),
];

const TIMES: &[(&str, u64)] = &[
    ("ms", 1),
    ("seconds", 1_000),
    ("s", 1_000),
    ("", 1_000),
    ("min", 60_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("days", 86_400_000),
    ("d", 86_400_000),
];

/// A number with a unit behind it, in the smallest unit.
fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number: u64 = number.replace('_', "").parse().ok()?;
    let unit = unit.trim().to_ascii_lowercase();
    let (_, scale) = units.iter().find(|(name, _)| *name == unit)?;
    number.checked_mul(*scale)
}

/// `32 MiB`, `1000000`.
pub(super) fn bytes(text: &str) -> Result<usize, String> {
    scaled(text, SIZES)
        .and_then(|bytes| usize::try_from(bytes).ok())
        .ok_or_else(|| format!("`{text}` is no size; write bytes, or such as `32 MiB` or `500 kB`"))
}

/// `30 s`, `2 min`, `90 d`; a bare number is seconds.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    scaled(text, TIMES).map(Duration::from_millis).ok_or_else(|| {
        format!("`{text}` is no span of time; write seconds, or such as `500 ms`, `2 min`, `12 h` or `90 d`")
    })
}

/// A whole number.
pub(super) fn count(text: &str) -> Result<usize, String> {
    text.trim().replace('_', "").parse().map_err(|_| format!("`{text}` is no whole number"))
}

/// `true` or `false`.
pub(super) fn switch(text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Ok(true),
        "false" | "no" | "off" | "0" => Ok(false),
        _ => Err(format!("`{text}` is neither `true` nor `false`")),
    }
}

/// The size as one would write it.
pub(super) fn spelled_bytes(bytes: usize) -> String {
    let bytes = bytes as u64;
    let unit = [("GiB", 1_u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match unit.iter().find(|(_, scale)| bytes >= *scale && bytes.is_multiple_of(*scale)) {
        Some((name, scale)) => format!("{} {name}", bytes / scale),
        None => bytes.to_string(),
    }
}

/// The span of time as one would write it.
pub(super) fn spelled_time(time: Duration) -> String {
    let millis = time.as_millis() as u64;
    let unit = [("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1_000)];
    match unit.iter().find(|(_, scale)| millis >= *scale && millis.is_multiple_of(*scale)) {
        Some((name, scale)) => format!("{} {name}", millis / scale),
        None => format!("{millis} ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for size in [0, 1, 1023, 1024, 5 << 20, 32 << 20, 1 << 30, 1_000_000] {
            assert_eq!(bytes(&spelled_bytes(size)), Ok(size));
        }
        for millis in [0, 1, 1000, 90_000, 60_000, 86_400_000, 12 * 3_600_000] {
            let span = Duration::from_millis(millis);
            assert_eq!(time(&spelled_time(span)), Ok(span));
        }
        assert_eq!(
            (bytes("500kB"), bytes("1_000"), time("30"), time("2 min")),
            (Ok(500_000), Ok(1000), Ok(Duration::from_secs(30)), Ok(Duration::from_secs(120)))
        );
        for nonsense in ["", "-1", "1.5 MiB", "1 XB", "MiB", "99999999999999999999", "18446744073709551615 GiB"] {
            assert!(bytes(nonsense).is_err(), "{nonsense}");
            assert!(time(nonsense).is_err(), "{nonsense}");
        }
    }
}

//! One instant, many spellings.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Datelike as _, NaiveDateTime, SecondsFormat, Timelike as _, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// An instant in UTC with microsecond precision.
///
/// Read from every form that Parea's clients and documents use: `2024-05-30 13:48:34`,
/// `2024-04-15T22:19:13.381503+00:00`, `2024-04-15T22:19:13.381Z`, any other offset, any number of fractional
/// digits; without an offset it is UTC. Digits beyond the microsecond are cut off.
///
/// Written in one: ISO 8601 with microseconds and `+00:00`, as the Python SDK does.
///
/// ```
/// let read: parea_types::Timestamp = "2024-05-30 13:48:34".parse()?;
/// assert_eq!(read.to_string(), "2024-05-30T13:48:34.000000+00:00");
/// # Ok::<(), parea_types::ParseTimestampError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(DateTime<Utc>);

impl Timestamp {
    /// Microseconds since 1970-01-01T00:00:00Z; negative before it.
    pub fn micros(self) -> i64 {
        self.0.timestamp_micros()
    }

    /// The inverse of [`micros`](Self::micros). `None` beyond the years that `chrono` can hold (±262,000).
    pub fn from_micros(micros: i64) -> Option<Self> {
        DateTime::from_timestamp_micros(micros).map(Self)
    }

    /// The same instant for arithmetic and formatting.
    pub fn as_datetime(self) -> DateTime<Utc> {
        self.0
    }

    /// Appends the text that [`Display`](fmt::Display) makes, at a tenth of what it takes.
    pub fn push(self, text: &mut Vec<u8>) {
        let (date, time, micros) = (self.0.date_naive(), self.0.time(), self.0.timestamp_subsec_micros());
        let year = date.year();
        if !(0..10_000).contains(&year) {
            // Such years have a sign, and more digits or fewer.
            return text.extend_from_slice(self.to_string().as_bytes());
        }
        let two = |text: &mut Vec<u8>, number: u32| {
            text.extend_from_slice(&[b'0' + (number / 10 % 10) as u8, b'0' + (number % 10) as u8]);
        };
        two(text, year as u32 / 100);
        for (number, lead) in [
            (year as u32, None),
            (date.month(), Some(b'-')),
            (date.day(), Some(b'-')),
            (time.hour(), Some(b'T')),
            (time.minute(), Some(b':')),
            (time.second(), Some(b':')),
            (micros / 10_000, Some(b'.')),
            (micros / 100, None),
            (micros, None),
        ] {
            text.extend(lead);
            two(text, number);
        }
        text.extend_from_slice(b"+00:00");
    }

    /// Seconds from `earlier` to `self`; negative when `earlier` is later.
    pub fn seconds_since(self, earlier: Self) -> f64 {
        self.micros().saturating_sub(earlier.micros()) as f64 / 1e6
    }
}

impl From<DateTime<Utc>> for Timestamp {
    fn from(time: DateTime<Utc>) -> Self {
        // By way of the count: a leap second (`23:59:60`) becomes the second after it, as in every count of
        // microseconds, so that equal counts are equal times.
        Self(DateTime::from_timestamp_micros(time.timestamp_micros()).unwrap_or(time))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_rfc3339_opts(SecondsFormat::Micros, false))
    }
}

/// A text that is no time in any of the forms of [`Timestamp`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseTimestampError(String);

impl fmt::Display for ParseTimestampError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: String = self.0.chars().take(64).collect();
        write!(f, "`{shown}` is not a time; write it as 2024-04-15T22:19:13.381503+00:00 or 2024-05-30 13:48:34 (UTC)")
    }
}

impl std::error::Error for ParseTimestampError {}

impl FromStr for Timestamp {
    type Err = ParseTimestampError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let trimmed = text.trim();
        if let Ok(time) = DateTime::parse_from_rfc3339(trimmed) {
            return Ok(time.to_utc().into());
        }
        // RFC 3339 demands a colon in the offset and an offset at all; Parea's clients leave out either.
        for form in ["%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f %#z"] {
            if let Ok(time) = DateTime::parse_from_str(trimmed, form) {
                return Ok(time.to_utc().into());
            }
        }
        for form in ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"] {
            if let Ok(time) = NaiveDateTime::parse_from_str(trimmed, form) {
                return Ok(time.and_utc().into());
            }
        }
        Err(ParseTimestampError(text.to_owned()))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.to_rfc3339_opts(SecondsFormat::Micros, false))
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Timestamp;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time as text")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Timestamp, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_pushed_as_it_is_displayed() {
        const YEAR: i64 = 31_556_952_000_000;
        let years = (-300..=300).map(|n| n * 37 * YEAR + n * 86_399_999_983);
        for micros in
            years.chain([0, 1, 999_999, -1, 1_785_000_000_123_456, 253_402_300_799_999_999, 253_402_300_800_000_000])
        {
            let time = Timestamp::from_micros(micros).unwrap_or_default();
            let mut text = Vec::new();
            time.push(&mut text);
            assert_eq!(String::from_utf8(text), Ok(time.to_string()), "{micros}");
        }
    }
}

//! One instant, many spellings.

use chrono::{DateTime, FixedOffset};
use parea_types::Timestamp;
use proptest::prelude::*;

use crate::samples;

#[test]
fn every_spelling_is_read_and_one_is_written() {
    for (spelling, written) in [
        // The documents: logs, projects and experiments, datasets.
        ("2024-05-30 13:48:34", "2024-05-30T13:48:34.000000+00:00"),
        ("2021-06-01T00:00:00Z", "2021-06-01T00:00:00.000000+00:00"),
        // The Python SDK, with and without microseconds, and the TypeScript SDK.
        ("2024-04-15T22:19:13.381503+00:00", "2024-04-15T22:19:13.381503+00:00"),
        ("2024-04-15T22:19:13+00:00", "2024-04-15T22:19:13.000000+00:00"),
        ("2024-04-15T22:19:13.381Z", "2024-04-15T22:19:13.381000+00:00"),
        // Python without a zone, other offsets, other separators.
        ("2024-04-15T22:19:13.381503", "2024-04-15T22:19:13.381503+00:00"),
        ("2024-04-15 22:19:13.381503", "2024-04-15T22:19:13.381503+00:00"),
        ("2024-04-16T00:19:13+02:00", "2024-04-15T22:19:13.000000+00:00"),
        ("2024-04-16T00:19:13+0200", "2024-04-15T22:19:13.000000+00:00"),
        ("2024-04-16 00:19:13+02", "2024-04-15T22:19:13.000000+00:00"),
        ("2024-04-15 16:34:13-05:45", "2024-04-15T22:19:13.000000+00:00"),
        ("2024-04-15 22:19:13 +00:00", "2024-04-15T22:19:13.000000+00:00"),
        ("2024-04-15 22:19:13Z", "2024-04-15T22:19:13.000000+00:00"),
        ("2024-04-15t22:19:13z", "2024-04-15T22:19:13.000000+00:00"),
        ("  2024-04-15T22:19:13Z\n", "2024-04-15T22:19:13.000000+00:00"),
        // Any number of digits; what is beyond the microsecond is cut off.
        ("2024-04-15T22:19:13.1Z", "2024-04-15T22:19:13.100000+00:00"),
        ("2024-04-15T22:19:13.999999999Z", "2024-04-15T22:19:13.999999+00:00"),
        ("2024-04-15T22:19:13.99999999999999Z", "2024-04-15T22:19:13.999999+00:00"),
        ("1969-12-31T23:59:59.9999999Z", "1969-12-31T23:59:59.999999+00:00"),
        // A leap second is the second after it.
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000000+00:00"),
        ("2016-12-31T23:59:60.25Z", "2017-01-01T00:00:00.250000+00:00"),
    ] {
        let time: Timestamp = serde_json::from_value(spelling.into()).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(time.to_string(), written, "{spelling}");
        assert_eq!(serde_json::to_value(time).unwrap(), written);
        assert_eq!(written.parse::<Timestamp>().unwrap(), time, "{spelling}");
    }
}

#[test]
fn what_is_no_time_is_refused_by_name() {
    for text in ["", "now", "2024-05-30", "13:48:34", "2024-13-30 13:48:34", "2024-02-30T13:48:34Z", "1717076914"] {
        let error = serde_json::from_value::<Timestamp>(text.into()).unwrap_err().to_string();
        assert!(error.starts_with(&format!("`{text}` is not a time; write it as")), "{error}");
    }
    let error = serde_json::from_str::<Timestamp>("1717076914").unwrap_err().to_string();
    assert!(error.contains("expected a time as text"), "{error}");
    let error = "x".repeat(1 << 20).parse::<Timestamp>().unwrap_err().to_string();
    assert!(error.len() < 300);
}

/// What a spelling of an instant is made of.
fn spelling() -> impl Strategy<Value = (Timestamp, String)> {
    let offset = (-14 * 60..=14 * 60_i32).prop_map(|minutes| FixedOffset::east_opt(minutes * 60).expect("a day"));
    let parts = (samples::instant(), offset, 0..=9_usize, prop_oneof![Just("T"), Just(" ")], 0..5);
    parts.prop_map(|(time, offset, digits, separator, zone)| {
        let digits_cut = i64::pow(10, 6 - digits.min(6) as u32);
        let micros = time.micros().div_euclid(digits_cut) * digits_cut;
        let time = Timestamp::from_micros(micros).expect("within chrono's years");
        let offset = if zone < 3 { FixedOffset::east_opt(0).expect("UTC") } else { offset };
        let local: DateTime<FixedOffset> = time.as_datetime().with_timezone(&offset);
        let fraction = match digits {
            0 => String::new(),
            // Digits beyond the microsecond do not count, so any will do.
            _ => format!(".{:06}{}", local.timestamp_subsec_micros(), "975")[..=digits].to_owned(),
        };
        let zone = match zone {
            0 => String::new(),
            1 => "Z".to_owned(),
            2 => "+00:00".to_owned(),
            3 => local.format("%:z").to_string(),
            _ => local.format("%z").to_string(),
        };
        let (date, clock) = (local.format("%Y-%m-%d"), local.format("%H:%M:%S"));
        (time, format!("{date}{separator}{clock}{fraction}{zone}"))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_instant_is_read_back_from_any_spelling((time, spelling) in spelling()) {
        let read: Timestamp = spelling.parse().map_err(|error| TestCaseError::fail(format!("{error}")))?;
        prop_assert_eq!(read, time, "{}", spelling);
        let written = read.to_string();
        prop_assert_eq!(&written, &time.as_datetime().format("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string());
        prop_assert_eq!(written.parse::<Timestamp>().ok(), Some(time));
        prop_assert_eq!(Timestamp::from_micros(time.micros()), Some(time));
    }

    #[test]
    fn any_count_of_microseconds_is_a_time_that_reads_back(micros in any::<i64>()) {
        if let Some(time) = Timestamp::from_micros(micros) {
            prop_assert_eq!(time.micros(), micros);
            prop_assert_eq!(time.to_string().parse::<Timestamp>().ok(), Some(time), "{}", time);
            prop_assert_eq!(Timestamp::from(time.as_datetime()), time);
        }
    }

    #[test]
    fn no_text_is_a_surprise(text in "[0-9TZ:+. -]{0,40}|.{0,40}") {
        if let Ok(time) = text.parse::<Timestamp>() {
            prop_assert_eq!(time.to_string().parse::<Timestamp>().ok(), Some(time), "{}", text);
        }
    }
}

//! Our entry in the header `tracestate`, beside those of other systems.

use std::{fmt::Write as _, sync::Arc};

use uuid::Uuid;

use super::position::Position;

/// The entry's name.
const KEY: &str = "parea";

/// Most entries of one header.
const MOST_ENTRIES: usize = 32;

/// Most bytes of the whole header.
const MOST_BYTES: usize = 4096;

/// Longest value of an entry.
const LONGEST_VALUE: usize = 256;

/// Largest number that is taken from elsewhere, so that counting on never overflows.
const LARGEST: u32 = i32::MAX as u32;

/// What the entry says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Entry {
    /// The caller's span.
    Inside(Position),
    /// The caller records nothing of this trace, and so should not we.
    Off,
}

impl Entry {
    /// `r` root, `p` parent, `d` depth, `o` number, `s` the chance by which the trace was kept, `e` run of an experiment; or
    /// `s:0` for a trace that is not recorded.
    pub(super) fn write(&self) -> String {
        let Self::Inside(position) = self else { return "s:0".to_owned() };
        let Position { root_id, id, depth, order, sample_rate, experiment, .. } = position;
        let mut value = format!("r:{};p:{};d:{depth};o:{order}", root_id.simple(), id.simple());
        // Writing to a string does not fail.
        if let Some(rate) = sample_rate {
            let _ = write!(value, ";s:{rate}");
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if let Some(experiment) = experiment
            && experiment.bytes().all(plain)
            && value.len() + experiment.len() + 3 <= LONGEST_VALUE
        {
            let _ = write!(value, ";e:{experiment}");
        }
        value
    }

    /// Members that are not known are passed over, so that a later version may say more.
    fn read(value: &str) -> Option<Self> {
        let member = |name: &str| value.split(';').find_map(|member| member.strip_prefix(name)?.strip_prefix(':'));
        if member("s").and_then(|rate| rate.parse().ok()) == Some(0.0) {
            return Some(Self::Off);
        }
        let id = |name: &str| Uuid::try_parse(member(name)?).ok().filter(|id| !id.is_nil());
        let rate = || member("s")?.parse().ok().filter(|rate| (0.0..=1.0).contains(rate));
        let number = |name: &str| member(name).and_then(|text| text.parse().ok()).unwrap_or(0).min(LARGEST);
        Some(Self::Inside(Position {
            root_id: id("r")?,
            id: id("p")?,
            depth: number("d"),
            order: number("o"),
            sample_rate: rate(),
            experiment: member("e").filter(|uuid| !uuid.is_empty()).map(Into::into),
            target: None,
            baggage: None,
            state: None,
        }))
    }

    /// Our entry among those of a header, which may come in several lines.
    pub(super) fn find(lines: &[&str]) -> Option<Self> {
        entries(lines).find_map(|(key, value)| if key == KEY { Self::read(value) } else { None })
    }

    /// The header with this entry at its front, as the standard asks, and those of other systems behind: what is in it
    /// already, and what earlier callers said.
    pub(super) fn put_before(&self, present: &[&str], passed_on: Option<&str>) -> String {
        let mut header = format!("{KEY}={}", self.write());
        add_foreign(&mut header, present);
        add_foreign(&mut header, passed_on.as_slice());
        header
    }
}

/// The entries of other systems, to be passed on.
pub(super) fn foreign(lines: &[&str]) -> Option<Arc<str>> {
    let mut kept = String::new();
    add_foreign(&mut kept, lines);
    (!kept.is_empty()).then(|| kept.into())
}

/// Adds entries that are not ours and whose key is not there yet, as far as they fit.
fn add_foreign(header: &mut String, lines: &[&str]) {
    for (key, value) in entries(lines).filter(|(key, _)| *key != KEY) {
        let present = [header.as_str()];
        let is_there = entries(&present).any(|(other, _)| other == key);
        // Room for ours as well.
        let fits = entries(&present).count() < MOST_ENTRIES && header.len() + key.len() + value.len() < MOST_BYTES;
        if !is_there && fits {
            let separator = if header.is_empty() { "" } else { "," };
            // Writing to a string does not fail.
            let _ = write!(header, "{separator}{key}={value}");
        }
    }
}

fn entries<'a>(lines: &'a [&'a str]) -> impl Iterator<Item = (&'a str, &'a str)> {
    lines.iter().flat_map(|line| line.split(',')).filter_map(|entry| entry.trim().split_once('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position() -> Position {
        Position {
            root_id: Uuid::from_u128(7),
            id: Uuid::from_u128(u128::MAX),
            depth: 3,
            order: 41,
            sample_rate: Some(0.25),
            experiment: Some("0190f3a0-0000-7000-8000-000000000001".into()),
            target: None,
            baggage: None,
            state: None,
        }
    }

    #[test]
    fn our_entry_comes_back_from_among_others() {
        let written = Entry::Inside(position()).put_before(
            &["rojo=00f067aa0ba902b7, parea=old", "congo=t61rcWkgMzE"],
            Some("congo=older,parea=older,vendor=9"),
        );
        assert!(written.ends_with(",rojo=00f067aa0ba902b7,congo=t61rcWkgMzE,vendor=9"), "{written}");
        assert_eq!(foreign(&[&written]).as_deref(), Some("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE,vendor=9"));
        assert_eq!(Entry::find(&["x=1", &written]), Some(Entry::Inside(position())));
        assert_eq!(Entry::find(&[&Entry::Off.put_before(&[], None)]), Some(Entry::Off));
        let many: Vec<_> = (0..100).map(|n| format!("k{n}=v")).collect();
        assert_eq!(Entry::Off.put_before(&[&many.join(",")], None).split(',').count(), MOST_ENTRIES);
        assert!(Entry::Off.put_before(&[&format!("long={}", "v".repeat(MOST_BYTES))], None).len() < 20);
        let odd = Position { experiment: Some("a;b,c=d".into()), ..position() };
        assert_eq!(
            Entry::find(&[&Entry::Inside(odd).put_before(&[], None)]),
            Some(Entry::Inside(Position { experiment: None, ..position() }))
        );
    }

    #[test]
    fn an_entry_of_another_version_or_a_forged_one_does_no_harm() {
        let ids = "r:00000000000000000000000000000007;p:ffffffffffffffffffffffffffffffff";
        let read = |value: &str| Entry::read(value);
        assert_eq!(
            read(&format!("zz:9;{ids};s:7;d:99999999999999;o:4294967295")),
            Some(Entry::Inside(Position {
                depth: 0,
                order: LARGEST,
                sample_rate: None,
                experiment: None,
                ..position()
            }))
        );
        for wrong in
            ["", "r:7;p:8", "s:1", "r:00000000000000000000000000000000;p:ffffffffffffffffffffffffffffffff", ";;;:::"]
        {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}

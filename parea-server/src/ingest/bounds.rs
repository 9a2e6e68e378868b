//! What is too large or out of time is cut to size, never refused: a log is worth more than its longest text.

use chrono::{TimeDelta, Utc};
use parea_types::{MessageContent, Timestamp, TraceLog, UpdateLog};
use serde_json::{Map, Value};

/// Most tags of a log.
const TAGS: usize = 1000;

/// How far ahead of ours a client's clock may be.
const AHEAD: TimeDelta = TimeDelta::days(1);

/// Cuts what is longer than `limit` bytes. `size` is that of the log's JSON, which no text of it exceeds.
pub(super) fn cut(log: &mut TraceLog, size: usize, limit: usize) {
    if let Some(tags) = &mut log.tags
        && tags.len() > TAGS
    {
        let more = tags.len() - TAGS;
        tags.truncate(TAGS);
        tags.push(format!("…[{more} more tags]"));
    }
    if size <= limit {
        return;
    }
    let texts = [
        &mut log.trace_name,
        &mut log.output,
        &mut log.target,
        &mut log.error,
        &mut log.output_for_eval_metrics,
        &mut log.end_user_identifier,
        &mut log.session_id,
        &mut log.deployment_id,
        &mut log.configuration.model,
        &mut log.configuration.provider,
    ];
    for text in texts.into_iter().flatten() {
        text_of(text, limit);
    }
    for text in log.tags.iter_mut().flatten() {
        text_of(text, limit);
    }
    for map in [&mut log.inputs, &mut log.metadata].into_iter().flatten() {
        members(map, limit);
    }
    for message in log.configuration.messages.iter_mut().flatten() {
        match &mut message.content {
            MessageContent::Text(text) => text_of(text, limit),
            MessageContent::Parts(parts) => parts.iter_mut().for_each(|part| value(part, limit)),
        }
    }
    for function in log.configuration.functions.iter_mut().flatten() {
        value(function, limit);
    }
    for score in log.scores.iter_mut().flatten() {
        text_of(&mut score.name, limit);
        score.reason.iter_mut().for_each(|reason| text_of(reason, limit));
    }
    for image in log.images.iter_mut().flatten() {
        text_of(&mut image.url, limit);
    }
}

/// The same for an update.
pub(crate) fn cut_update(update: &mut UpdateLog, size: usize, limit: usize) {
    if size > limit {
        update.field_name_to_value_map.values_mut().for_each(|value| self::value(value, limit));
    }
}

fn members(map: &mut Map<String, Value>, limit: usize) {
    for member in map.values_mut() {
        value(member, limit);
        // Many small parts make a large whole, which is then kept as a text. One that holds a text which was cut is none.
        if matches!(member, Value::Array(_) | Value::Object(_)) {
            let json = member.to_string();
            if json.len() > 2 * limit {
                *member = Value::String(shortened(&json, limit));
            }
        }
    }
}

/// No deeper than JSON is read.
fn value(value: &mut Value, limit: usize) {
    match value {
        Value::String(text) => text_of(text, limit),
        Value::Array(elements) => elements.iter_mut().for_each(|element| self::value(element, limit)),
        Value::Object(members) => members.values_mut().for_each(|member| self::value(member, limit)),
        _ => {}
    }
}

fn text_of(text: &mut String, limit: usize) {
    if text.len() > limit {
        *text = shortened(text, limit);
    }
}

/// Beginning and end of a text of more than `limit` bytes, with a mark between that says how much is gone.
pub(crate) fn shortened(text: &str, limit: usize) -> String {
    let is_boundary = |at: &usize| text.is_char_boundary(*at);
    let head = (0..=limit / 4 * 3).rev().find(is_boundary).unwrap_or(0);
    let tail = (text.len() - limit / 4..=text.len()).find(is_boundary).unwrap_or(text.len());
    let piece = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    format!("{}…[{} bytes cut]…{}", piece(0, head), tail - head, piece(tail, text.len()))
}

/// Replaces times that cannot be: of a start by now, of an end by nothing. Lists are sorted by start, so that one of the
/// year 9999 would stand at their head for ever. What was sent is kept in the metadata.
pub(super) fn mend_times(log: &mut TraceLog) {
    let now = Utc::now();
    let latest = Timestamp::from(now + AHEAD);
    let is_odd = |time: Timestamp| time.micros() < 0 || time > latest;
    let mut sent = Vec::new();
    if is_odd(log.start_timestamp) {
        sent.push(("start_timestamp_sent", log.start_timestamp));
        log.start_timestamp = now.into();
    }
    if let Some(end) = log.end_timestamp.take_if(|end| is_odd(*end)) {
        sent.push(("end_timestamp_sent", end));
    }
    // It would outrank every later word of this log.
    log.last_updated_at.take_if(|updated| is_odd(*updated));
    if !sent.is_empty() {
        let metadata = log.metadata.get_or_insert_with(Map::new);
        for (name, time) in sent {
            metadata.insert(name.to_owned(), time.to_string().into());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_left_is_the_beginning_and_the_end(text in "[aé漢🦀]{400,800}", limit in 16_usize..400) {
            let short = shortened(&text, limit);
            let (head, rest) = short.split_once("…[").unwrap();
            let (gone, tail) = rest.split_once(" bytes cut]…").unwrap();
            prop_assert!(text.starts_with(head) && text.ends_with(tail));
            prop_assert_eq!(head.len() + tail.len() + gone.parse::<usize>().unwrap(), text.len());
            prop_assert!(head.len() + tail.len() <= limit && head.len() + 8 > limit / 2);
        }
    }
}

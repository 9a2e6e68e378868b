//! What one patch says, as cells.

use std::{collections::HashSet, hash::Hash};

use parea_types::{TraceLog, UpdateLog};
use serde_json::{Map, Value};

use super::{
    cells::{Cells, Floor, Group, Scalar},
    field::{self, Shape, key_of_score},
    stamp::{Rank, Stamp},
};

/// Brings a log to the one spelling of its state: what reads fill in is left out, and so is what says nothing or
/// says it twice.
pub(crate) fn normalise(log: &mut TraceLog) {
    let said = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
    if !said(&log.root_trace_id) {
        log.root_trace_id = None;
    }
    if !said(&log.parent_trace_id) {
        log.parent_trace_id = None;
    }
    log.project_name = None;
    log.project_uuid = None;
    log.children_ids = None;
    log.fill_children = false;
    for number in [
        &mut log.latency,
        &mut log.cost,
        &mut log.time_to_first_token,
        &mut log.apply_eval_frac,
        &mut log.log_sample_rate,
        &mut log.feedback_score,
    ] {
        // What is no number in JSON.
        number.take_if(|number| !number.is_finite());
    }
    if let Some(scores) = &mut log.scores {
        scores.retain(|score| score.score.is_finite());
        // Of two scores with one key the later counts.
        scores.reverse();
        once_each(scores, key_of_score);
        scores.reverse();
    }
    log.scores.take_if(|scores| scores.is_empty());
    if let Some(children) = &mut log.children {
        once_each(children, Clone::clone);
    }
    log.children.take_if(|children| children.is_empty());
    for texts in [&mut log.tags, &mut log.evaluation_metric_names].into_iter().flatten() {
        once_each(texts, Clone::clone);
    }
    if let Some(ids) = &mut log.evaluation_metric_ids {
        once_each(ids, |id| *id);
    }
    if let Some(images) = &mut log.images {
        once_each(images, |image| (image.url.clone(), image.caption.clone()));
    }
    if let Some(comments) = &mut log.comments {
        comments.reverse();
        once_each(comments, |comment| serde_json::to_string(&comment.id).unwrap_or_default());
        comments.reverse();
    }
}

fn once_each<T, K: Eq + Hash>(list: &mut Vec<T>, key: impl Fn(&T) -> K) {
    let mut seen = HashSet::with_capacity(list.len());
    list.retain(|element| seen.insert(key(element)));
}

impl Cells {
    /// What a `POST` says. `fields` are those of a [normalised](normalise) log.
    pub(crate) fn of_post(fields: Map<String, Value>, updated: Option<i64>, arrival: u64) -> Self {
        let stamp = Stamp { rank: Rank::Post, updated, arrival };
        let mut cells = Self::default();
        for (field, value) in fields {
            if value.is_null() || field == "trace_id" {
                continue;
            }
            let stamp = stamp.for_default(field::is_default(&value));
            match Shape::of(&field) {
                Shape::Scalar => {
                    cells.scalars.insert(field, Scalar { stamp, value: Some(value) });
                }
                shape => {
                    let floor = shape.post_replaces().then_some(Floor { stamp, cleared: false });
                    let parts = Group::parts_of(&field, value, stamp);
                    cells.groups.insert(field, Group { floor, parts });
                }
            }
        }
        cells
    }
}

/// A checked `PUT`: every value has its field's type, in our spelling.
#[derive(Clone, Debug)]
pub(crate) struct Update {
    pub(crate) trace_id: String,
    fields: Map<String, Value>,
    merge: bool,
    updated: Option<i64>,
}

impl Update {
    /// Reads the values as a log's. Fields of identity and unknown ones are left out; a value of the wrong type is an
    /// error that names the field.
    pub(crate) fn check(update: UpdateLog) -> Result<Self, String> {
        let mut fields = Map::new();
        let mut updated = None;
        for (field, value) in update.field_name_to_value_map {
            if !field::is_updatable(&field) || (field == "start_timestamp" && value.is_null()) {
                continue;
            }
            if value.is_null() {
                fields.insert(field, Value::Null);
                continue;
            }
            let mut log = Map::new();
            log.insert("trace_id".to_owned(), Value::String(String::new()));
            log.insert("start_timestamp".to_owned(), Value::String("1970-01-01T00:00:00Z".to_owned()));
            log.insert(field.clone(), value);
            let mut log: TraceLog =
                serde_json::from_value(Value::Object(log)).map_err(|error| format!("{field}: {error}"))?;
            normalise(&mut log);
            if field == "last_updated_at" {
                updated = log.last_updated_at.map(parea_types::Timestamp::micros);
            }
            let Ok(Value::Object(mut log)) = serde_json::to_value(log) else { continue };
            // What is not written because absent means the same is said all the same: `false`, an empty list.
            let value = log.remove(&field).unwrap_or(Value::Null);
            fields.insert(field, value);
        }
        Ok(Self { trace_id: update.trace_id, fields, merge: update.merge, updated })
    }

    /// What it says, as the `arrival`th patch.
    pub(crate) fn cells(&self, arrival: u64) -> Cells {
        let stamp = Stamp { rank: Rank::Put, updated: self.updated, arrival };
        let mut cells = Cells::default();
        for (field, value) in &self.fields {
            let cleared = value.is_null();
            if Shape::of(field) == Shape::Scalar {
                let value = (!cleared).then(|| value.clone());
                cells.scalars.insert(field.clone(), Scalar { stamp, value });
                continue;
            }
            let floor = (cleared || !self.merge).then_some(Floor { stamp, cleared });
            let parts = Group::parts_of(field, value.clone(), stamp);
            if floor.is_some() || !parts.is_empty() {
                cells.groups.insert(field.clone(), Group { floor, parts });
            }
        }
        cells
    }
}

//! The cells of a log and their union.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{
    field::Shape,
    stamp::{Rank, Stamp},
};

/// Comments of a log. Each costs all that is known of the log to be written again, and a program may send any number.
pub(super) const MOST_COMMENTS: usize = 1000;

/// A log, or what one patch says of it, as cells.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Cells {
    pub(super) scalars: BTreeMap<String, Scalar>,
    pub(super) groups: BTreeMap<String, Group>,
}

/// A field with one value; `None` where a `PUT` cleared it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scalar {
    pub(super) stamp: Stamp,
    pub(super) value: Option<Value>,
}

/// A field made of parts.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Group {
    /// The newest word on the group as a whole: parts older than it are gone.
    pub(super) floor: Option<Floor>,
    pub(super) parts: BTreeMap<String, Part>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Floor {
    pub(super) stamp: Stamp,
    /// Null was said rather than a value, which may be empty.
    pub(super) cleared: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Part {
    pub(super) stamp: Stamp,
    /// Its place among the parts of one patch.
    pub(super) position: usize,
    pub(super) value: Value,
}

impl Cells {
    /// Takes from `other` what is newer there.
    pub(crate) fn join(&mut self, other: Self) {
        for (field, theirs) in other.scalars {
            match self.scalars.get_mut(&field) {
                Some(ours) if ours.stamp >= theirs.stamp => {}
                Some(ours) => *ours = theirs,
                None => {
                    self.scalars.insert(field, theirs);
                }
            }
        }
        for (field, theirs) in other.groups {
            let most = if Shape::of(&field) == Shape::Comments { MOST_COMMENTS } else { usize::MAX };
            let ours = self.groups.entry(field).or_default();
            ours.join(theirs);
            ours.keep_newest(most);
        }
    }

    /// Whether both read the same, but for the order in lists, and will go on to whatever comes: then one need not be
    /// written over the other.
    pub(crate) fn repeats(&self, other: &Self) -> bool {
        self.scalars.len() == other.scalars.len()
            && self.groups.len() == other.groups.len()
            && self.scalars.iter().zip(&other.scalars).all(|((field, ours), (their_field, theirs))| {
                field == their_field && ours.value == theirs.value && ours.stamp.repeats(theirs.stamp)
            })
            && self
                .groups
                .iter()
                .zip(&other.groups)
                .all(|((field, ours), (their_field, theirs))| field == their_field && ours.repeats(theirs))
    }

    /// Whether something is said of a field.
    pub(crate) fn says(&self, field: &str) -> bool {
        self.scalars.contains_key(field) || self.groups.contains_key(field)
    }

    /// The fields of which something is said.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.scalars.keys().chain(self.groups.keys()).map(String::as_str)
    }

    /// The scores of a log that was sent once, as arrival `id`, with all that updates said of it since, which are these
    /// cells. It has shown the scores `shown` so far: its own, and earlier ones of these.
    pub(crate) fn scores_over(&self, shown: Option<Value>, id: u64) -> Value {
        let field = "scores";
        let said = self.groups.get(field).cloned().unwrap_or_default();
        let stamp = Stamp { rank: Rank::Post, updated: None, arrival: id };
        let parts = Group::parts_of(field, shown.unwrap_or_default(), stamp);
        let parts = parts.into_iter().filter(|(key, _)| !said.parts.contains_key(key)).collect();
        let mut group = Group { floor: None, parts };
        group.join(said);
        Value::Array(group.in_order().into_iter().map(|(_, part)| part.value.clone()).collect())
    }

    /// The fields as a reader sees them.
    pub(crate) fn fields(&self) -> Map<String, Value> {
        let scalars =
            self.scalars.iter().filter_map(|(field, cell)| Some((field.clone(), cell.value.as_ref()?.clone())));
        let groups = self.groups.iter().filter_map(|(field, group)| Some((field.clone(), group.value(field)?)));
        scalars.chain(groups).collect()
    }
}

impl Group {
    fn join(&mut self, other: Self) {
        if let Some(theirs) = other.floor
            && self.floor.is_none_or(|ours| ours.stamp < theirs.stamp)
        {
            self.floor = Some(theirs);
        }
        for (key, theirs) in other.parts {
            match self.parts.get_mut(&key) {
                Some(ours) if ours.stamp >= theirs.stamp => {}
                Some(ours) => *ours = theirs,
                None => {
                    self.parts.insert(key, theirs);
                }
            }
        }
        if let Some(floor) = self.floor {
            self.parts.retain(|_, part| part.stamp >= floor.stamp);
        }
    }

    /// Lets go of the oldest parts beyond so many. Whatever order things come in, those that are left are the same.
    fn keep_newest(&mut self, most: usize) {
        let surplus = self.parts.len().saturating_sub(most);
        if surplus > 0 {
            let oldest: Vec<String> = self.in_order().into_iter().take(surplus).map(|(key, _)| key.clone()).collect();
            for key in &oldest {
                self.parts.remove(key);
            }
        }
    }

    fn repeats(&self, other: &Self) -> bool {
        let floors = match (self.floor, other.floor) {
            (Some(ours), Some(theirs)) => ours.cleared == theirs.cleared && ours.stamp.repeats(theirs.stamp),
            (None, None) => true,
            _ => false,
        };
        floors
            && self.parts.len() == other.parts.len()
            && self.parts.iter().zip(&other.parts).all(|((key, ours), (their_key, theirs))| {
                key == their_key && ours.value == theirs.value && ours.stamp.repeats(theirs.stamp)
            })
    }

    /// Parts in the order in which they were said.
    pub(super) fn in_order(&self) -> Vec<(&String, &Part)> {
        let mut parts: Vec<_> = self.parts.iter().collect();
        parts.sort_by(|(key_a, a), (key_b, b)| (a.stamp, a.position, key_a).cmp(&(b.stamp, b.position, key_b)));
        parts
    }

    /// The whole group as one value; `None` when there is nothing to read.
    fn value(&self, field: &str) -> Option<Value> {
        if self.parts.is_empty() && self.floor.is_none_or(|floor| floor.cleared) {
            return None;
        }
        Some(match Shape::of(field) {
            Shape::Map => {
                Value::Object(self.parts.iter().map(|(key, part)| (key.clone(), part.value.clone())).collect())
            }
            Shape::Error => {
                let texts: Vec<_> = self.in_order().into_iter().map(|(_, part)| part.value.clone()).collect();
                match texts.len() {
                    0 => Value::String(String::new()),
                    1 => texts.into_iter().next()?,
                    _ => Value::String(Value::Array(texts).to_string()),
                }
            }
            _ => Value::Array(self.in_order().into_iter().map(|(_, part)| part.value.clone()).collect()),
        })
    }

    /// The parts of a value said at once.
    pub(super) fn parts_of(field: &str, value: Value, stamp: Stamp) -> BTreeMap<String, Part> {
        let shape = Shape::of(field);
        let part = |position, value| Part { stamp, position, value };
        match value {
            Value::Object(map) => {
                map.into_iter().enumerate().map(|(position, (key, value))| (key, part(position, value))).collect()
            }
            Value::Array(list) => list
                .into_iter()
                .enumerate()
                .map(|(position, value)| (shape.key(&value), part(position, value)))
                .collect(),
            Value::String(text) if !text.is_empty() => [(text.clone(), part(0, Value::String(text)))].into(),
            _ => BTreeMap::new(),
        }
    }
}

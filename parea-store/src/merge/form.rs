//! How the cells of a log are kept: the log as a reader sees it, and beside it the stamps of those cells only that
//! were not said with the rest. A log that was sent once needs none.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    cells::{Cells, Floor, Group, Scalar},
    field::{self, Shape},
    stamp::{Rank, Stamp},
};

/// The stamps of a log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Form {
    /// That of every cell not named below.
    base: Stamp,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    scalars: BTreeMap<String, Stamp>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    groups: BTreeMap<String, GroupForm>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct GroupForm {
    #[serde(default, skip_serializing_if = "FloorForm::is_usual")]
    floor: FloorForm,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    parts: BTreeMap<String, Stamp>,
    /// The parts of an `error` that reads as a list of several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    texts: Option<Vec<Value>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum FloorForm {
    /// As a `POST` with the base stamp leaves it.
    #[default]
    Usual,
    Absent,
    At(Stamp),
    Cleared(Stamp),
}

impl FloorForm {
    fn is_usual(&self) -> bool {
        *self == Self::Usual
    }
}

impl Form {
    /// The form of a log that was sent once.
    pub(crate) fn of_post(updated: Option<i64>, arrival: u64) -> Self {
        let base = Stamp { rank: Rank::Post, updated, arrival };
        Self { base, scalars: BTreeMap::new(), groups: BTreeMap::new() }
    }

    /// What stands beside [`Cells::fields`] to get the cells back.
    pub(crate) fn of(cells: &Cells) -> Self {
        let base = most_frequent(cells);
        let scalars = cells
            .scalars
            .iter()
            .filter(|(_, cell)| match &cell.value {
                Some(value) => cell.stamp != base.for_default(field::is_default(value)),
                None => true,
            })
            .map(|(field, cell)| (field.clone(), cell.stamp))
            .collect();
        let groups = cells
            .groups
            .iter()
            .map(|(field, group)| (field.clone(), GroupForm::of(field, group, base)))
            .filter(|(_, form)| *form != GroupForm::default())
            .collect();
        Self { base, scalars, groups }
    }

    /// The cells of a log that reads as `fields`.
    pub(crate) fn cells(&self, fields: Map<String, Value>) -> Cells {
        let mut cells = Cells::default();
        for (field, stamp) in &self.scalars {
            // Those that have a value follow below.
            cells.scalars.insert(field.clone(), Scalar { stamp: *stamp, value: None });
        }
        for (field, form) in &self.groups {
            let floor = form.floor(Shape::of(field), None, self.base);
            cells.groups.insert(field.clone(), Group { floor, parts: BTreeMap::new() });
        }
        for (field, value) in fields {
            if value.is_null() || field == "trace_id" {
                continue;
            }
            let usual = self.base.for_default(field::is_default(&value));
            match Shape::of(&field) {
                Shape::Scalar => {
                    let stamp = self.scalars.get(&field).copied().unwrap_or(usual);
                    cells.scalars.insert(field, Scalar { stamp, value: Some(value) });
                }
                shape => {
                    let form = self.groups.get(&field).cloned().unwrap_or_default();
                    let floor = form.floor(shape, Some(&value), self.base);
                    let value = form.texts.map_or(value, Value::Array);
                    let mut parts = Group::parts_of(&field, value, usual);
                    for (key, part) in &mut parts {
                        part.stamp = form.parts.get(key).copied().unwrap_or(usual);
                    }
                    cells.groups.insert(field, Group { floor, parts });
                }
            }
        }
        cells
    }
}

impl GroupForm {
    fn of(field: &str, group: &Group, base: Stamp) -> Self {
        let shape = Shape::of(field);
        let is_empty = group.parts.is_empty();
        let usual = Self::usual_floor(
            shape,
            (!is_empty || group.floor.is_some_and(|floor| !floor.cleared)).then_some(is_empty),
            base,
        );
        let floor = match group.floor {
            floor if floor == usual => FloorForm::Usual,
            None => FloorForm::Absent,
            Some(Floor { stamp, cleared: false }) => FloorForm::At(stamp),
            Some(Floor { stamp, cleared: true }) => FloorForm::Cleared(stamp),
        };
        let parts = group
            .parts
            .iter()
            .filter(|(_, part)| part.stamp != base)
            .map(|(key, part)| (key.clone(), part.stamp))
            .collect();
        let texts = (shape == Shape::Error && group.parts.len() > 1)
            .then(|| group.in_order().into_iter().map(|(_, part)| part.value.clone()).collect());
        Self { floor, parts, texts }
    }

    fn floor(&self, shape: Shape, value: Option<&Value>, base: Stamp) -> Option<Floor> {
        match self.floor {
            FloorForm::Usual => Self::usual_floor(shape, value.map(field::is_default), base),
            FloorForm::Absent => None,
            FloorForm::At(stamp) => Some(Floor { stamp, cleared: false }),
            FloorForm::Cleared(stamp) => Some(Floor { stamp, cleared: true }),
        }
    }

    /// The floor of a group that is said with the base stamp; `is_empty` is `None` when it is not said at all.
    fn usual_floor(shape: Shape, is_empty: Option<bool>, base: Stamp) -> Option<Floor> {
        let is_empty = is_empty.filter(|_| shape.post_replaces())?;
        Some(Floor { stamp: base.for_default(is_empty), cleared: false })
    }
}

/// The stamp that most cells have; of several such the smallest.
fn most_frequent(cells: &Cells) -> Stamp {
    let mut counts: HashMap<Stamp, usize> = HashMap::new();
    let scalars = cells.scalars.values().map(|cell| cell.stamp);
    let parts = cells.groups.values().flat_map(|group| group.parts.values().map(|part| part.stamp));
    let floors = cells.groups.values().filter_map(|group| group.floor.map(|floor| floor.stamp));
    for stamp in scalars.chain(parts).chain(floors) {
        let rank = stamp.rank.max(Rank::Post);
        *counts.entry(Stamp { rank, ..stamp }).or_default() += 1;
    }
    let most = counts.into_iter().max_by_key(|(stamp, count)| (*count, std::cmp::Reverse(*stamp)));
    most.map_or(Stamp { rank: Rank::Post, updated: None, arrival: 0 }, |(stamp, _)| stamp)
}

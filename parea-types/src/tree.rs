//! A log with all that it called.
//!
//! A trace may be thousands of levels deep: a recursion, or siblings that a client logged as a chain. So nothing here
//! recurses: trees are built, cloned, compared, written, read and dropped with a stack on the heap.

use std::{fmt, iter::FusedIterator, mem, slice};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _, ser::Error as _};
use serde_json::value::RawValue;

use crate::{TraceLog, tree_json};

/// A log with its descendants (`TraceLogTreeSchema`).
///
/// `serde_json` reads and writes trees of any depth through the usual traits (as a
/// [`Value`](serde_json::Value) only up to that type's 128 levels, beyond which it reports an error). Other data
/// formats, and positions inside `#[serde(flatten)]` or an untagged enum, are not supported.
#[derive(Default)]
pub struct TraceLogTree {
    /// The log itself; on the wire its fields lie beside `children_logs`.
    pub log: TraceLog,
    /// Its direct children, each with theirs.
    pub children_logs: Vec<TraceLogTree>,
}

impl TraceLogTree {
    /// The log and its children, which cannot be moved out of a type that implements `Drop`.
    pub fn into_parts(mut self) -> (TraceLog, Vec<Self>) {
        (mem::take(&mut self.log), mem::take(&mut self.children_logs))
    }

    /// The tree and all trees below it, each before its children and those in order.
    pub fn iter(&self) -> TraceLogTreeIter<'_> {
        TraceLogTreeIter { open: vec![slice::from_ref(self).iter()] }
    }

    /// Appends the tree as JSON.
    ///
    /// The same text as `serde_json::to_writer` writes, without its intermediate copy.
    pub fn write_json(&self, out: &mut Vec<u8>) -> serde_json::Result<()> {
        tree_json::write(self, out, |_| Ok(()))
    }

    /// Writes the tree as JSON piece by piece: `pass` is called with what was written since it took the last away, a log or
    /// more, for a tree may be larger than memory should hold twice. What it leaves is there at the next call, and what is
    /// written behind the last one stays in `out`. Its first error ends the writing.
    pub fn write_json_by_pieces<E: From<serde_json::Error>>(
        &self,
        out: &mut Vec<u8>,
        pass: impl FnMut(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        tree_json::write(self, out, pass)
    }
}

/// Walks a tree; made by [`TraceLogTree::iter`].
#[derive(Clone)]
pub struct TraceLogTreeIter<'a> {
    open: Vec<slice::Iter<'a, TraceLogTree>>,
}

impl<'a> Iterator for TraceLogTreeIter<'a> {
    type Item = &'a TraceLogTree;

    fn next(&mut self) -> Option<&'a TraceLogTree> {
        loop {
            if let Some(tree) = self.open.last_mut()?.next() {
                if !tree.children_logs.is_empty() {
                    self.open.push(tree.children_logs.iter());
                }
                return Some(tree);
            }
            self.open.pop();
        }
    }
}

impl FusedIterator for TraceLogTreeIter<'_> {}

impl fmt::Debug for TraceLogTreeIter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TraceLogTreeIter").finish_non_exhaustive()
    }
}

impl<'a> IntoIterator for &'a TraceLogTree {
    type Item = &'a TraceLogTree;
    type IntoIter = TraceLogTreeIter<'a>;

    fn into_iter(self) -> TraceLogTreeIter<'a> {
        self.iter()
    }
}

impl From<TraceLog> for TraceLogTree {
    fn from(log: TraceLog) -> Self {
        Self { log, children_logs: Vec::new() }
    }
}

impl Drop for TraceLogTree {
    fn drop(&mut self) {
        let mut below = mem::take(&mut self.children_logs);
        while let Some(mut tree) = below.pop() {
            below.append(&mut tree.children_logs);
        }
    }
}

impl Clone for TraceLogTree {
    fn clone(&self) -> Self {
        let begin = |tree: &'_ Self| Self {
            log: tree.log.clone(),
            children_logs: Vec::with_capacity(tree.children_logs.len()),
        };
        let mut open = Vec::new();
        let (mut copy, mut rest) = (begin(self), self.children_logs.iter());
        loop {
            if let Some(child) = rest.next() {
                open.push((mem::replace(&mut copy, begin(child)), mem::replace(&mut rest, child.children_logs.iter())));
                continue;
            }
            let Some((mut parent, siblings)) = open.pop() else { return copy };
            parent.children_logs.push(copy);
            (copy, rest) = (parent, siblings);
        }
    }
}

impl PartialEq for TraceLogTree {
    fn eq(&self, other: &Self) -> bool {
        // The logs in order, with the number of children of each, determine the tree.
        self.iter().map(shape).eq(other.iter().map(shape))
    }
}

fn shape(tree: &TraceLogTree) -> (&TraceLog, usize) {
    (&tree.log, tree.children_logs.len())
}

/// The JSON text: a derived form would recurse.
impl fmt::Debug for TraceLogTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut json = Vec::new();
        self.write_json(&mut json).map_err(|_| fmt::Error)?;
        f.write_str(&String::from_utf8_lossy(&json))
    }
}

impl Serialize for TraceLogTree {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut json = Vec::new();
        self.write_json(&mut json).map_err(S::Error::custom)?;
        let json = String::from_utf8(json).map_err(S::Error::custom)?;
        RawValue::from_string(json).map_err(S::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for TraceLogTree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Taking a value as text is the one thing that serde_json does without recursion.
        let json = Box::<RawValue>::deserialize(deserializer)?;
        tree_json::read(json.get()).map_err(D::Error::custom)
    }
}

//! What a disk may hold after the power went.

use std::{collections::BTreeMap, fs, path::Path};

use fastrand::Rng;

use super::vfs::{Op, Recording};

/// The least that a disk writes as a whole.
const SECTOR: usize = 512;

/// Files as far as they were synced, and what happened to each since.
#[derive(Default)]
pub(crate) struct Disk {
    files: BTreeMap<usize, File>,
}

#[derive(Default)]
struct File {
    /// What was synced; `None` where not even the name was.
    durable: Option<Vec<u8>>,
    /// A file of this name that was removed, which may come back as long as nothing was synced since.
    removed: Option<Vec<u8>>,
    /// In the order of the calls.
    pending: Vec<Op>,
    exists: bool,
}

impl Disk {
    pub(crate) fn apply(&mut self, op: &Op) {
        let (Op::Create(file) | Op::Write { file, .. } | Op::Truncate { file, .. } | Op::Sync(file) | Op::Delete(file)) =
            op
        else {
            return;
        };
        let number = *file;
        let file = self.files.entry(number).or_default();
        if matches!(op, Op::Sync(_)) && file.durable.is_none() {
            // With the first sync of a journal or a write-ahead log SQLite syncs the folder too, so that what was removed
            // by then stays away.
            self.files.values_mut().for_each(|file| file.removed = None);
        }
        let file = self.files.entry(number).or_default();
        match op {
            Op::Create(_) => file.exists = true,
            Op::Delete(_) => {
                file.exists = false;
                file.pending.clear();
                file.removed = file.durable.take().or(file.removed.take());
            }
            Op::Sync(_) => {
                let mut content = file.durable.take().unwrap_or_default();
                for op in file.pending.drain(..) {
                    write(&mut content, &op);
                }
                file.durable = Some(content);
                file.removed = None;
            }
            _ => file.pending.push(op.clone()),
        }
    }

    /// Writes into a folder what may be left if the power goes now: all that was synced, and of the rest what chance
    /// takes, in any order, down to single sectors.
    pub(crate) fn cut(&self, recording: &Recording, folder: &Path, random: &mut Rng) {
        for (number, file) in &self.files {
            let content = file.after_cut(random);
            if let Some(content) = content {
                fs::write(folder.join(&recording.names[*number]), content).unwrap();
            }
        }
    }
}

impl File {
    fn after_cut(&self, random: &mut Rng) -> Option<Vec<u8>> {
        if self.removed.is_some() && (!self.exists || self.durable.is_none()) && random.bool() {
            return self.removed.clone();
        }
        if !self.exists || (self.durable.is_none() && random.bool()) {
            return None;
        }
        let mut content = self.durable.clone().unwrap_or_default();
        match random.u8(0..5) {
            // Nothing of it, all of it, what came first.
            0 => {}
            1 => self.pending.iter().for_each(|op| write(&mut content, op)),
            2 => {
                let first = random.usize(0..=self.pending.len());
                self.pending[..first].iter().for_each(|op| write(&mut content, op));
            }
            // Any of it, in order or not, some of it torn.
            how => {
                let mut some: Vec<&Op> = self.pending.iter().filter(|_| random.bool()).collect();
                if how == 4 {
                    random.shuffle(&mut some);
                }
                for op in some {
                    if random.u8(0..4) == 0 { tear(&mut content, op, random) } else { write(&mut content, op) }
                }
            }
        }
        Some(content)
    }
}

fn write(content: &mut Vec<u8>, op: &Op) {
    match op {
        Op::Write { at, data, .. } => put(content, *at, data),
        Op::Truncate { size, .. } => content.resize(*size, 0),
        _ => {}
    }
}

/// Some sectors of a write.
fn tear(content: &mut Vec<u8>, op: &Op, random: &mut Rng) {
    let Op::Write { at, data, .. } = op else { return write(content, op) };
    for (sector, part) in data.chunks(SECTOR).enumerate() {
        if random.bool() {
            put(content, at + sector * SECTOR, part);
        }
    }
}

fn put(content: &mut Vec<u8>, at: usize, data: &[u8]) {
    let end = at + data.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[at..end].copy_from_slice(data);
}

//! What a database file holds beside its contents: pages that are free, and in pages that are in use the room between and
//! behind what they hold, where older contents remain. It is overwritten with zeros, page by page, in the file itself.
//!
//! SQLite's own way would be to write the whole file anew (`VACUUM`), during which nobody can write. It does not mind what
//! stands in these places, which are told by its file format (<https://sqlite.org/fileformat2.html>), and a page's kind by the
//! pointer map that a file with `auto_vacuum` has. This must be done where nothing of the file waits in a write-ahead log or in
//! the cache of the connection that writes.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    path::Path,
};

/// Where the file's lock bytes lie: the page there is never used.
const LOCK: u64 = 1 << 30;

/// The kinds of pages in the pointer map.
mod kind {
    pub(super) const ROOT: u8 = 1;
    pub(super) const FREE: u8 = 2;
    pub(super) const OVERFLOW_FIRST: u8 = 3;
    pub(super) const OVERFLOW: u8 = 4;
    pub(super) const TREE: u8 = 5;
}

/// A database file that is read and overwritten by pages. While a process has connections to the file, none of these may be
/// dropped: closing a file gives up all locks of the process on it.
#[derive(Debug)]
pub(super) struct Pages {
    file: File,
    /// Bytes of a page.
    size: usize,
    /// Bytes of it that SQLite uses.
    usable: usize,
    /// How many there are.
    count: u32,
    /// Pages of the list of free ones that name others.
    trunks: BTreeSet<u32>,
}

/// A page whose contents are not what the format says. Nothing is written then.
fn damaged(page: u32) -> io::Error {
    io::Error::other(format!("page {page} of the database is damaged: let `parea doctor` look at it"))
}

fn at<const N: usize>(data: &[u8], place: usize, page: u32) -> io::Result<[u8; N]> {
    data.get(place..place + N).and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| damaged(page))
}

fn number(data: &[u8], place: usize, page: u32) -> io::Result<u32> {
    at(data, place, page).map(u32::from_be_bytes)
}

fn short(data: &[u8], place: usize, page: u32) -> io::Result<usize> {
    at(data, place, page).map(|bytes| usize::from(u16::from_be_bytes(bytes)))
}

/// A number of SQLite's variable length, and its length.
fn varint(data: &[u8], place: usize, page: u32) -> io::Result<(u64, usize)> {
    let mut number = 0;
    for length in 1..=9 {
        let [byte] = at(data, place + length - 1, page)?;
        if length == 9 {
            return Ok((number << 8 | u64::from(byte), length));
        }
        number = number << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Ok((number, length));
        }
    }
    Err(damaged(page))
}

/// A chain of pages that a value goes on in.
struct Chain {
    first: u32,
    /// Bytes that lie in it.
    length: u64,
}

impl Pages {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::options().read(true).write(true).open(path)?;
        let mut pages = Self { file, size: 512, usable: 512, count: 1, trunks: BTreeSet::new() };
        pages.look()?;
        Ok(pages)
    }

    /// Reads anew how the file stands.
    pub(super) fn look(&mut self) -> io::Result<()> {
        let mut head = [0; 100];
        self.file.seek(SeekFrom::Start(0))?;
        self.file.read_exact(&mut head)?;
        self.size = match short(&head, 16, 1)? {
            1 => 1 << 16,
            size => size,
        };
        if !self.size.is_power_of_two() || self.size < 512 || number(&head, 52, 1)? == 0 {
            return Err(damaged(1));
        }
        self.usable = self.size - usize::from(head[20]);
        self.count = u32::try_from(self.file.metadata()?.len() / self.size as u64).unwrap_or(u32::MAX);
        self.trunks.clear();
        let mut trunk = number(&head, 32, 1)?;
        while trunk != 0 {
            if !self.trunks.insert(trunk) {
                return Err(damaged(trunk));
            }
            trunk = number(&self.read(trunk)?, 0, trunk)?;
        }
        Ok(())
    }

    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// Makes what was overwritten last.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn read(&mut self, page: u32) -> io::Result<Vec<u8>> {
        if page == 0 || page > self.count {
            return Err(damaged(page));
        }
        let mut data = vec![0; self.size];
        self.file.seek(SeekFrom::Start(u64::from(page - 1) * self.size as u64))?;
        self.file.read_exact(&mut data)?;
        Ok(data)
    }

    /// Overwrites parts of a page that are not zeros yet.
    fn clear(&mut self, page: u32, data: &[u8], parts: impl IntoIterator<Item = (usize, usize)>) -> io::Result<()> {
        for (begin, end) in parts {
            let part = data.get(begin..end).ok_or_else(|| damaged(page))?;
            if part.iter().any(|byte| *byte != 0) {
                self.file.seek(SeekFrom::Start(u64::from(page - 1) * self.size as u64 + begin as u64))?;
                self.file.write_all(&vec![0; end - begin])?;
            }
        }
        Ok(())
    }

    /// The page of the pointer map that tells of a page; the page itself if it is one.
    fn map_of(&self, page: u32) -> u32 {
        let group = (self.usable / 5) as u32 + 1;
        let map = (page - 2) / group * group + 2;
        if self.is_lock(map) { map + 1 } else { map }
    }

    fn is_lock(&self, page: u32) -> bool {
        u64::from(page) == LOCK / self.size as u64 + 1
    }

    /// A page's kind, and its parent.
    fn kind(&mut self, page: u32) -> io::Result<(u8, u32)> {
        let map = self.map_of(page);
        let entry = page.checked_sub(map + 1).ok_or_else(|| damaged(page))? as usize * 5;
        let data = self.read(map)?;
        let [kind] = at(&data, entry, map)?;
        Ok((kind, number(&data, entry + 1, map)?))
    }

    /// Overwrites what a page has beside its contents, and the end of the last page of each value that it has the beginning
    /// of. For a page in the midst of a value that is done with the page where the value begins.
    pub(super) fn scrub(&mut self, page: u32) -> io::Result<()> {
        if page > self.count || self.is_lock(page) || (page > 1 && self.map_of(page) == page) {
            return Ok(());
        }
        if page == 1 {
            return self.scrub_tree(page);
        }
        match self.kind(page)?.0 {
            kind::ROOT | kind::TREE => self.scrub_tree(page),
            kind::FREE => {
                let data = self.read(page)?;
                let begin = if self.trunks.contains(&page) { 8 + 4 * number(&data, 4, page)? as usize } else { 0 };
                self.clear(page, &data, [(begin, self.size)])
            }
            kind::OVERFLOW_FIRST | kind::OVERFLOW => Ok(()),
            _ => Err(damaged(page)),
        }
    }

    /// The page by which a changed page is scrubbed.
    pub(super) fn owner(&mut self, page: u32) -> io::Result<u32> {
        let mut at = page;
        for _ in 0..self.count {
            if at == 1 || at > self.count || self.is_lock(at) || self.map_of(at) == at {
                return Ok(at);
            }
            match self.kind(at)? {
                (kind::OVERFLOW | kind::OVERFLOW_FIRST, parent) => at = parent,
                _ => return Ok(at),
            }
        }
        Err(damaged(page))
    }

    fn scrub_tree(&mut self, page: u32) -> io::Result<()> {
        let data = self.read(page)?;
        let mut chains = Vec::new();
        let free = self.free_parts(page, &data, &mut chains)?;
        self.clear(page, &data, free)?;
        chains.into_iter().try_for_each(|chain| self.scrub_end(&chain))
    }

    /// The parts of a page of a tree that hold nothing. What the page says must fit together.
    fn free_parts(&self, page: u32, data: &[u8], chains: &mut Vec<Chain>) -> io::Result<Vec<(usize, usize)>> {
        let head = if page == 1 { 100 } else { 0 };
        let [form] = at(data, head, page)?;
        let is_leaf = form & 8 != 0;
        let is_table = match form {
            5 | 13 => true,
            2 | 10 => false,
            _ => return Err(damaged(page)),
        };
        let cells = head + if is_leaf { 8 } else { 12 };
        let count = short(data, head + 3, page)?;
        let mut used = vec![(0, cells + 2 * count), (self.usable, self.size)];
        for cell in 0..count {
            let begin = short(data, cells + 2 * cell, page)?;
            let length = self.cell(page, data, begin, (is_table, is_leaf), chains)?;
            used.push((begin, begin + length));
        }
        let mut block = short(data, head + 1, page)?;
        while block != 0 {
            // Where the next one is, and how long this one is.
            used.push((block, block + 4));
            let next = short(data, block, page)?;
            if next != 0 && next <= block {
                return Err(damaged(page));
            }
            block = next;
        }
        used.sort_unstable();
        let mut free = Vec::new();
        let mut end = 0;
        for (begin, stop) in used {
            match begin.checked_sub(end) {
                // Parts that overlap: this is not what we take it for.
                None => return Err(damaged(page)),
                Some(0) => {}
                Some(_) => free.push((end, begin)),
            }
            end = stop;
        }
        if end == self.size { Ok(free) } else { Err(damaged(page)) }
    }

    /// How long a cell is.
    fn cell(
        &self,
        page: u32,
        data: &[u8],
        begin: usize,
        (is_table, is_leaf): (bool, bool),
        chains: &mut Vec<Chain>,
    ) -> io::Result<usize> {
        let mut length = if is_leaf { 0 } else { 4 };
        if is_table && !is_leaf {
            return Ok(length + varint(data, begin + length, page)?.1);
        }
        let (payload, bytes) = varint(data, begin + length, page)?;
        length += bytes;
        if is_table {
            length += varint(data, begin + length, page)?.1;
        }
        let usable = self.usable as u64;
        let most = if is_table { usable - 35 } else { (usable - 12) * 64 / 255 - 23 };
        if payload <= most {
            // No cell is shorter than what takes its place when it goes.
            return Ok((length + payload as usize).max(4));
        }
        let least = (usable - 12) * 32 / 255 - 23;
        let fitting = least + (payload - least) % (usable - 4);
        let local = if fitting <= most { fitting } else { least };
        length += local as usize;
        chains.push(Chain { first: number(data, begin + length, page)?, length: payload - local });
        Ok(length + 4)
    }

    /// Overwrites what lies behind the end of a value.
    fn scrub_end(&mut self, chain: &Chain) -> io::Result<()> {
        let room = self.usable - 4;
        let (mut page, mut left) = (chain.first, chain.length);
        loop {
            let data = self.read(page)?;
            let next = number(&data, 0, page)?;
            if left <= room as u64 {
                if next != 0 {
                    return Err(damaged(page));
                }
                return self.clear(page, &data, [(4 + left as usize, self.usable)]);
            }
            left -= room as u64;
            page = next;
        }
    }
}

/// The pages that a write-ahead log has, as far as it is that of its head.
pub(super) fn pages_in_log(path: &Path) -> io::Result<BTreeSet<u32>> {
    let mut pages = BTreeSet::new();
    let Ok(mut file) = File::open(path) else { return Ok(pages) };
    let length = file.metadata()?.len();
    let mut head = [0; 32];
    if length < 32 {
        return Ok(pages);
    }
    file.read_exact(&mut head)?;
    let size = u64::from(number(&head, 8, 0)?);
    let mut at = 32;
    while size > 0 && at + 24 + size <= length {
        let mut frame = [0; 24];
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(&mut frame)?;
        // The salts are those of the head in all frames since the log was begun anew.
        if frame[8..16] != head[16..24] {
            break;
        }
        pages.insert(number(&frame, 0, 0)?);
        at += 24 + size;
    }
    Ok(pages)
}

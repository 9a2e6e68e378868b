//! What is known of an annotated function at compile time, and its like for spans whose names come at run time.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use once_cell::race::{OnceBox, OnceRef};

use crate::exit::fork::PerProcess;

/// One annotated function: a static each.
#[derive(Debug)]
pub struct CallSite {
    name: &'static str,
    function: &'static str,
    module: &'static str,
    file: &'static str,
    line: u32,
    /// Chance that a trace which starts here is kept.
    sample_rate: Option<f64>,
    /// Its number in [`SITES`], from 1; 0 before its first span ended.
    number: AtomicU32,
    /// See [`metadata_member`](Self::metadata_member).
    metadata: OnceBox<String>,
}

/// All functions of which a span has ended, so that a record can name its own by a number.
///
/// Nobody waits here for another thread: a child has the parent's table, and would wait for ever for one that was at it
/// when the program forked.
struct Sites {
    /// Each has twice as many places as the one before.
    rooms: [OnceBox<Box<[Place]>>; 27],
    /// Places that were given out.
    taken: AtomicU32,
}

type Place = OnceRef<'static, CallSite>;

static SITES: Sites = Sites { rooms: [const { OnceBox::new() }; 27], taken: AtomicU32::new(0) };

impl Sites {
    const FIRST: usize = 64;

    /// Room and place of a number from 0.
    fn place(index: usize) -> (usize, usize) {
        let room = (index / Self::FIRST + 1).ilog2() as usize;
        (room, index - Self::FIRST * ((1 << room) - 1))
    }

    /// Gives a function a place; returns its number from 1.
    fn add(&self, site: &'static CallSite) -> u32 {
        let index = self.taken.fetch_add(1, Ordering::Relaxed);
        let (room, place) = Self::place(index as usize);
        let places = self.rooms[room].get_or_init(|| {
            let places = (0..Self::FIRST << room).map(|_| Place::new());
            Box::new(places.collect())
        });
        // It is nobody else's.
        let _ = places[place].set(site);
        index + 1
    }

    fn get(&self, number: u32) -> Option<&'static CallSite> {
        let (room, place) = Self::place(number.checked_sub(1)? as usize);
        self.rooms.get(room)?.get()?.get(place)?.get()
    }
}

impl CallSite {
    /// Called by the expansion.
    pub const fn new(
        name: &'static str,
        function: &'static str,
        module: &'static str,
        file: &'static str,
        line: u32,
    ) -> Self {
        Self {
            name,
            function,
            module,
            file,
            line,
            sample_rate: None,
            number: AtomicU32::new(0),
            metadata: OnceBox::new(),
        }
    }

    /// With the chance that a trace which starts here is kept. Called by the expansion in a constant, so that a rate
    /// that is no chance does not compile.
    #[must_use]
    pub const fn sampled(self, rate: f64) -> Self {
        assert!(0.0 <= rate && rate <= 1.0, "`log_sample_rate` is a chance: from 0.0 (no trace) to 1.0 (every trace)");
        let mut site = self;
        site.sample_rate = Some(rate);
        site
    }

    #[inline]
    pub(crate) fn sample_rate(&self) -> Option<f64> {
        self.sample_rate
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Where the function is, under the names that OpenTelemetry's semantic conventions give these attributes.
    pub(crate) fn code_attributes(&self) -> [(&'static str, Cow<'static, str>); 3] {
        [
            ("code.function.name", Cow::Owned(format!("{}::{}", self.module, self.function))),
            ("code.file.path", Cow::Borrowed(self.file)),
            ("code.line.number", Cow::Owned(self.line.to_string())),
        ]
    }

    /// The metadata of a log that has no other, as a member of JSON: made once.
    pub(crate) fn metadata_member(&self) -> &str {
        self.metadata.get_or_init(|| {
            let metadata: BTreeMap<_, _> = self.code_attributes().into_iter().collect();
            // Texts by texts; if that failed, a log without is better than none.
            let json = serde_json::to_string(&metadata).unwrap_or_else(|_| "{}".to_owned());
            Box::new(format!(r#","metadata":{json}"#))
        })
    }

    /// Its number, if one of its spans has ended before.
    #[inline]
    pub(crate) fn known_number(&self) -> Option<u32> {
        Some(self.number.load(Ordering::Acquire)).filter(|number| *number != 0)
    }

    #[inline]
    pub(crate) fn number(&'static self) -> u32 {
        match self.number.load(Ordering::Acquire) {
            0 => self.register(),
            number => number,
        }
    }

    #[cold]
    fn register(&'static self) -> u32 {
        let number = SITES.add(self);
        // Another thread may have been faster; both numbers lead here.
        match self.number.compare_exchange(0, number, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => number,
            Err(known) => known,
        }
    }

    pub(crate) fn by_number(number: u32) -> Option<&'static Self> {
        SITES.get(number)
    }
}

/// The call site of that name, made once and kept for the rest of the process: names of experiments and of evaluations,
/// of which a program has few.
pub(crate) fn site_of(name: &str) -> &'static CallSite {
    type Named = Mutex<BTreeMap<&'static str, &'static CallSite>>;
    static NAMED: PerProcess<Named> = PerProcess::new(Mutex::new(BTreeMap::new()), Named::default);
    let mut named = NAMED.get().lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(site) = named.get(name) {
        return site;
    }
    let name: &'static str = Box::leak(name.into());
    let site: &'static CallSite = Box::leak(Box::new(CallSite::new(name, name, module_path!(), file!(), line!())));
    named.insert(name, site);
    site
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_has_a_place_of_its_own() {
        let mut expected = (0, 0);
        for index in 0..100_000 {
            assert_eq!(Sites::place(index), expected, "{index}");
            let (room, place) = expected;
            expected = if place + 1 == Sites::FIRST << room { (room + 1, 0) } else { (room, place + 1) };
        }
        let (room, place) = Sites::place(u32::MAX as usize);
        assert!(room < SITES.rooms.len() && place < Sites::FIRST << room);
    }
}

//! What is known of an annotated function at compile time, and its like for spans whose names come at run time.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    sync::{
        Mutex, OnceLock, PoisonError, RwLock,
        atomic::{AtomicU32, Ordering},
    },
};

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
    metadata: OnceLock<Box<str>>,
}

/// All functions of which a span has ended, so that a record can name its own by a number.
static SITES: RwLock<Vec<&'static CallSite>> = RwLock::new(Vec::new());

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
            metadata: OnceLock::new(),
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
            format!(r#","metadata":{json}"#).into()
        })
    }

    /// Its number, if one of its spans has ended before.
    #[inline]
    pub(crate) fn known_number(&self) -> Option<u32> {
        Some(self.number.load(Ordering::Relaxed)).filter(|number| *number != 0)
    }

    #[inline]
    pub(crate) fn number(&'static self) -> u32 {
        match self.number.load(Ordering::Relaxed) {
            0 => self.register(),
            number => number,
        }
    }

    #[cold]
    fn register(&'static self) -> u32 {
        let mut sites = SITES.write().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have been faster.
        let known = self.number.load(Ordering::Relaxed);
        if known != 0 {
            return known;
        }
        sites.push(self);
        let number = sites.len() as u32;
        self.number.store(number, Ordering::Relaxed);
        number
    }

    pub(crate) fn by_number(number: u32) -> Option<&'static Self> {
        let sites = SITES.read().unwrap_or_else(PoisonError::into_inner);
        sites.get(usize::try_from(number).ok()?.checked_sub(1)?).copied()
    }
}

/// The call site of that name, made once and kept for the rest of the process: names of experiments and of evaluations,
/// of which a program has few.
pub(crate) fn site_of(name: &str) -> &'static CallSite {
    static NAMED: OnceLock<Mutex<HashMap<&'static str, &'static CallSite>>> = OnceLock::new();
    let mut named = NAMED.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(site) = named.get(name) {
        return site;
    }
    let name: &'static str = Box::leak(name.into());
    let site: &'static CallSite = Box::leak(Box::new(CallSite::new(name, name, module_path!(), file!(), line!())));
    named.insert(name, site);
    site
}

//! Call sites of spans whose names are known only at run time.

use std::{
    collections::HashMap,
    sync::{Mutex, OnceLock, PoisonError},
};

use crate::hooks::CallSite;

/// The call site of that name, made once and kept for the rest of the process: names of experiments and of evaluations,
/// of which a program has few.
pub(crate) fn site_of(name: &str) -> &'static CallSite {
    static SITES: OnceLock<Mutex<HashMap<&'static str, &'static CallSite>>> = OnceLock::new();
    let mut sites = SITES.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(site) = sites.get(name) {
        return site;
    }
    let name: &'static str = Box::leak(name.into());
    let site: &'static CallSite = Box::leak(Box::new(CallSite::new(name, name, module_path!(), file!(), line!())));
    sites.insert(name, site);
    site
}

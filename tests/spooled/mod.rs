//! What a client left in its folder.

use std::{fs, path::Path};

use serde::de::DeserializeOwned;

/// The logs of all files of the spool below that folder.
pub(crate) fn logs<T: DeserializeOwned>(folder: &Path) -> Vec<T> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(logs::<T>(&path));
        } else if path.extension().is_some_and(|extension| extension == "ndjson" || extension == "open") {
            all.extend(fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str::<T>(line).unwrap()));
        }
    }
    all
}

//! From a client's bytes to a patch: the one way by which single posts, batches and the spool reach the store.

mod bounds;

use parea_types::{
    CreateGetProjectRequest, Location, QueryParamsPagination, RejectedLog, TraceLog, UpdateLog, ValidationError,
};
use serde::Deserialize;

pub(crate) use bounds::shortened;

use crate::{
    auth::Access,
    body::{self, Checked, Element, at, fault, missing},
    config::Config,
};

/// What holds for every log that comes in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// Deepest nesting that is read.
    pub(crate) json_depth: usize,
    /// Longest text, in bytes.
    pub(crate) text_limit: usize,
}

impl Rules {
    pub(crate) fn of(config: &Config) -> Self {
        Self { json_depth: config.json_depth, text_limit: config.text_limit }
    }
}

/// The log that `json` spells, or all that is wrong with it; `above` is the way to it.
pub(crate) fn log(json: &[u8], above: &[Location], rules: Rules) -> Result<TraceLog, Vec<ValidationError>> {
    let mut log: TraceLog = body::parse(json, above, rules.json_depth)?;
    for id in [&mut log.parent_trace_id, &mut log.root_trace_id] {
        id.take_if(|id| is_zero(id) && *id != log.trace_id);
    }
    bounds::cut(&mut log, json.len(), rules.text_limit);
    bounds::mend_times(&mut log);
    Ok(log)
}

/// One log of many, or the entry that names it among those refused.
pub(crate) fn element(
    element: Element<'_>,
    index: usize,
    rules: Rules,
    access: &Access,
) -> Result<TraceLog, Box<RejectedLog>> {
    one_of_many(element, index, |json, above| {
        let log = log(json, above, rules)?;
        access.fault(&log, above).map_or(Ok(log), |fault| Err(vec![fault]))
    })
}

/// One update of many, likewise.
pub(crate) fn element_update(element: Element<'_>, index: usize, rules: Rules) -> Result<UpdateLog, Box<RejectedLog>> {
    one_of_many(element, index, |json, above| update(json, above, rules))
}

/// The update that `json` spells, or all that is wrong with it; `above` is the way to it.
pub(crate) fn update(json: &[u8], above: &[Location], rules: Rules) -> Result<UpdateLog, Vec<ValidationError>> {
    let mut update: UpdateLog = body::parse(json, above, rules.json_depth)?;
    bounds::cut_update(&mut update, json.len(), rules.text_limit);
    Ok(update)
}

fn one_of_many<T>(
    element: Element<'_>,
    index: usize,
    read: impl FnOnce(&[u8], &[Location]) -> Result<T, Vec<ValidationError>>,
) -> Result<T, Box<RejectedLog>> {
    let above = [Location::from("body"), index.into()];
    let broken = |msg: &str| vec![fault(above.to_vec(), "json_invalid", msg)];
    let (json, result) = match element {
        Element::Whole(json) => (json, read(json, &above)),
        Element::CutOff => {
            ([].as_slice(), Err(broken("The body ends before the array does; what is missing was not read")))
        }
        Element::Behind => ([].as_slice(), Err(broken("Unexpected text behind the end of the array"))),
    };
    result.map_err(|detail| Box::new(RejectedLog { index: index as u64, trace_id: trace_id(json), detail }))
}

/// The id of a log that is otherwise bad.
fn trace_id(json: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Identified {
        trace_id: String,
    }
    serde_json::from_slice::<Identified>(json).ok().map(|log| log.trace_id)
}

/// Longest id, in bytes.
const LONGEST_ID: usize = 255;

/// Whether an id was never made, which is how some say that there is no parent.
fn is_zero(id: &str) -> bool {
    id.len() >= 16 && id.bytes().all(|byte| matches!(byte, b'0' | b'-'))
}

/// What is wrong with the id of a log.
pub(crate) fn id_faults(id: &str, loc: Vec<Location>) -> Option<ValidationError> {
    match id.len() {
        0 => Some(fault(loc, "string_too_short", "String should have at least 1 character")),
        length if length > LONGEST_ID => {
            let msg = format!("String should have at most {LONGEST_ID} bytes, not {length}");
            Some(fault(loc, "string_too_long", msg))
        }
        _ => None,
    }
}

impl Checked for TraceLog {
    fn faults(&self, above: &[Location]) -> Vec<ValidationError> {
        let given = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.is_empty());
        let mut faults = Vec::from_iter(id_faults(&self.trace_id, at(above, "trace_id")));
        for (name, id) in [("root_trace_id", &self.root_trace_id), ("parent_trace_id", &self.parent_trace_id)] {
            // An empty one means the log itself.
            if let Some(id) = id.as_deref().filter(|id| !id.is_empty()) {
                faults.extend(id_faults(id, at(above, name)));
            }
        }
        if !given(&self.project_uuid) && !given(&self.project_name) {
            faults.push(missing(at(above, "project_name")));
        }
        // One below zero would drop the whole trace without a word.
        if self.log_sample_rate.is_some_and(|rate| !(0.0..=1.0).contains(&rate)) {
            let loc = at(above, "log_sample_rate");
            faults.push(fault(loc, "less_than_equal", "Input should be between 0 and 1"));
        }
        faults
    }
}

impl Checked for UpdateLog {
    fn faults(&self, above: &[Location]) -> Vec<ValidationError> {
        let mut faults = Vec::from_iter(id_faults(&self.trace_id, at(above, "trace_id")));
        // They begin with `body`, wherever the update lies.
        faults.extend(self.check().into_iter().map(|fault| ValidationError {
            loc: above.iter().cloned().chain(fault.loc.into_iter().skip(1)).collect(),
            ..fault
        }));
        faults
    }
}

impl Checked for CreateGetProjectRequest {
    fn faults(&self, above: &[Location]) -> Vec<ValidationError> {
        let empty = self.name.is_empty();
        Vec::from_iter(
            empty.then(|| fault(at(above, "name"), "string_too_short", "String should have at least 1 character")),
        )
    }
}

impl Checked for QueryParamsPagination {
    fn faults(&self, _: &[Location]) -> Vec<ValidationError> {
        self.validate()
    }
}

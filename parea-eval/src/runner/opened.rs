//! A run before its first row: its ids, its journal, its server.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use super::job::Job;
#[cfg(feature = "http")]
use crate::kept;
use crate::{
    ExperimentError,
    experiment::Plan,
    git,
    journal::{self, Header, Journal, Place},
    report::RowResult,
    run_name,
};

/// A run that has its id, its journal and, if there is one, its server.
pub(super) struct Opened {
    pub(super) header: Header,
    pub(super) journal: Journal,
    /// What an earlier part of the run has done, until it is taken over.
    finished: HashMap<String, Place>,
    /// How much of it was taken over.
    pub(super) resumed: usize,
    #[cfg(feature = "http")]
    pub(super) server: Option<parea_runtime::ApiClient>,
    pub(super) notes: Vec<String>,
    #[cfg_attr(not(feature = "http"), expect(dead_code, reason = "what is kept for servers lies there"))]
    pub(super) folder: PathBuf,
}

impl Opened {
    /// What an earlier part of the run has made of that job, and the line of the journal that has it.
    pub(super) fn finished(&mut self, job: &Job) -> Option<(RowResult, (u64, usize))> {
        // A row that failed is not finished: its cause may be gone.
        let Place { at, length, .. } = self.finished.remove(&job.cell).filter(|place| !place.failed)?;
        let result = self.journal.source().result(at, length).ok()?;
        self.resumed += 1;
        Some((RowResult { row: job.row, ..result }, (at, length)))
    }
}

/// Begins the run, or goes on with an earlier one, before anything is paid for.
pub(super) async fn open(plan: &Plan, folder: PathBuf) -> Result<Opened, ExperimentError> {
    let (mut header, earlier) = if let Some(uuid) = &plan.resume {
        let read = resumed(plan, &folder, uuid)?;
        (read.header, Some(read.cells))
    } else {
        let run_name = plan.run_name.clone().unwrap_or_else(run_name::made_up);
        (Header { experiment: plan.name.clone(), run_name, uuid: String::new(), registered: false }, None)
    };
    let mut notes = Vec::new();
    #[cfg(feature = "http")]
    let found = parea_runtime::connection::server().filter(|_| !plan.local);
    #[cfg(feature = "http")]
    let server = match &found {
        Some((api, project)) if register(api, project, plan, &mut header).await? => Some(api.clone()),
        Some((api, _)) => {
            notes.push(format!(
                "no server answers at {}: the run is kept in {}, and told to the server that takes its logs",
                api.base_url(),
                folder.display()
            ));
            None
        }
        None => None,
    };
    notes.extend(taken(plan, &header, &folder));
    if header.uuid.is_empty() {
        header.uuid = fresh_uuid();
    }
    let journal = match earlier {
        Some(_) => Journal::reopen(&folder, &header.uuid),
        None => Journal::create(&folder, &header),
    };
    let journal = journal.map_err(|error| ExperimentError::Journal(format!("{}: {error}", folder.display())))?;
    #[cfg(feature = "http")]
    if let (None, Some((api, project))) = (&server, &found) {
        let named = parea_runtime::connection::server_is_named().then(|| api.base_url());
        if let Err(error) = kept::write(&folder, &kept::new(&header, (project, named), &plan.metadata)) {
            notes.push(format!("no server will hear of this run, which cannot be noted: {error}"));
        }
    }
    Ok(Opened {
        header,
        journal,
        finished: earlier.unwrap_or_default(),
        resumed: 0,
        #[cfg(feature = "http")]
        server,
        notes,
        folder,
    })
}

/// Whether the server knows the run, which is told to it if need be. A new run has its uuid from there.
#[cfg(feature = "http")]
async fn register(
    api: &parea_runtime::ApiClient,
    project: &str,
    plan: &Plan,
    header: &mut Header,
) -> Result<bool, ExperimentError> {
    if header.registered {
        return Ok(true);
    }
    if !header.uuid.is_empty() {
        // It began where no server was.
        return Ok(api.keep_experiment(&kept::new(header, (project, None), &plan.metadata)).await.is_ok());
    }
    let given = crate::remote::register(api, project, &plan.name, &header.run_name, &plan.metadata).await?;
    header.registered = given.is_some();
    header.uuid = given.unwrap_or_default();
    Ok(header.registered)
}

/// What is to be said of a run name that an earlier run has. A server refuses it; without one the run is not worth less than
/// its name.
fn taken(plan: &Plan, header: &Header, folder: &Path) -> Option<String> {
    let name = plan.run_name.as_ref().filter(|_| !header.registered && plan.resume.is_none())?;
    let other = journal::named(folder, &plan.name, name)?;
    Some(format!(
        "run name `{name}` is taken in experiment `{}` by run {} in {}: comparisons by that name take the newest, and a \
         server will rename this one; give it another with `.run_name(..)`, or leave it out",
        plan.name,
        other.uuid,
        folder.display()
    ))
}

/// What the run that is to be gone on with has done.
fn resumed(plan: &Plan, folder: &Path, uuid: &str) -> Result<journal::Finished, ExperimentError> {
    let path = journal::path(folder, uuid);
    let read = journal::read(&path).map_err(|error| {
        ExperimentError::Resume(format!("run {uuid} cannot be gone on with: {}: {error}", path.display()))
    })?;
    if read.header.experiment != plan.name {
        let why = format!("run {uuid} belongs to experiment `{}`, not to `{}`", read.header.experiment, plan.name);
        return Err(ExperimentError::Resume(why));
    }
    Ok(read)
}

fn fresh_uuid() -> String {
    let mut random = [0; 16];
    fastrand::fill(&mut random);
    uuid::Builder::from_random_bytes(random).into_uuid().to_string()
}

/// What names the code, so that a resumed run does not mix two versions of it.
pub(super) fn version(plan: &Plan, git: &git::State) -> Result<String, ExperimentError> {
    match (&plan.version, &git.commit) {
        (Some(version), _) => Ok(version.clone()),
        (None, Some(commit)) if !git.dirty => Ok(commit.clone()),
        (None, _) if plan.resume.is_none() => Ok("unnamed".to_owned()),
        (None, Some(_)) => Err(ExperimentError::Resume(
            "the working tree has changes that are not committed, so it cannot be told whether the rest of the run would try \
             the same code: commit them, or name the code with `.version(\"..\")` in both runs"
                .to_owned(),
        )),
        (None, None) => Err(ExperimentError::Resume(
            "there is no git commit to tell the code by: name it with `.version(\"..\")` in both runs".to_owned(),
        )),
    }
}

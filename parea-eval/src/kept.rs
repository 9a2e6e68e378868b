//! Runs that no server has heard of, as files beside the journals: for `parea serve`, which takes the folder in, and for the
//! next run that finds a server.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use parea_runtime::{
    ApiClient,
    types::{EvaluationScore, ExperimentStatus, KeptRun, Timestamp},
};

use crate::{
    journal::{Header, private_file},
    report::RunStatus,
};

fn path(folder: &Path, uuid: &str) -> PathBuf {
    folder.join(format!("{uuid}{}", KeptRun::ENDING))
}

/// The run as it begins. `server` is the one that was asked for, if one was.
pub(crate) fn new(
    header: &Header,
    (project, server): (&str, Option<&str>),
    metadata: &BTreeMap<String, String>,
) -> KeptRun {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    KeptRun {
        uuid: header.uuid.clone(),
        name: header.experiment.clone(),
        run_name: header.run_name.clone(),
        project_name: project.to_owned(),
        server: server.map(str::to_owned),
        created_at: i64::try_from(since.as_micros()).ok().and_then(Timestamp::from_micros).unwrap_or_default(),
        metadata: metadata.clone(),
        ..KeptRun::default()
    }
}

/// Notes how the run ended, if its begin was noted.
pub(crate) fn ended(folder: &Path, uuid: &str, status: RunStatus, scores: &[EvaluationScore]) -> io::Result<()> {
    let text = match fs::read(path(folder, uuid)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        read => read?,
    };
    let run: KeptRun = serde_json::from_slice(&text)?;
    write(folder, &KeptRun { status: Some(wire(status)), dataset_level_stats: scores.to_vec(), ..run })
}

/// Notes the run in its file, which is whole at any moment: a server may be reading it.
pub(crate) fn write(folder: &Path, run: &KeptRun) -> io::Result<()> {
    let draft = folder.join(format!("{}.run.draft", run.uuid));
    private_file().write(true).create(true).truncate(true).open(&draft)?.write_all(&serde_json::to_vec(run)?)?;
    fs::rename(draft, path(folder, &run.uuid))
}

/// Forgets the run: a server has it now.
pub(crate) fn forget(folder: &Path, uuid: &str) {
    // One that stays is told again, which changes nothing.
    let _ = fs::remove_file(path(folder, uuid));
}

pub(crate) fn wire(status: RunStatus) -> ExperimentStatus {
    if status == RunStatus::Completed { ExperimentStatus::Completed } else { ExperimentStatus::Failed }
}

/// Tells the server of all runs that are kept for it. What it does not take stays for the next time; a note says so.
pub(crate) async fn tell(api: &ApiClient, folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let files = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let files = files.filter(|file| file.to_string_lossy().ends_with(KeptRun::ENDING));
    let mut notes = Vec::new();
    for file in files {
        let Some(run) = fs::read(&file).ok().and_then(|text| serde_json::from_slice::<KeptRun>(&text).ok()) else {
            continue;
        };
        if run.server.as_deref().is_some_and(|server| server != api.base_url()) {
            continue;
        }
        match api.keep_experiment(&run).await {
            Ok(_) if run.status.is_some() => forget(folder, &run.uuid),
            Ok(_) => {}
            Err(error) => {
                notes.push(format!("the earlier run {} could not be told to the server: {error}", run.run_name));
            }
        }
    }
    notes
}

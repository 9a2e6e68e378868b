//! Datasets and their rows.

use std::collections::BTreeMap;

use parea_types::{
    CreateTestCaseCollectionRequest, CreateTestCaseCollectionResponse, CreateTestCases, GetTestCaseCollectionResponse,
    GetTestCaseResponse, TestCase, Timestamp, UpdateTestCasePublicRequest,
};
use rusqlite::{Connection, OptionalExtension, Rows, params};

use super::{ingest::damaged, scope::Within, versions};
use crate::{DatasetKey, StoreError, row};

/// Makes a dataset. Its rows may leave columns out, but name no others.
pub(super) fn create(
    conn: &Connection,
    within: Within,
    request: &CreateTestCaseCollectionRequest,
) -> rusqlite::Result<Result<CreateTestCaseCollectionResponse, StoreError>> {
    let columns = &request.column_names;
    for (case, test_case) in request.test_cases.iter().enumerate() {
        if let Err(error) = unknown_column(columns, &test_case.inputs, Some(case)) {
            return Ok(Err(error));
        }
    }
    let now = now();
    let id = insert(conn, within, &request.name, columns, now)?;
    let test_case_ids = insert_cases(conn, id, columns, now, &request.test_cases)?;
    Ok(Ok(CreateTestCaseCollectionResponse { id, last_updated_at: now, test_case_ids }))
}

/// Adds rows, to a new dataset if there is none of that name. They must have the dataset's columns; those of one
/// that has none yet are the first row's.
pub(super) fn add(
    conn: &Connection,
    within: Within,
    request: &CreateTestCases,
) -> rusqlite::Result<Result<Vec<i64>, StoreError>> {
    let name = request.name.as_deref().unwrap_or_default();
    let key = request.id.map_or_else(|| DatasetKey::Name(name.to_owned()), DatasetKey::Id);
    // A name that only a dataset of all projects has is free in each.
    let known = find(conn, within, &key)?.filter(|known| known.may_change(within) || matches!(key, DatasetKey::Id(_)));
    if let Some(known) = &known
        && !known.may_change(within)
    {
        return Ok(Err(shared(known)));
    }
    let mut columns = match (&known, &key) {
        (Some(dataset), _) => dataset.columns()?,
        (None, DatasetKey::Id(id)) => return Ok(Err(StoreError::Unknown(format!("there is no dataset {id}")))),
        (None, DatasetKey::Name(_)) => Vec::new(),
    };
    let gets_columns = columns.is_empty();
    if gets_columns {
        columns = request.columns();
    }
    for (case, TestCase { inputs, .. }) in request.test_cases.iter().enumerate() {
        let missing = columns.iter().find(|column| !inputs.contains_key(*column));
        let fits = unknown_column(&columns, inputs, Some(case)).and_then(|()| match missing {
            None => Ok(()),
            Some(column) => {
                Err(StoreError::Columns { case: Some(case), reason: format!("the column `{column}` is missing") })
            }
        });
        if let Err(error) = fits {
            return Ok(Err(error));
        }
    }
    let now = now();
    let id =
        match known {
            None => insert(conn, within, name, &columns, now)?,
            Some(dataset) => {
                conn.prepare_cached("UPDATE dataset SET columns = ?2, updated = ?3 WHERE id = ?1")?
                    .execute(params![dataset.id, row::json(&columns), now.micros()])?;
                dataset.id
            }
        };
    insert_cases(conn, id, &columns, now, &request.test_cases).map(Ok)
}

/// Changes what is set of a row: columns that are named, the target, all tags.
pub(super) fn update(
    conn: &Connection,
    within: Within,
    dataset: i64,
    case: i64,
    change: &UpdateTestCasePublicRequest,
) -> rusqlite::Result<Result<(), StoreError>> {
    let unknown = |what: String| Ok(Err(StoreError::Unknown(format!("there is no {what}"))));
    let Some(stored) = find(conn, within, &DatasetKey::Id(dataset))? else {
        return unknown(format!("dataset {dataset}"));
    };
    if !stored.may_change(within) {
        return Ok(Err(shared(&stored)));
    }
    let before: Option<(String, Option<String>, String, i64)> = conn
        .prepare_cached("SELECT inputs, target, tags, since FROM test_case WHERE id = ?2 AND dataset = ?1")?
        .query_row([dataset, case], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .optional()?;
    let Some((inputs, target, tags, since)) = before else {
        return unknown(format!("test case {case} in dataset {dataset}"));
    };
    let columns = stored.columns()?;
    let mut changed: BTreeMap<String, String> = serde_json::from_str(&inputs).map_err(damaged)?;
    if let Some(new) = &change.inputs {
        if let Err(error) = unknown_column(&columns, new, None) {
            return Ok(Err(error));
        }
        changed.extend(new.clone());
    }
    let now = now();
    conn.prepare_cached("UPDATE dataset SET updated = ?2 WHERE id = ?1")?.execute([dataset, now.micros()])?;
    let new_inputs = row::json(&changed);
    let new_target = change.target.clone().or_else(|| target.clone());
    let new_tags = change.tags.as_ref().map_or_else(|| tags.clone(), row::json);
    if (&new_inputs, &new_target, &new_tags) == (&inputs, &target, &tags) {
        return Ok(Ok(()));
    }
    // The row keeps its id; what it was stays for the versions that had it.
    let version = versions::next(conn, dataset)? as i64;
    conn.prepare_cached(
        "INSERT INTO test_case_past (dataset, id, since, until, inputs, target, tags)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![dataset, case, since, version, inputs, target, tags])?;
    conn.prepare_cached("UPDATE test_case SET inputs = ?2, target = ?3, tags = ?4, since = ?5 WHERE id = ?1")?
        .execute(params![case, new_inputs, new_target, new_tags, version])?;
    let change = versions::Change {
        rows: 0,
        added: versions::weight(&new_inputs, new_target.as_deref(), &new_tags),
        removed: versions::weight(&inputs, target.as_deref(), &tags),
    };
    versions::note(conn, dataset, &columns, now, &change)?;
    Ok(Ok(()))
}

/// A dataset with all its rows.
pub(super) fn read(
    conn: &Connection,
    within: Within,
    key: &DatasetKey,
) -> rusqlite::Result<Option<GetTestCaseCollectionResponse>> {
    let Some(dataset) = find(conn, within, key)? else { return Ok(None) };
    let mut find =
        conn.prepare_cached("SELECT id, inputs, target, tags FROM test_case WHERE dataset = ?1 ORDER BY id")?;
    let test_cases = rows(find.query([dataset.id])?, dataset.id)?;
    Ok(Some(GetTestCaseCollectionResponse {
        id: dataset.id,
        column_names: dataset.columns()?,
        name: dataset.name,
        created_at: dataset.created,
        last_updated_at: dataset.updated,
        test_cases,
    }))
}

/// Rows of a dataset by their ids, out of columns `id, inputs, target, tags`.
pub(super) fn rows(mut found: Rows<'_>, dataset: i64) -> rusqlite::Result<BTreeMap<i64, GetTestCaseResponse>> {
    let mut test_cases = BTreeMap::new();
    while let Some(row) = found.next()? {
        let id = row.get(0)?;
        let test_case = TestCase {
            inputs: serde_json::from_str(row.get_ref(1)?.as_str()?).map_err(damaged)?,
            target: row.get(2)?,
            tags: serde_json::from_str(row.get_ref(3)?.as_str()?).map_err(damaged)?,
        };
        test_cases.insert(id, GetTestCaseResponse { test_case, id, test_case_collection_id: dataset });
    }
    Ok(test_cases)
}

pub(super) struct Dataset {
    pub(super) id: i64,
    /// `None` for one that all projects share.
    project: Option<i64>,
    pub(super) name: String,
    /// JSON.
    columns: String,
    pub(super) created: Timestamp,
    updated: Timestamp,
}

/// Why a dataset of all projects is not changed by one of them.
fn shared(dataset: &Dataset) -> StoreError {
    StoreError::Unknown(format!(
        "the dataset {} belongs to all projects: a key of one project may read it, not change it",
        dataset.id
    ))
}

impl Dataset {
    fn may_change(&self, within: Within) -> bool {
        within == Within::All || self.project.is_some_and(|project| within.has(project))
    }

    fn columns(&self) -> rusqlite::Result<Vec<String>> {
        serde_json::from_str(&self.columns).map_err(damaged)
    }
}

/// A further condition on datasets: those of the project, and those of all.
pub(super) fn seen(within: Within) -> String {
    match within {
        Within::All => String::new(),
        Within::Project(project) => format!(" AND ifnull(project, {project}) = {project}"),
        Within::Nothing => " AND project IS NULL".to_owned(),
    }
}

/// Of several with one name the newest, those of the project before those of all.
pub(super) fn find(conn: &Connection, within: Within, key: &DatasetKey) -> rusqlite::Result<Option<Dataset>> {
    const COLUMNS: &str = "SELECT id, name, columns, created, updated, project FROM dataset";
    let seen = seen(within);
    let read = |row: &rusqlite::Row<'_>| {
        let time = |column| row.get(column).map(|micros| Timestamp::from_micros(micros).unwrap_or_default());
        Ok(Dataset {
            id: row.get(0)?,
            project: row.get(5)?,
            name: row.get(1)?,
            columns: row.get(2)?,
            created: time(3)?,
            updated: time(4)?,
        })
    };
    match key {
        DatasetKey::Id(id) => conn.prepare_cached(&format!("{COLUMNS} WHERE id = ?1{seen}"))?.query_row([id], read),
        DatasetKey::Name(name) => {
            let first = if within == Within::All { "" } else { "project IS NULL, " };
            let sql = format!("{COLUMNS} WHERE name = ?1{seen} ORDER BY {first}id DESC LIMIT 1");
            conn.prepare_cached(&sql)?.query_row([name], read)
        }
    }
    .optional()
}

fn insert(conn: &Connection, within: Within, name: &str, columns: &[String], now: Timestamp) -> rusqlite::Result<i64> {
    let project = match within {
        Within::Project(project) => Some(project),
        Within::All | Within::Nothing => None,
    };
    conn.prepare_cached("INSERT INTO dataset (name, columns, created, updated, project) VALUES (?1, ?2, ?3, ?3, ?4)")?
        .execute(params![name, row::json(columns), now.micros(), project])?;
    Ok(conn.last_insert_rowid())
}

/// Adds rows, which makes a version.
fn insert_cases(
    conn: &Connection,
    dataset: i64,
    columns: &[String],
    now: Timestamp,
    cases: &[TestCase],
) -> rusqlite::Result<Vec<i64>> {
    let since = versions::next(conn, dataset)?;
    let mut change = versions::Change { rows: cases.len() as u64, ..versions::Change::default() };
    let mut insert = conn
        .prepare_cached("INSERT INTO test_case (dataset, inputs, target, tags, since) VALUES (?1, ?2, ?3, ?4, ?5)")?;
    let mut ids = Vec::with_capacity(cases.len());
    for case in cases {
        let (inputs, tags) = (row::json(&case.inputs), row::json(&case.tags));
        change.added = change.added.wrapping_add(versions::weight(&inputs, case.target.as_deref(), &tags));
        ids.push(insert.insert(params![dataset, inputs, case.target, tags, since as i64])?);
    }
    versions::note(conn, dataset, columns, now, &change)?;
    Ok(ids)
}

fn unknown_column(
    columns: &[String],
    inputs: &BTreeMap<String, String>,
    case: Option<usize>,
) -> Result<(), StoreError> {
    match inputs.keys().find(|key| !columns.contains(*key)) {
        None => Ok(()),
        Some(key) => {
            let reason = format!("`{key}` is no column of the dataset; it has {}", columns.join(", "));
            Err(StoreError::Columns { case, reason })
        }
    }
}

fn now() -> Timestamp {
    chrono::Utc::now().into()
}

//! Versions of datasets. A version is a number and a digest; its rows are those that came no later and had not changed yet.

use parea_types::{DatasetSummary, DatasetVersion, GetTestCaseCollectionResponse, Timestamp, VersionedDataset};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{datasets, ingest::damaged, scope::Within};
use crate::{DatasetKey, row};

/// FNV-1a of 128 bits: tells contents apart, defends against nothing.
fn hash(parts: &[&str]) -> u128 {
    let bytes = parts.iter().flat_map(|part| part.bytes().chain([0xff]));
    bytes.fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d, |hash, byte| {
        (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
    })
}

/// What a row adds to the digest. It is a sum, so that neither the order counts nor how the rows came to be.
pub(super) fn weight(inputs: &str, target: Option<&str>, tags: &str) -> u128 {
    // No target is another thing than an empty one.
    hash(&[inputs, target.map_or("0", |_| "1"), target.unwrap_or_default(), tags])
}

/// A change of a dataset.
#[derive(Debug, Default)]
pub(super) struct Change {
    pub(super) rows: u64,
    pub(super) added: u128,
    pub(super) removed: u128,
}

/// The newest version.
pub(super) fn newest(conn: &Connection, dataset: i64) -> rusqlite::Result<Option<DatasetVersion>> {
    conn.prepare_cached(
        "SELECT version, created, columns, rows, digest FROM dataset_version WHERE dataset = ?1
         ORDER BY version DESC LIMIT 1",
    )?
    .query_row([dataset], read)
    .optional()
}

/// The number that the next version of a dataset has.
pub(super) fn next(conn: &Connection, dataset: i64) -> rusqlite::Result<u64> {
    Ok(newest(conn, dataset)?.map_or(1, |newest| newest.version + 1))
}

/// Notes a version, unless nothing has changed.
pub(super) fn note(
    conn: &Connection,
    dataset: i64,
    columns: &[String],
    now: Timestamp,
    change: &Change,
) -> rusqlite::Result<()> {
    let before = newest(conn, dataset)?;
    let (version, rows, sum) = match &before {
        None => (1, 0, 0),
        Some(before) => (before.version + 1, before.rows, sum_of(&before.digest, &before.column_names)),
    };
    let sum = sum.wrapping_add(change.added).wrapping_sub(change.removed);
    let digest = digest_of(sum, columns);
    if before.is_some_and(|before| before.digest == digest && change.rows == 0) {
        return Ok(());
    }
    conn.prepare_cached(
        "INSERT INTO dataset_version (dataset, version, created, columns, rows, digest) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        dataset,
        version as i64,
        now.micros(),
        row::json(&columns),
        (rows + change.rows) as i64,
        digest
    ])?;
    Ok(())
}

fn columns_hash(columns: &[String]) -> u128 {
    let mut sorted: Vec<&str> = columns.iter().map(String::as_str).collect();
    sorted.sort_unstable();
    hash(&sorted)
}

fn digest_of(sum: u128, columns: &[String]) -> String {
    format!("{:032x}", sum.wrapping_add(columns_hash(columns)))
}

/// The rows' share of a digest.
fn sum_of(digest: &str, columns: &[String]) -> u128 {
    u128::from_str_radix(digest, 16).unwrap_or_default().wrapping_sub(columns_hash(columns))
}

fn read(row: &Row<'_>) -> rusqlite::Result<DatasetVersion> {
    let columns: String = row.get(2)?;
    Ok(DatasetVersion {
        version: row.get::<_, i64>(0)? as u64,
        created_at: Timestamp::from_micros(row.get(1)?).unwrap_or_default(),
        column_names: serde_json::from_str(&columns).map_err(damaged)?,
        rows: row.get::<_, i64>(3)? as u64,
        digest: row.get(4)?,
    })
}

/// All versions of a dataset, the newest first; `None` when there is no such dataset.
pub(super) fn list(
    conn: &Connection,
    within: Within,
    key: &DatasetKey,
) -> rusqlite::Result<Option<Vec<DatasetVersion>>> {
    let Some(dataset) = datasets::find(conn, within, key)? else { return Ok(None) };
    let mut find = conn.prepare_cached(
        "SELECT version, created, columns, rows, digest FROM dataset_version WHERE dataset = ?1 ORDER BY version DESC",
    )?;
    find.query_map([dataset.id], read)?.collect::<Result<_, _>>().map(Some)
}

/// Every dataset, by name; of several with one name the newest comes first, which is the one that the name means.
pub(super) fn all(conn: &Connection, within: Within) -> rusqlite::Result<Vec<DatasetSummary>> {
    let seen = datasets::seen(within);
    let sql = format!("SELECT id, name, created FROM dataset WHERE 1{seen} ORDER BY name, id DESC");
    let mut find = conn.prepare_cached(&sql)?;
    let found = find.query_map([], |row| {
        Ok(DatasetSummary {
            id: row.get(0)?,
            name: row.get(1)?,
            created_at: Timestamp::from_micros(row.get(2)?).unwrap_or_default(),
            newest: DatasetVersion::default(),
        })
    })?;
    let mut all: Vec<DatasetSummary> = found.collect::<Result<_, _>>()?;
    for dataset in &mut all {
        dataset.newest = newest(conn, dataset.id)?.unwrap_or_default();
    }
    Ok(all)
}

/// A dataset as it was in a version, or is.
pub(super) fn at(
    conn: &Connection,
    within: Within,
    key: &DatasetKey,
    version: Option<u64>,
) -> rusqlite::Result<Option<VersionedDataset>> {
    let Some(dataset) = datasets::find(conn, within, key)? else { return Ok(None) };
    let known = match version {
        None => newest(conn, dataset.id)?,
        Some(version) => conn
            .prepare_cached(
                "SELECT version, created, columns, rows, digest FROM dataset_version WHERE dataset = ?1 AND version = ?2",
            )?
            .query_row(params![dataset.id, i64::try_from(version).unwrap_or(i64::MAX)], read)
            .optional()?,
    };
    let Some(version) = known else { return Ok(None) };
    let mut find = conn.prepare_cached(
        "SELECT id, inputs, target, tags FROM test_case WHERE dataset = ?1 AND since <= ?2
         UNION ALL
         SELECT id, inputs, target, tags FROM test_case_past WHERE dataset = ?1 AND since <= ?2 AND until > ?2",
    )?;
    let test_cases = datasets::rows(find.query(params![dataset.id, version.version as i64])?, dataset.id)?;
    let dataset = GetTestCaseCollectionResponse {
        id: dataset.id,
        name: dataset.name,
        column_names: version.column_names.clone(),
        created_at: dataset.created,
        last_updated_at: version.created_at,
        test_cases,
    };
    Ok(Some(VersionedDataset { version, dataset }))
}

/// Gives the datasets of an older file their first version.
pub(super) fn fill(conn: &Connection) -> rusqlite::Result<()> {
    let mut find = conn.prepare("SELECT id, columns, updated FROM dataset")?;
    let known: Vec<(i64, String, i64)> =
        find.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect::<Result<_, _>>()?;
    for (dataset, columns, updated) in known {
        let columns: Vec<String> = serde_json::from_str(&columns).map_err(damaged)?;
        let mut change = Change::default();
        let mut find = conn.prepare("SELECT inputs, target, tags FROM test_case WHERE dataset = ?1")?;
        let mut rows = find.query([dataset])?;
        while let Some(row) = rows.next()? {
            let target: Option<String> = row.get(1)?;
            change.rows += 1;
            change.added = change.added.wrapping_add(weight(
                row.get_ref(0)?.as_str()?,
                target.as_deref(),
                row.get_ref(2)?.as_str()?,
            ));
        }
        note(conn, dataset, &columns, Timestamp::from_micros(updated).unwrap_or_default(), &change)?;
    }
    Ok(())
}

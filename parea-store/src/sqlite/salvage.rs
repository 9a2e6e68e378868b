//! Going on where a file is damaged.

use rusqlite::{Connection, ErrorCode, OptionalExtension};

/// Whether the error says that what the file holds is not what was written, rather than that it cannot be used now.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::Error;
    match error {
        Error::FromSqlConversionFailure(..)
        | Error::IntegralValueOutOfRange(..)
        | Error::InvalidColumnType(..)
        | Error::QueryReturnedNoRows
        // A table that is not there any more.
        | Error::SqlInputError { .. }
        | Error::Utf8Error(..) => true,
        // Our own functions, which are given what lies in the file, answer with a plain error.
        error => matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::Unknown)),
    }
}

/// What comes next in a table.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The row of this id.
    Row(i64),
    /// Rows up to this id cannot be reached.
    Gap(i64),
    /// Nothing.
    End,
}

/// What comes behind the row `after` of a table whose key is `column`, an integer. Where the table's tree is damaged it
/// looks how far that reaches.
pub(super) fn next(conn: &Connection, table: &str, column: &str, after: i64) -> rusqlite::Result<Next> {
    if after == i64::MAX {
        return Ok(Next::End);
    }
    let sql = format!("SELECT {column} FROM {table} NOT INDEXED WHERE {column} > ?1 ORDER BY {column} LIMIT 1");
    // A tree whose keys are out of order leads backwards.
    let forwards = |id: &i64, after: i64| if *id > after { Ok(()) } else { Err(rusqlite::Error::QueryReturnedNoRows) };
    let find = |after: i64| -> rusqlite::Result<Option<i64>> {
        let found = conn.prepare_cached(&sql)?.query_row([after], |row| row.get::<_, i64>(0)).optional()?;
        found.as_ref().map_or(Ok(()), |id| forwards(id, after)).map(|()| found)
    };
    match find(after) {
        Ok(Some(id)) => return Ok(Next::Row(id)),
        Ok(None) => return Ok(Next::End),
        Err(error) if is_damage(&error) => {}
        Err(error) => return Err(error),
    }
    // Ever farther, until something can be read, then back to where that begins.
    let (mut bad, mut step) = (after, 1_i64);
    let mut good = loop {
        let Some(there) = after.checked_add(step) else { return Ok(Next::Gap(i64::MAX)) };
        match find(there) {
            Ok(_) => break there,
            Err(error) if is_damage(&error) => bad = there,
            Err(error) => return Err(error),
        }
        let Some(farther) = step.checked_mul(2) else { return Ok(Next::Gap(i64::MAX)) };
        step = farther;
    };
    while good - bad > 1 {
        let middle = bad + (good - bad) / 2;
        match find(middle) {
            Ok(_) => good = middle,
            Err(error) if is_damage(&error) => bad = middle,
            Err(error) => return Err(error),
        }
    }
    Ok(Next::Gap(good))
}

//! Whatever a file went through, its unused parts are zeros afterwards, and all else is as it was.

use proptest::{collection::vec, prelude::*};
use rusqlite::{Connection, params};

use super::scrub::Pages;

/// What is done to a table with an index.
#[derive(Clone, Debug)]
enum Act {
    Put(u8, u16),
    Drop(u8),
    Shrink,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        // Lengths on both sides of what fits into a page.
        6 => (any::<u8>(), prop_oneof![0..60_u16, 400..1100_u16, 3000..9000_u16]).prop_map(|(key, length)| Act::Put(key, length)),
        3 => any::<u8>().prop_map(Act::Drop),
        1 => Just(Act::Shrink),
    ]
}

/// What a value repeats, which no other one has; each place has letters of its own, so that nothing else turns into it where
/// two values meet.
fn word(number: usize) -> String {
    let letter = |first: u8, digit: usize| char::from(first + (digit % 8) as u8);
    ['Q', letter(b'A', number / 64), letter(b'I', number / 8), letter(b'R', number)].into_iter().collect()
}

fn text(number: usize, length: u16) -> String {
    word(number).chars().cycle().take(usize::from(length)).collect()
}

fn contents(conn: &Connection) -> Vec<(i64, String, String)> {
    let mut all = conn.prepare("SELECT id, name, value FROM thing ORDER BY id").unwrap();
    all.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap().map(Result::unwrap).collect()
}

fn sound(conn: &Connection) -> String {
    conn.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap()
}

fn check(acts: &[Act], page_size: i64) -> Result<(), TestCaseError> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.db");
    let conn = Connection::open(&file).unwrap();
    // Neither matters here, and both take time.
    conn.pragma_update(None, "synchronous", "OFF").unwrap();
    conn.pragma_update_and_check(None, "journal_mode", "MEMORY", |_| Ok(())).unwrap();
    conn.pragma_update(None, "page_size", page_size).unwrap();
    conn.pragma_update(None, "auto_vacuum", "INCREMENTAL").unwrap();
    conn.execute_batch(
        "CREATE TABLE thing (id INTEGER PRIMARY KEY, name TEXT NOT NULL, value TEXT NOT NULL);
         CREATE INDEX by_name ON thing (name); CREATE INDEX by_value ON thing (value, name)",
    )
    .unwrap();
    for (number, act) in acts.iter().enumerate() {
        match act {
            Act::Put(key, length) => {
                let text = text(number, *length);
                let sql = "INSERT OR REPLACE INTO thing VALUES (?1, ?2, ?3)";
                conn.execute(sql, params![key, &text[..text.len().min(40)], text]).unwrap();
            }
            Act::Drop(key) => {
                conn.execute("DELETE FROM thing WHERE id BETWEEN ?1 AND ?1 + 20", [key]).unwrap();
            }
            Act::Shrink => {
                let mut vacuum = conn.prepare("PRAGMA incremental_vacuum(3)").unwrap();
                let mut rows = vacuum.query([]).unwrap();
                while rows.next().unwrap().is_some() {}
            }
        }
    }
    let before = contents(&conn);
    let mut pages = Pages::open(&file).unwrap();
    for page in 1..=pages.count() {
        pages.scrub(page).unwrap();
    }
    pages.sync().unwrap();
    // Another connection has no cache.
    let again = Connection::open(&file).unwrap();
    prop_assert_eq!(&contents(&again), &before);
    prop_assert_eq!(sound(&again), "ok");
    let bytes = std::fs::read(&file).unwrap();
    for number in 0..acts.len() {
        let word = word(number);
        let is_kept = before.iter().any(|(_, _, value)| value.contains(&word));
        let is_there = (0..4).any(|begin| {
            // Shorter ones come about by chance, with the numbers that stand beside values.
            let turned: String = word.chars().cycle().skip(begin).take(8).collect();
            memchr::memmem::find(&bytes, turned.as_bytes()).is_some()
        });
        prop_assert!(is_kept || !is_there, "{word} is there, and was to be gone");
    }
    // It goes on to be written.
    again.execute("INSERT OR REPLACE INTO thing VALUES (1, 'x', ?1)", [text(1, 5000)]).unwrap();
    again.execute("DELETE FROM thing WHERE id > 100", []).unwrap();
    prop_assert_eq!(sound(&again), "ok");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_left_of_what_went(acts in vec(act(), 1..120), bits in 9..14_u32) {
        check(&acts, 1 << bits)?;
    }
}

#[test]
fn what_is_damaged_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.db");
    let conn = Connection::open(&file).unwrap();
    conn.pragma_update(None, "auto_vacuum", "INCREMENTAL").unwrap();
    conn.execute_batch("CREATE TABLE thing (id INTEGER PRIMARY KEY, value TEXT); INSERT INTO thing VALUES (1, 'kept')")
        .unwrap();
    drop(conn);
    let mut bytes = std::fs::read(&file).unwrap();
    let page = memchr::memmem::find(&bytes, b"kept").unwrap() / 4096;
    // The one cell begins within its own pointer.
    bytes[page * 4096 + 8..page * 4096 + 10].copy_from_slice(&9_u16.to_be_bytes());
    std::fs::write(&file, &bytes).unwrap();
    let mut pages = Pages::open(&file).unwrap();
    let error = pages.scrub(page as u32 + 1).unwrap_err().to_string();
    assert!(error.contains(&format!("page {} of the database is damaged", page + 1)), "{error}");
    assert_eq!(std::fs::read(&file).unwrap(), bytes);
}

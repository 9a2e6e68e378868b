//! The directory beside a plain list of links, through tails, runs and merges; in a test these are small.

use proptest::{collection::vec, prelude::*};
use rusqlite::{Connection, params};

use super::{Directory, Slot, View, kind, linked};
use crate::sqlite::{functions, key::Key, open};

#[derive(Clone, Debug)]
enum Step {
    /// A log with these links.
    Log {
        own: u8,
        parent: u8,
        root: u8,
    },
    /// An older log gets others.
    Change {
        log: prop::sample::Index,
        parent: u8,
        root: u8,
    },
    /// Work in the background.
    Grow,
    /// The transaction is committed, or comes to nothing.
    Commit,
    Fail,
    /// The file is opened anew.
    Open,
}

fn step() -> impl Strategy<Value = Step> {
    let id = || 0..40_u8;
    prop_oneof![
        12 => (id(), id(), id()).prop_map(|(own, parent, root)| Step::Log { own, parent, root }),
        2 => (any::<prop::sample::Index>(), id(), id()).prop_map(|(log, parent, root)| Step::Change { log, parent, root }),
        12 => Just(Step::Grow),
        4 => Just(Step::Commit),
        1 => Just(Step::Fail),
        1 => Just(Step::Open),
    ]
}

/// UUIDs and other ids.
fn id(number: u8) -> String {
    if number.is_multiple_of(2) { format!("{number:08x}-0000-4000-8000-000000000000") } else { format!("id {number}") }
}

type Links = (i64, [u8; 3]);

/// Rows that are that to the id.
fn expected(logs: &[Links], wanted: u8, kinds: u8) -> Vec<i64> {
    let is = |[own, parent, root]: [u8; 3]| {
        (kinds == kind::OWN && own == wanted)
            || (kinds == kind::MEMBERS && root == wanted)
            || (kinds == kind::CHILDREN && parent == wanted && own != wanted)
    };
    logs.iter().filter(|(_, links)| is(*links)).map(|(log, _)| *log).collect()
}

/// All that is found, for each kind, by who writes and by who reads the file.
fn check(conn: &Connection, slot: &Slot, directory: &Directory, logs: &[Links]) {
    slot.set(Some(View::load(conn).unwrap().into()));
    for wanted in 0..40 {
        for (kinds, column) in [(kind::OWN, "trace_id"), (kind::MEMBERS, "root"), (kind::CHILDREN, "parent")] {
            let mut found = directory.find(conn, &id(wanted), kinds).unwrap();
            let right = expected(logs, wanted, kinds);
            found.retain(|log| right.contains(log));
            assert_eq!(found, right, "{column} {wanted}");
            let own = if kinds == kind::CHILDREN { "AND trace_id <> parent" } else { "" };
            let sql = format!("SELECT id FROM log WHERE id IN ({}) AND {column} = ?1 {own}", linked("?1", kinds));
            let mut read = conn.prepare_cached(&sql).unwrap();
            let rows = read.query_map([Key(id(wanted))], |row| row.get(0)).unwrap();
            assert_eq!(rows.collect::<Result<Vec<i64>, _>>().unwrap(), right, "{column} {wanted}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_log_is_found_by_its_ids(steps in vec(step(), 1..400)) {
        let folder = tempfile::tempdir().unwrap();
        let conn = open::writer(&folder.path().join("parea.db")).unwrap();
        let slot = Slot::default();
        functions::register(&conn, &slot).unwrap();
        let mut directory = Directory::load(&conn).unwrap();
        let (mut logs, mut committed): (Vec<Links>, Vec<Links>) = (Vec::new(), Vec::new());
        let mut arrivals = 0_u64;
        conn.execute_batch("BEGIN").unwrap();
        for step in steps.into_iter().chain([Step::Commit, Step::Open]) {
            match step {
                Step::Log { own, parent, root } => {
                    arrivals += 1;
                    let log = arrivals as i64;
                    let sql = "INSERT INTO log (id, project, trace_id, parent, root, root_said, started, execution_order,
                        input_tokens, output_tokens, total_tokens) VALUES (?1, 1, ?2, ?3, ?4, 1, 0, 0, 0, 0, 0)";
                    let [a, b, c] = [own, parent, root].map(|number| Key(id(number)));
                    conn.execute(sql, params![log, a, b, c]).unwrap();
                    conn.execute("UPDATE history SET arrivals = ?1", [arrivals]).unwrap();
                    directory.add(log, &id(own), &id(parent), &id(root));
                    logs.push((log, [own, parent, root]));
                }
                Step::Change { log, parent, root } if !logs.is_empty() => {
                    let (log, links) = log.get(&logs).to_owned();
                    let sql = "UPDATE log SET parent = ?2, root = ?3 WHERE id = ?1";
                    conn.execute(sql, params![log, Key(id(parent)), Key(id(root))]).unwrap();
                    directory.change(&conn, log, &id(links[0]), &id(parent), &id(root)).unwrap();
                    logs[log as usize - 1].1 = [links[0], parent, root];
                }
                Step::Change { .. } => {}
                Step::Grow => {
                    if directory.is_due(arrivals) {
                        directory.grow(&conn, arrivals).unwrap();
                    }
                }
                Step::Commit => {
                    conn.execute_batch("COMMIT; BEGIN").unwrap();
                    committed.clone_from(&logs);
                    check(&conn, &slot, &directory, &logs);
                }
                Step::Fail | Step::Open => {
                    conn.execute_batch("ROLLBACK; BEGIN").unwrap();
                    logs.clone_from(&committed);
                    arrivals = logs.len() as u64;
                    directory = Directory::load(&conn).unwrap();
                    check(&conn, &slot, &directory, &logs);
                }
            }
        }
        let mut rest = 0;
        while directory.is_due(arrivals) {
            directory.grow(&conn, arrivals).unwrap();
            rest += 1;
            prop_assert!(rest < 10_000, "there is an end to it");
        }
        check(&conn, &slot, &directory, &logs);
        let pages: i64 = conn
            .query_row("SELECT count(*) FROM directory WHERE id >> 24 NOT IN (SELECT id FROM directory_run WHERE state = 1)",
                [], |row| row.get(0)).unwrap();
        prop_assert_eq!(pages, 0, "nothing is left of what was merged");
        super::rebuild(&conn).unwrap();
        check(&conn, &slot, &Directory::load(&conn).unwrap(), &logs);
    }
}

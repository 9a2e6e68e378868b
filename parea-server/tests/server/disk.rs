//! Disks that are full or read-only, on real file systems of a few megabytes. Mounting takes root; where that is not
//! allowed these tests say so and pass, and `parea-store/tests/power` has the same below a file system of its own.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

use serde_json::json;

use crate::{
    client::{Client, log},
    crash::check,
    process::{Process, command},
};

/// A file system that is gone with this.
struct Mount {
    folder: tempfile::TempDir,
}

impl Mount {
    /// Of so many megabytes; `None` where mounting is not allowed.
    fn of(megabytes: u32) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let size = format!("size={megabytes}m");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path()).output();
        if mounted.as_ref().is_ok_and(|output| output.status.success()) {
            return Some(Self { folder });
        }
        println!("row: A mounted disk, full or read-only | – | skipped: mounting is not allowed here");
        None
    }

    fn remount(&self, option: &str) {
        let done = Command::new("mount").args(["-o", &format!("remount,{option}")]).arg(self.folder.path()).status();
        assert!(done.unwrap().success(), "{option}");
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.folder.path()).status();
    }
}

/// Posts until a post is refused; the ids of those that were not, and the refusal.
async fn until_refused(client: &Client, name: &str, acknowledged: &mut BTreeSet<String>) -> (u16, String) {
    let filler: Arc<str> = (0..20_000).map(|_| char::from(fastrand::u8(b'a'..=b'z'))).collect::<String>().into();
    for number in 0..10_000 {
        let id = format!("{name}-{number}");
        let mut log = log(&id);
        log["output"] = json!(&*filler);
        let (operation, body) = if number % 3 == 0 { ("/trace_logs", json!([log])) } else { ("/trace_log", log) };
        let (status, answer) = client.post(operation, &body).await;
        if status != 200 {
            return (status, answer["detail"].to_string());
        }
        acknowledged.insert(id);
    }
    panic!("the disk is never full");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_told_and_nothing_acknowledged_is_lost() {
    let Some(mount) = Mount::of(6) else { return };
    let server = Process::serve(mount.path());
    let client = server.client();
    let mut acknowledged = BTreeSet::new();
    for round in 0..3 {
        let (status, detail) = until_refused(&client, &format!("full-{round}"), &mut acknowledged).await;
        assert_eq!(status, 507, "{detail}");
        assert!(detail.contains("disk is full"), "{detail}");
        // Small ones may find room still, and reading works.
        assert_eq!(client.log(acknowledged.first().unwrap()).await["trace_id"], acknowledged.first().unwrap().as_str());
        for _ in 0..5 {
            let (status, answer) = client.post("/trace_log", &log("small")).await;
            assert!(status == 200 || status == 507, "{answer}");
        }
        // Room comes, and the server goes on by itself.
        mount.remount(&format!("size={}m", 6 + 8 * (round + 1)));
        let after = format!("after-{round}");
        assert_eq!(client.post("/trace_log", &log(&after)).await.0, 200);
        acknowledged.insert(after);
    }
    // And after a crash on a disk that is full.
    until_refused(&client, "last", &mut acknowledged).await;
    server.signal("KILL");
    server.wait();
    mount.remount("size=64m");
    let server = Process::serve(mount.path());
    check(mount.path(), &acknowledged);
    server.signal("TERM");
    assert!(server.wait().0.success());
    check(mount.path(), &acknowledged);
    println!("row: A mounted disk is full, with `kill -9` at the end | 4 | {} logs", acknowledged.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_only_disk_is_told_and_read() {
    let Some(mount) = Mount::of(16) else { return };
    let acknowledged: BTreeSet<String> = (0..100).map(|number| format!("log-{number}")).collect();
    let server = Process::serve(mount.path());
    for id in &acknowledged {
        assert_eq!(server.client().post("/trace_log", &log(id)).await.0, 200);
    }
    server.signal("KILL");
    server.wait();
    mount.remount("ro");
    let data = mount.path().to_str().unwrap();
    let output = command(&["serve", "--listen", "127.0.0.1:0", "--data", data]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(data) && said.contains("Read-only"), "{said}");
    mount.remount("rw");
    let server = Process::serve(mount.path());
    check(mount.path(), &acknowledged);
    drop(server);
    fs::read(mount.path().join("parea.db")).unwrap();
    println!("row: A mounted disk is read-only at the start, after `kill -9` | 1 | {} logs", acknowledged.len());
}

/// As in a container whose root is read-only: what SQLite cannot hold in memory goes into the folder too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_needs_no_place_to_write_but_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    // With mounts of its own, of which the folder alone can be written.
    let alone = |program: &Command| {
        let script = "mount --bind \"$0\" \"$0\" && mount -o remount,ro,bind / || exit 9
            for place in /tmp /var/tmp; do
                if mountpoint -q $place; then mount -o remount,ro,bind $place || exit 9; fi
            done
            cd / && exec \"$@\"";
        let mut alone = Command::new("unshare");
        alone.args(["--mount", "sh", "-c", script, data]).arg(program.get_program()).args(program.get_args());
        alone.env_remove("TMPDIR").env_remove("SQLITE_TMPDIR").stdout(Stdio::piped()).stderr(Stdio::piped());
        alone
    };
    if !alone(&Command::new("true")).output().is_ok_and(|output| output.status.success()) {
        println!("row: A server whose folder alone can be written | – | skipped: mounting is not allowed here");
        return;
    }
    let alone = alone(&command(&["serve", "--listen", "127.0.0.1:0", "--data", data]));
    let server = Process::started(alone, folder.path());
    let client = server.client();
    for round in 0..8 {
        let batch: Vec<_> = (0..1000)
            .map(|number| {
                let mut log = log(&format!("{round}-{number}"));
                log["output"] = (0..4000).map(|_| fastrand::alphanumeric()).collect::<String>().into();
                log
            })
            .collect();
        let (status, answer) = client.post("/trace_logs", &json!(batch)).await;
        assert_eq!((status, &answer["accepted"]), (200, &json!(1000)), "{answer}");
    }
    let erased = command(&["erase", "--data", data, "--trace", "0-0"]).output().unwrap();
    assert!(erased.status.success(), "{erased:?}");
    server.signal("TERM");
    assert!(server.wait().0.success());
    println!("row: A server whose folder alone can be written | 1 | 7999 logs");
}

//! Disks that are full or read-only, on real file systems of a few megabytes. Mounting takes root; where that is not
//! allowed these tests say so and pass, and `parea-store/tests/power` has the same below a file system of its own.

use std::{collections::BTreeSet, fs, path::Path, process::Command, sync::Arc};

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
        eprintln!("skipped: mounting is not allowed here: {mounted:?}");
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
}

//! The example that contributors look at the pages with, as they start it.

use std::{
    env,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use crate::http;

#[tokio::test]
async fn the_demo_serves_pages_full_of_traces() {
    // It lies beside this test, where `cargo test` has built it.
    let built = env::current_exe().unwrap().parent().unwrap().with_file_name("examples").join("demo");
    let demo = Command::new(built).stdout(Stdio::piped()).spawn();
    let mut demo = demo.expect("`cargo build -p parea-server --example demo` makes the example");
    let mut url = String::new();
    BufReader::new(demo.stdout.take().unwrap()).read_line(&mut url).unwrap();
    let page = async |path: &str| {
        let answer = http::client().get(format!("{}{path}", url.trim())).send().await.unwrap();
        answer.text().await.unwrap()
    };
    let (page, runs) = (page("").await, page("/experiments").await);
    demo.kill().unwrap();
    demo.wait().unwrap();
    assert!(page.contains("handle_ticket"), "{page}");
    assert!(runs.contains("nightly-eu"), "the run has its name: {runs}");
}

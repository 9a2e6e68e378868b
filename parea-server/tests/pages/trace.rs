//! One trace: its tree, whatever its shape, and its spans.

use parea_server::Config;
use serde_json::{Value, json};

use crate::site::Site;

fn span(id: &str, parent: &str, order: usize) -> Value {
    json!({
        "trace_id": id, "root_trace_id": "root", "parent_trace_id": parent, "trace_name": format!("name of {id}"),
        "start_timestamp": "2026-11-20 10:00:00", "latency": 0.1, "execution_order": order, "project_name": "p", "status": "success",
        "inputs": { "only": format!("payload of {id}") },
    })
}

#[tokio::test]
async fn a_page_holds_the_payload_of_the_selected_span_alone() {
    let site = Site::start().await;
    site.send(&[span("root", "root", 0), span("one", "root", 1), span("two", "one", 2)]).await;
    let page = site.page("/traces/root").await;
    assert!(page.html.contains("payload of root") && !page.html.contains("payload of one"));
    assert_eq!(page.links("role=\"treeitem\""), ["?span=root", "?span=one", "?span=two"]);
    let one = site.page("/traces/root?span=one").await;
    assert!(one.html.contains("payload of one") && !one.html.contains("payload of root"));
    assert_eq!(one.links("rel=\"next\""), ["?span=two"]);
    assert_eq!(one.links("rel=\"prev\""), ["?span=root"]);
    let pane = site.page("/traces/root?span=one&part=span").await;
    assert!(pane.html.contains("payload of one") && !pane.html.contains("<html"));
}

#[tokio::test]
async fn any_id_of_a_trace_leads_to_it_and_others_to_a_page_that_says_so() {
    let site = Site::start().await;
    site.send(&[span("root", "root", 0), span("one", "root", 1)]).await;
    assert!(site.page("/traces/one").await.html.contains("payload of one"));
    let missing = site.page("/traces/nothing").await;
    assert_eq!(missing.status, 404);
    assert!(missing.html.contains("No such trace") && missing.html.contains("nothing"));
    // A span that is not there is no reason to show nothing.
    assert!(site.page("/traces/root?span=nothing").await.html.contains("payload of root"));
}

#[tokio::test]
async fn orphans_are_shown_and_marked() {
    let site = Site::start().await;
    site.send(&[span("root", "root", 0), span("lost child", "never came", 2)]).await;
    let page = site.page("/traces/root?span=lost%20child").await;
    assert_eq!(page.links("role=\"treeitem\"").len(), 2);
    assert!(page.html.contains("no parent") && page.html.contains("never came"));
}

#[tokio::test]
async fn a_chain_of_5000_is_walked_in_parts() {
    let site = Site::start().await;
    let name = |n: usize| if n == 0 { "root".to_owned() } else { format!("s{n}") };
    let chain: Vec<Value> = (0..5_000).map(|n| span(&name(n), &name(n.saturating_sub(1)), n)).collect();
    site.send(&chain).await;
    let mut met = Vec::new();
    let mut path = Some("/traces/root".to_owned());
    while let Some(here) = path {
        let page = site.page(&here).await;
        assert!(page.html.len() < 2_000_000, "{} bytes", page.html.len());
        met.extend(page.links("role=\"treeitem\""));
        let later =
            page.html.split_once("\">Later</a>").map(|(before, _)| before.rsplit('"').next().unwrap().to_owned());
        path = later.map(|query| format!("/traces/root{query}"));
    }
    let expected: Vec<String> = (0..5_000).map(|n| format!("?span={}", name(n))).collect();
    assert_eq!(met, expected);
    assert!(site.page("/traces/root?span=s4999").await.html.contains("payload of s4999"));
}

#[tokio::test]
async fn a_vast_value_does_not_make_a_vast_page() {
    // Longer texts than a server keeps unless told.
    let site = Site::with(Config { text_limit: 4 << 20, ..Config::default() }).await;
    let mut log = span("root", "root", 0);
    log["output"] = "a line of text\n".repeat(200_000).into();
    log["inputs"] = json!({ "rows": vec![json!({ "a": 1 }); 100_000] });
    site.send(&[log]).await;
    let page = site.page("/traces/root").await;
    assert!(page.html.contains("Show all 3,000,000 characters"));
    assert!(page.html.len() < 4_000_000, "{} bytes", page.html.len());
}

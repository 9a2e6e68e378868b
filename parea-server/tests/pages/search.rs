//! The search: what it shows of what it found, and how one walks it.

use serde_json::{Value, json};

use crate::site::{Page, Site};

fn span(id: &str, root: &str, project: &str, fields: &Value) -> Value {
    let mut log = json!({
        "trace_id": id, "root_trace_id": root, "parent_trace_id": root, "trace_name": format!("span_{id}"),
        "project_name": project, "start_timestamp": "2026-11-20T10:00:00Z", "status": "success", "latency": 0.25,
    });
    log.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    log
}

/// The rows of the page, each as its markup.
fn rows(page: &Page) -> Vec<&str> {
    assert_eq!(page.status, 200);
    let found = page.html.split("<ol class=\"hits\">").nth(1).unwrap_or_default();
    found.split("<li").skip(1).map(|row| row.split("</li>").next().unwrap()).collect()
}

#[tokio::test]
async fn a_hit_is_shown_where_it_stands_and_leads_to_its_span() {
    let site = Site::start().await;
    site.send(&[
        span("root", "root", "p", &json!({ "trace_name": "handle_ticket", "output": "Nothing." })),
        span("tool", "root", "p", &json!({ "inputs": { "q": { "deep": ["A <script>Refund</script> & more"] } } })),
        span("late", "gone", "p", &json!({ "status": "error", "error": "no refund\n\n of order 42", "latency": 3.4 })),
        span("both", "both", "p", &json!({ "output": "the order", "metadata": { "plan": "refunds" } })),
    ])
    .await;

    let page = site.page("/search?q=REFUND").await;
    assert_eq!(page.links("class=\"row\""), ["/traces/gone?span=late", "/traces/root?span=tool"]);
    let found = rows(&page);
    assert!(found[0].starts_with(" class=\"error\""), "{}", found[0]);
    assert!(found[0].contains("no <mark>refund</mark> of order 42") && found[0].contains(">error<"), "{}", found[0]);
    assert!(found[0].contains("in an unnamed trace") && found[0].contains("3.40 s"), "{}", found[0]);
    assert!(found[1].contains(">input <b>q</b><") && found[1].contains("in <b>handle_ticket</b>"), "{}", found[1]);
    assert!(found[1].contains("A &lt;script&gt;<mark>Refund</mark>&lt;/script&gt; &amp; more"), "{}", found[1]);

    // Words in several places are shown in each.
    let both = site.page("/search?q=refund*+order").await;
    assert_eq!(both.links("class=\"row\""), ["/traces/both", "/traces/gone?span=late"]);
    let found = rows(&both);
    assert!(found[0].contains("the <mark>order</mark>") && found[0].contains("<mark>refunds</mark>"), "{}", found[0]);
    assert!(found[0].contains(">output<") && found[0].contains(">metadata <b>plan</b><"), "{}", found[0]);

    // A name is marked as such, beside what the span is about.
    let named = site.page("/search?q=ticket").await;
    assert!(rows(&named)[0].contains(">handle_<mark>ticket</mark></a>"), "{}", named.html);
    assert!(rows(&named)[0].contains("Nothing."), "{}", named.html);
}

#[tokio::test]
async fn a_walk_meets_every_hit_once_and_keeps_the_choice() {
    let site = Site::start().await;
    let mut logs = Vec::new();
    for serial in 0..70 {
        let fields = json!({ "output": "a needle", "status": if serial % 2 == 0 { "error" } else { "success" } });
        logs.push(span(&format!("a{serial}"), &format!("a{serial}"), "a b", &fields));
        logs.push(span(&format!("c{serial}"), &format!("c{serial}"), "c", &fields));
    }
    site.send(&logs).await;

    let mut met = Vec::new();
    let mut pages = Vec::new();
    let mut path = Some("/search?q=needle&project=a+b".to_owned());
    while let Some(here) = path {
        let page = site.page(&here).await;
        assert!(page.html.contains("<option value=\"a b\" selected>"), "{}", page.html);
        assert!(!page.html.contains("class=\"project\""), "one project needs no name");
        met.extend(page.links("class=\"row\""));
        path = page.links("rel=\"next\"").pop();
        pages.push(here);
        site.send(&[span(&format!("new{}", pages.len()), "new", "a b", &json!({ "output": "needle" }))]).await;
    }
    let expected: Vec<String> = (0..70).rev().map(|serial| format!("/traces/a{serial}")).collect();
    assert_eq!((met, pages.len()), (expected, 3));
    assert_eq!(site.page(&pages[2]).await.links("rel=\"prev\"")[0], pages[1]);

    let failed = site.page("/search?q=needle&project=a+b&status=error").await;
    assert!(failed.links("class=\"row\"").iter().all(|link| link.starts_with("/traces/a")));
    assert_eq!(failed.html.matches("<li class=\"error\">").count(), 30);
    assert_eq!(failed.links("aria-current").len(), 0);
    assert!(failed.links("").contains(&"/?project=a+b&status=error".to_owned()), "back to the traces");
    let mixed = site.page("/search?q=needle").await;
    assert!(rows(&mixed)[0].contains("needle") && mixed.html.contains("class=\"project\">c<"), "{}", mixed.html);
    // The list hands its choice on.
    let list = site.page("/?project=a+b&status=error").await.html;
    let form = list.split("action=\"/search\"").nth(1).unwrap().split("</form>").next().unwrap();
    assert!(form.contains("name=\"project\" value=\"a b\"") && form.contains("name=\"status\" value=\"error\""));
}

#[tokio::test]
async fn what_was_not_found_is_told_apart_from_what_cannot_be_looked_for() {
    let site = Site::start().await;
    site.send(&[span("one", "one", "p", &json!({ "output": "one" }))]).await;
    let told = async |path: &str| {
        let page = site.page(path).await;
        assert_eq!((page.status, page.links("class=\"row\"").len()), (200, 0), "{path}");
        page.html
    };
    for blank in ["/search", "/search?q=", "/search?q=+&project=p"] {
        assert!(told(blank).await.contains("<h1>Search spans</h1>"), "{blank}");
    }
    let wordless = told("/search?q=--").await;
    assert!(wordless.contains("the query has no word to look for") && wordless.contains("value=\"--\""), "{wordless}");
    assert!(told(&format!("/search?q={}", many())).await.contains("the query is too long"));
    let nothing = told("/search?q=two&project=p&status=success").await;
    assert!(nothing.contains("<h1>Nothing found</h1>"), "{nothing}");
    assert!(nothing.contains("href=\"/search?q=two&#38;project=p\"") && nothing.contains("href=\"/search?q=two\""));
    assert!(told("/search?q=one&project=unknown").await.contains("<h1>No such project</h1>"));
    assert!(told("/search?q=one&after=1").await.contains("<h1>The end of the search</h1>"));
}

fn many() -> String {
    (0..40).map(|serial| format!("word{serial}")).collect::<Vec<_>>().join("+")
}

#[tokio::test]
async fn a_search_that_has_read_its_share_says_how_far_it_came_and_goes_on() {
    let site = Site::start().await;
    // No log has both words, and no index can tell.
    let filler = "x ".repeat(500_000);
    site.send(&[span("hit", "hit", "p", &json!({ "output": "alpha beta" }))]).await;
    for serial in 0..30 {
        let word = ["alpha", "beta"][serial % 2];
        let id = format!("large{serial}");
        site.send(&[span(&id, &id, "p", &json!({ "output": format!("{word} {filler}") }))]).await;
    }
    let page = site.page("/search?q=alpha+beta").await;
    assert!(page.html.contains("<h1>Nothing found so far</h1>"), "{}", page.html);
    assert!(page.html.contains("Searched back to <time datetime=\"2026-11-20T10:00:00.000Z\""), "{}", page.html);
    let next = site.page(&page.links("rel=\"next\"")[0]).await;
    assert_eq!(next.links("class=\"row\""), ["/traces/hit"]);
    assert!(next.html.contains("Nothing older was found."), "{}", next.html);
}

//! The list of traces: what it shows, and how one walks it.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::site::Site;

fn root(serial: usize, second: usize, project: &str, status: &str) -> Value {
    let id = format!("trace-{serial:04}");
    json!({
        "trace_id": id, "root_trace_id": id, "trace_name": format!("call_{serial}"), "project_name": project,
        "start_timestamp": format!("2026-11-20T10:{:02}:{:02}Z", second / 60 % 60, second % 60), "status": status, "latency": 0.25,
    })
}

#[tokio::test]
async fn a_walk_meets_every_trace_once_while_new_ones_arrive() {
    let site = Site::start().await;
    // Many start in the same second, so that the id has to tell them apart.
    let logs: Vec<Value> = (0..230).map(|serial| root(serial, serial / 70, "walk", "success")).collect();
    site.send(&logs).await;

    let mut met = Vec::new();
    let mut pages = Vec::new();
    let mut path = Some("/?project=walk".to_owned());
    while let Some(here) = path {
        let page = site.page(&here).await;
        let rows = page.links("class=\"row\"");
        met.extend(rows.clone());
        pages.push((here, rows));
        site.send(&[root(1_000 + pages.len(), 600 + pages.len(), "walk", "success")]).await;
        path = page.links("rel=\"next\"").pop();
    }
    assert_eq!(met.len(), 230);
    assert_eq!(met.iter().collect::<HashSet<_>>().len(), 230);

    // Back over the same pages to what is newest by now.
    for pair in pages.windows(2).rev() {
        let back = site.page(&pair[1].0).await.links("rel=\"prev\"").pop().unwrap();
        let rows = site.page(&back).await.links("class=\"row\"");
        if pair[0].0.contains("after=") {
            assert_eq!(rows, pair[0].1);
        } else {
            assert!(rows[0].contains("trace-10"), "{rows:?}");
        }
    }
}

#[tokio::test]
async fn filters_live_in_the_url() {
    let site = Site::start().await;
    site.send(&[root(1, 1, "a b", "success"), root(2, 2, "a b", "error"), root(3, 3, "c", "error")]).await;
    let names = async |path: &str| {
        let page = site.page(path).await;
        assert_eq!(page.status, 200);
        page.links("class=\"row\"").iter().map(|link| link[link.len() - 1..].to_owned()).collect::<String>()
    };
    assert_eq!(names("/").await, "321");
    assert_eq!(names("/?project=a+b").await, "21");
    assert_eq!(names("/?project=a+b&status=error").await, "2");
    assert_eq!(names("/?project=&status=error&range=").await, "32");
    assert_eq!(names("/?project=unknown").await, "");
    assert!(site.page("/?project=a+b&status=error").await.html.contains("<option value=\"error\" selected>"));
}

#[tokio::test]
async fn a_failed_trace_says_why_in_place_of_an_output() {
    let site = Site::start().await;
    let mut failed = root(1, 1, "p", "error");
    failed["inputs"] = json!({ "question": "Why?" });
    failed["output"] = json!("half an ans");
    failed["error"] = json!("no route\n  to <host>: refused");
    // An error that its status does not speak of was got over.
    let mut mended = root(2, 2, "p", "success");
    mended["error"] = json!("first try");
    mended["output"] = json!("Because.");
    site.send(&[failed, mended]).await;
    let html = site.page("/?project=p").await.html;
    let cells: Vec<&str> =
        html.split("<td class=\"c-io\"><div>").skip(1).map(|rest| rest.split("</div>").next().unwrap()).collect();
    assert_eq!(
        cells,
        [
            "<span class=\"in\"></span><span class=\"arrow\" aria-label=\"to\">→</span><span class=\"out\">Because.</span>",
            "<span class=\"in\">Why?</span><span class=\"arrow\" aria-label=\"failed with\">→</span>\
         <span class=\"why\" title=\"no route to &#60;host&#62;: refused\">no route to &#60;host&#62;: refused</span>",
        ]
    );
}

#[tokio::test]
async fn what_clients_gave_up_is_told_where_their_project_is_chosen() {
    let site = Site::start().await;
    let told = async |path: &str| {
        let html = site.page(path).await.html;
        let line = html.split("<p class=\"losses").nth(1)?.split_once('>')?.1.split("</p>").next()?;
        Some(line.to_owned())
    };
    site.send(&[root(1, 1, "lossy", "success"), root(2, 2, "sound", "success")]).await;
    assert_eq!(told("/?project=lossy").await, None);
    site.lose("lossy", "too_large=1").await;
    assert_eq!(told("/?project=lossy").await.unwrap(), "1 log was given up by clients: too_large 1");
    site.lose("lossy", "queue_full=1199, <b>=2").await;
    assert_eq!(
        told("/?project=lossy&status=error").await.unwrap(),
        "1,202 logs were given up by clients: queue_full 1,199, &#60;b&#62; 2, too_large 1",
        "also where no trace matches"
    );
    // Clients choose their words, and a few of them are enough.
    site.lose("many", "a=9,b=8,c=7,d=6,e=5,f=4,g=3,h=2").await;
    assert_eq!(
        told("/?project=many").await.unwrap(),
        "44 logs were given up by clients: a 9, b 8, c 7, d 6, e 5, f 4, others 5"
    );
    for path in ["/", "/?project=sound", "/?project=unknown"] {
        assert_eq!(told(path).await, None, "{path}");
    }
}

#[tokio::test]
async fn a_trace_whose_root_has_not_come_is_shown_as_such() {
    let site = Site::start().await;
    let child = json!({
        "trace_id": "child", "root_trace_id": "root", "parent_trace_id": "root", "trace_name": "child_name",
        "start_timestamp": "2026-11-20 10:00:00", "project_name": "p",
    });
    site.send(&[child]).await;
    let list = site.page("/").await;
    assert!(list.html.contains("waiting for its root"));
    let trace = site.page(&list.links("class=\"row\"")[0]).await;
    assert!(trace.html.contains("waiting for its root") && trace.html.contains("child_name"));
    assert!(trace.html.contains("no parent"));
}

#[tokio::test]
async fn a_column_with_nothing_in_it_leaves_its_room_to_the_others() {
    let site = Site::start().await;
    site.send(&[root(1, 1, "bare", "success")]).await;
    let class = async |path: &str| {
        let html = site.page(path).await.html;
        html.split("<table class=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap().to_owned()
    };
    assert_eq!(class("/?project=bare").await, "traces no-scores no-tags no-who no-tokens no-cost");
    let mut full = root(2, 2, "full", "success");
    for (name, value) in [
        ("scores", json!([{ "name": "a", "score": 1 }])),
        ("tags", json!(["t"])),
        ("session_id", json!("s")),
        ("total_tokens", json!(3)),
        ("cost", json!(0.1)),
    ] {
        full[name] = value;
    }
    site.send(&[full]).await;
    for all in ["/", "/?project=full"] {
        assert_eq!(class(all).await.trim(), "traces");
    }
}

#[tokio::test]
async fn a_wrong_address_is_a_page_to_a_browser_and_json_to_programs() {
    let site = Site::start().await;
    let page = site.page("/tracse").await;
    assert_eq!(page.status, 404);
    assert!(page.html.contains("No such page") && page.html.contains("/tracse"));
    let answer = crate::http::client().get(format!("{}/tracse", site.url())).send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), answer.headers()["content-type"].to_str().unwrap()),
        (404, "application/json")
    );
}

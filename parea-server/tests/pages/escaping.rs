//! Whatever a log holds is text on a page, never markup.

use serde_json::json;

use crate::site::Site;

const HOSTILE: [&str; 4] = [
    "<script>alert(1)</script>",
    "\" onmouseover=\"alert(1)\" x='y' onfocus='alert(2)",
    "javascript:alert(1)//</title></textarea><img src=x onerror=alert(1)>",
    "&lt;b&gt; </span></div><svg/onload=alert(1)> \u{202e}\0",
];

#[tokio::test]
async fn hostile_text_in_any_field_stays_text() {
    for hostile in HOSTILE {
        let site = Site::start().await;
        let root = format!("root {hostile}");
        let text = hostile.to_owned();
        let log = |id: &str, parent: &str| {
            json!({
                "trace_id": id, "root_trace_id": root, "parent_trace_id": parent, "trace_name": text, "project_name": text,
                "start_timestamp": "2026-11-20T10:00:00Z", "latency": 0.5, "status": "error", "error": text,
                "inputs": { text.clone(): text, "nested": { text.clone(): [text, 1, null] } }, "output": text, "target": text,
                "scores": [{ "name": text, "score": 0.5, "reason": text }], "tags": [text, text, text, text],
                "metadata": { text.clone(): text, "json": { text.clone(): text } }, "session_id": text,
                "end_user_identifier": text, "deployment_id": text, "experiment_uuid": text,
                "images": [{ "url": text, "caption": text }, { "url": format!("data:image/png,{text}"), "caption": text }],
                "configuration": {
                    "model": text, "provider": text, "model_params": { "response_format": { "type": text } },
                    "functions": [{ "name": text }], "function_call": text,
                    "messages": [
                        { "role": text, "content": text },
                        { "role": "user", "content": [{ "type": "text", "text": text }, { "type": "image_url", "image_url": { "url": text } }] },
                    ],
                },
            })
        };
        let orphan = format!("orphan {hostile}");
        site.send(&[log(&root, &root), log(&orphan, &format!("lost {hostile}"))]).await;

        let list = site.page("/").await;
        let link = list.links("class=\"row\"").pop().unwrap();
        let trace = site.page(&link).await;
        assert_eq!((list.status, trace.status), (200, 200));
        assert!(!trace.html.contains(hostile), "unescaped: {hostile}");
        for span in trace.links("role=\"treeitem\"") {
            let pane = site.page(&format!("{link}{span}&part=span")).await;
            assert_eq!(pane.status, 200);
            assert!(pane.html.matches("alert(1)").count() > 10, "{}", pane.html);
        }
        let found = site.page("/search?q=alert*+1").await;
        assert_eq!(found.links("class=\"row\"").len(), 2);
        assert!(!found.html.contains(hostile), "unescaped: {hostile}");
        assert!(found.html.contains("<mark>alert</mark>(<mark>1</mark>)"), "{}", found.html);
        let encoded: String = form_urlencoded::byte_serialize(hostile.as_bytes()).collect();
        assert_eq!(site.page(&format!("/traces/{}", encoded.replace('+', "%20"))).await.status, 404);
        assert_eq!(
            site.page(&format!("/?project={encoded}&status={encoded}&range={encoded}&after={encoded}")).await.status,
            200
        );
        let search = format!("/search?q={encoded}&project={encoded}&status={encoded}&range={encoded}&after={encoded}");
        assert_eq!(site.page(&search).await.status, 200);
    }
}

#[tokio::test]
async fn every_page_of_the_demo_is_safe_and_its_assets_are_kept() {
    let site = Site::start().await;
    let empty = site.page("/").await;
    assert!(empty.html.contains("#[parea::trace]"));
    assert!(empty.html.contains(&format!("{}/api/parea/v1", site.url())), "{}", empty.html);

    site.send(&crate::demo::logs(chrono::Utc::now().into())).await;
    let list = site.page("/").await;
    let traces = list.links("class=\"row\"");
    assert_eq!(traces.len(), 50);
    for trace in traces.into_iter().take(12) {
        assert_eq!(site.page(&trace).await.status, 200);
    }
    for asset in list.html.split('"').filter(|text| text.starts_with("/assets/")) {
        let answer = site.get(asset).await;
        assert_eq!(answer.status(), 200);
        assert!(answer.headers()["cache-control"].to_str().unwrap().contains("immutable"));
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
    }
    assert_eq!(site.get("/assets/parea-0000000000000000.css").await.status(), 404);
}

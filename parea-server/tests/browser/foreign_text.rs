//! What logs hold is foreign text, and stays text.

use serde_json::{Value, json};

use crate::{
    page::Page,
    site::{self, Site},
};

/// Runs in whatever place it is put unescaped: in text, in an attribute, in a script.
const HOSTILE: &str = "'\"><script>window.ran=1</script><img src=x onerror=\"window.ran=2\">{{7*7}}</td></dl>&lt;";

/// One trace with that in every field that takes text.
fn hostile() -> Vec<Value> {
    let fields = json!({
        "project_name": HOSTILE, "latency": 1.0, "status": "error", "error": HOSTILE, "target": HOSTILE,
        "inputs": { HOSTILE: HOSTILE, "nested": { HOSTILE: [HOSTILE] } }, "output": HOSTILE,
        "tags": [HOSTILE, "b", "c", HOSTILE], "session_id": HOSTILE, "end_user_identifier": HOSTILE,
        "deployment_id": HOSTILE, "experiment_uuid": HOSTILE, "metadata": { HOSTILE: HOSTILE },
        "scores": [
            { "name": HOSTILE, "score": 0.5, "reason": HOSTILE }, { "name": "b", "score": 1 }, { "name": "c", "score": 1 },
            { "name": HOSTILE, "score": 0.5, "reason": HOSTILE },
        ],
        "images": [{ "url": "javascript:window.ran=3", "caption": HOSTILE }, { "url": HOSTILE, "caption": HOSTILE }],
        "configuration": {
            "model": HOSTILE, "provider": HOSTILE, "functions": [{ "name": HOSTILE }],
            "messages": [{ "role": "user", "content": HOSTILE }, { "role": HOSTILE, "content": HOSTILE }],
        },
    });
    vec![site::root(HOSTILE, HOSTILE, 5.0, fields)]
}

/// That what is on the page is ours alone, and that the text is there to be read.
fn assert_harmless(page: &mut Page) {
    page.drawn();
    assert_eq!(page.eval("window.ran ?? null"), Value::Null);
    assert_eq!(page.texts("[...document.scripts].map(script => new URL(script.src).origin)"), [page_origin(page)]);
    assert_eq!(
        page.eval("document.querySelectorAll('img, iframe, object, embed, base, [onerror], [onclick]').length"),
        0
    );
    let protocols = "[...new Set([...document.querySelectorAll('[href]')].map(link => new URL(link.getAttribute('href'), location).protocol))]";
    assert_eq!(page.texts(protocols), ["http:"]);
    assert!(page.text("document.title").contains("<script>"), "the name is in the title as it is");
    assert!(page.text("document.body.textContent").contains(HOSTILE));
    page.assert_quiet();
}

fn page_origin(page: &mut Page) -> String {
    page.text("location.origin")
}

#[test]
fn text_that_looks_like_markup_is_shown_and_does_nothing() {
    let site = Site::with(&hostile());
    let mut page = Page::at(site.url(), "/");
    page.choose("document.querySelector('select[name=project]')", HOSTILE);
    page.until("location.search.startsWith('?project=') && document.readyState === 'complete'");
    assert_harmless(&mut page);
    page.click("document.querySelector('a.row')");
    page.until("location.pathname.startsWith('/traces/') && document.readyState === 'complete'");
    assert_harmless(&mut page);
    assert_eq!(page.text("document.querySelector('h1').textContent"), HOSTILE);
    for field in ["Error", "Scores", "Messages", "Inputs", "Output", "Target", "Images", "Metadata"] {
        let field = format!(
            "[...document.querySelectorAll('#span .field')].find(field => field.querySelector('h3')?.textContent === '{field}')"
        );
        assert!(page.text(&format!("{field}.textContent")).contains(HOSTILE), "{field}");
    }
    // The pane that a click brings is put into the page by script.
    page.eval("document.querySelector('#span > *').outdated = true");
    page.click("document.querySelector('[role=treeitem]')");
    page.until("location.search.startsWith('?span=') && !document.querySelector('#span > *').outdated");
    assert_harmless(&mut page);
}

#[test]
fn even_text_that_escaped_its_escaping_could_not_run() {
    let site = Site::with(&hostile());
    let mut page = Page::at(site.url(), "/");
    page.assert_quiet();
    page.eval(&format!("document.body.insertAdjacentHTML('beforeend', {})", Value::from(HOSTILE)));
    page.eval(
        "document.body.append(Object.assign(document.createElement('script'), { textContent: 'window.ran=4' })), 0",
    );
    // The image fails to load, and its handler is refused: were a violation not seen here, none would be elsewhere.
    page.until("document.querySelector('img')?.complete");
    page.drawn();
    let problems = page.problems();
    assert!(problems.iter().any(|problem| problem.contains("Content Security Policy")), "{problems:#?}");
    assert_eq!(page.eval("window.ran ?? null"), Value::Null);
}

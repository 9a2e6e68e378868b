//! Both pages on a phone and on a desk, by day and by night.

use crate::{
    page::Page,
    site::{self, Site},
};

/// The least contrast that WCAG (level AA) asks of text.
const READABLE: f64 = 4.5;

/// The texts that are hard to read, each as `contrast text (colour on colour)`.
const HARD_TO_READ: &str = include_str!("contrast.js");

/// The colour behind everything.
const GROUND: &str = "getComputedStyle(document.documentElement).backgroundColor";

#[test]
fn nothing_is_wider_than_a_phone_and_everything_can_be_read_by_day_and_by_night() {
    let mut logs = site::answer(5.0);
    let unbroken = "unbroken".repeat(80);
    let fields = serde_json::json!({
        "latency": 1.0, "inputs": { &*unbroken: unbroken }, "output": unbroken, "tags": [unbroken],
        "scores": [{ "name": unbroken, "score": 1.0 }], "session_id": unbroken, "status": "error", "error": unbroken,
    });
    logs.push(site::root("wide", &unbroken, 9.0, fields));
    logs.extend(site::rows("first", 36, ""));
    logs.extend(site::rows("second", 16, ""));
    let site = Site::with(&logs);
    site.run("first", "Answers", "old");
    site.run("second", "Answers", "new");
    let mut page = Page::new(site.url());
    let traces =
        ["/", "/traces/answer", "/traces/answer?span=answer-2", "/traces/answer?span=answer-3", "/traces/wide"];
    let runs = ["/experiments", "/experiments/first", "/compare?baseline=first&candidate=second"];
    let searches =
        ["/search?q=unbroken*", "/search?q=file", "/search?q=question+says", "/search?q=--", "/search?q=absent"];
    for path in traces.into_iter().chain(searches).chain(runs).chain(["/api/docs"]) {
        let mut grounds = Vec::new();
        for scheme in ["light", "dark"] {
            page.prefer(scheme);
            for (width, height) in [(1440, 900), (400, 800)] {
                page.resize(width, height);
                page.open(path);
                let widths = page.eval("[document.documentElement.scrollWidth, document.documentElement.clientWidth]");
                let [content, window]: [u32; 2] = serde_json::from_value(widths).unwrap();
                assert!(content <= window, "{path} is {content} px wide in a window of {window}");
                let hard = page.texts(&format!("({HARD_TO_READ})({READABLE})"));
                assert!(hard.is_empty(), "{path}, {scheme}, {width} px: {hard:#?}");
            }
            grounds.push(page.text(GROUND));
        }
        assert_ne!(grounds[0], grounds[1], "{path} is the same by day and by night");
    }
    page.assert_quiet();
}

#[test]
fn the_colours_can_be_chosen_against_the_system_and_the_choice_lasts() {
    let site = Site::with(&site::answer(5.0));
    let mut page = Page::new(site.url());
    page.prefer("dark");
    page.open("/");
    let night = page.text(GROUND);
    page.prefer("light");
    page.open("/");
    let day = page.text(GROUND);
    let shows = |page: &mut Page, ground: &str| page.until(&format!("{GROUND} === '{ground}'"));
    let theme = "document.getElementById('theme')";

    page.click(theme);
    shows(&mut page, &night);
    page.open("/traces/answer");
    assert_eq!(page.text(GROUND), night);
    page.click(theme);
    shows(&mut page, &day);
    page.prefer("dark");
    page.open("/");
    assert_eq!(page.text(GROUND), day, "day was chosen");
    // Back to what the system says, which the choice had hidden.
    page.until(&format!("{theme}.click(), {GROUND} === '{night}'"));
    page.assert_quiet();
}

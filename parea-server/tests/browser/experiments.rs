//! Runs of experiments: the list, one run, and two of them compared.

use crate::{
    page::Page,
    site::{self, Site},
};

fn site(hostile: &str) -> Site {
    let mut logs = site::rows("first", 36, hostile);
    logs.extend(site::rows("second", 16, hostile));
    let site = Site::with(&logs);
    site.run("first", "Answers", "old");
    site.run("second", "Answers", "new");
    site
}

const CELLS: &str =
    "[...document.querySelectorAll('ROWS')].map(tr => [...tr.cells].map(td => td.innerText.trim()).join(' | '))";

fn cells(page: &mut Page, rows: &str) -> Vec<String> {
    page.texts(&CELLS.replace("ROWS", rows))
}

#[test]
fn from_the_list_to_a_run_its_rows_and_what_is_worse() {
    let site = site("");
    let mut page = Page::at(site.url(), "/");
    page.click("document.querySelector('.places a[href=\"/experiments\"]')");
    page.settle("/experiments");
    let runs = cells(&mut page, "table.runs tbody tr");
    assert_eq!(runs.len(), 2);
    for shown in
        ["Answers | new | completed | 40 | ", "near", "right 0.4", "balanced_acc 0.75", " | 20 | $0.0010 | compare"]
    {
        assert!(runs[0].contains(shown), "{shown} is not in {runs:?}");
    }
    assert!(runs[1].contains("right 0.9") && !runs[1].contains("compare"), "{runs:?}");

    page.click("document.querySelectorAll('table.runs a.strong')[1]");
    page.settle("/experiments/first");
    assert_eq!(page.text("document.querySelector('h1').textContent"), "old");
    let scores = cells(&mut page, "#scores tbody tr");
    // Wilson's interval of 36 in 40.
    assert_eq!(scores[1], "right | 0.9 | 0.769 to 0.96 |  | 40 | Whether it is right.");
    assert_eq!(scores[2], "balanced_acc | 0.75 | whole run |  |  | ");
    let facts =
        page.text("document.querySelector('header .facts').innerText").split_whitespace().collect::<Vec<_>>().join(" ");
    for fact in ["rows 40", "latency p50 440 ms", "p95 611 ms", "tokens 800", "cost $0.040", "failed 1"] {
        assert!(facts.contains(fact), "{fact} is not in {facts:?}");
    }
    assert_eq!(cells(&mut page, "#rows-of-run tbody tr").len(), 40);
    page.click("document.querySelectorAll('.tabs a')[1]");
    page.settle("/experiments/first?show=failed");
    let failed = cells(&mut page, "#rows-of-run tbody tr");
    assert!(failed.len() == 1 && failed[0].starts_with("question 39 | no answer | target 39 | failed"), "{failed:?}");
    page.click("document.querySelector('#rows-of-run a')");
    page.settle("/traces/first-39");
    page.travel(-1);
    page.settle("/experiments/first?show=failed");

    // Compared with the other run of the experiment, the first one being the candidate.
    page.click("document.querySelector('form.filters button')");
    page.settle("/compare?baseline=second&candidate=first");
    let differences = cells(&mut page, "#differences tbody tr");
    assert!(
        differences[1].starts_with("right | 0.4 | 0.9 | +0.5 | ") && differences[1].ends_with("| 40 | better"),
        "{differences:?}"
    );
    page.click("document.querySelector('header p a')");
    page.settle("/compare?baseline=first&candidate=second");
    let differences = cells(&mut page, "#differences tbody tr");
    assert!(
        differences[1].starts_with("right | 0.9 | 0.4 | −0.5 | ") && differences[1].ends_with("| 40 | worse"),
        "{differences:?}"
    );
    let changes = cells(&mut page, "#score-2 table tbody tr");
    assert_eq!(changes.len(), 20);
    assert_eq!(changes[0], "question=question 16 | 1 → 0 | first says 16 | second says 16");
    page.click("document.querySelectorAll('#score-2 table a')[1]");
    page.settle("/traces/second-16");

    page.assert_quiet();

    let mut page = Page::at(site.url(), "/experiments/none");
    assert_eq!(page.text("document.querySelector('h1').textContent"), "No such run");
}

#[test]
fn foreign_text_stays_text_and_fits_a_phone() {
    let hostile = format!("<img src=x onerror=alert(1)> & {}", "unbroken".repeat(60));
    let site = site(&hostile);
    let mut page = Page::new(site.url());
    page.resize(400, 800);
    for path in ["/experiments", "/experiments/first", "/compare?baseline=first&candidate=second"] {
        page.open(path);
        assert_eq!(page.eval("document.querySelectorAll('main img').length"), 0, "{path}");
        let widths = page.eval("[document.documentElement.scrollWidth, document.documentElement.clientWidth]");
        let [content, window]: [u32; 2] = serde_json::from_value(widths).unwrap();
        assert!(content <= window, "{path} is {content} px wide in a window of {window}");
    }
    page.open("/experiments/first");
    assert!(page.text("document.querySelector('#rows-of-run a').innerText").contains("<img src=x onerror=alert(1)> &"));
    page.assert_quiet();
}

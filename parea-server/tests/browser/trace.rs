//! One trace: its tree, its waterfall, and the span that was clicked.

use crate::{
    page::Page,
    site::{self, Site},
};

/// The row of the span of that name.
fn row(name: &str) -> String {
    format!(
        "[...document.querySelectorAll('[role=treeitem]')].find(row => row.querySelector('.n').textContent === '{name}')"
    )
}

/// Waits until the pane shows the span of that name, and reads it.
fn pane(page: &mut Page, name: &str) -> String {
    page.until(&format!("document.querySelector('#span h2')?.textContent.includes('{name}')"));
    page.text("document.getElementById('span').innerText")
}

fn assert_shows(pane: &str, texts: &[&str]) {
    for text in texts {
        assert!(pane.contains(text), "no {text:?} in:\n{pane}");
    }
}

#[test]
fn a_trace_opens_from_the_list_and_shows_every_span_in_tree_and_waterfall() {
    let site = Site::with(&site::answer(5.0));
    let mut page = Page::at(site.url(), "/");
    page.click("document.querySelector('a.row')");
    page.settle("/traces/answer");
    assert_eq!(page.text("document.querySelector('h1').textContent"), "answer_question");

    let rows = "[...document.querySelectorAll('[role=treeitem]')]";
    assert_eq!(
        page.texts(&format!("{rows}.map(row => row.ariaLevel + ' ' + row.querySelector('.n').textContent)")),
        ["1 answer_question", "2 retrieve", "3 read_file", "2 llm"]
    );
    assert_eq!(
        page.texts(&format!("{rows}.map(row => row.querySelector('.d').textContent)")),
        ["2.50 s", "500 ms", "250 ms", "2.00 s"]
    );
    // Each bar lies within its parent's and is as long as its span took, to the pixel.
    let bars: Vec<[f64; 2]> = serde_json::from_value(page.eval(&format!(
        "{rows}.map(row => row.querySelector('svg.b rect').getBoundingClientRect()).map(box => [box.left, box.right])"
    )))
    .unwrap();
    let [root, retrieve, read_file, llm] = bars[..] else { panic!("{bars:?}") };
    let second = (root[1] - root[0]) / 2.5;
    assert!(second > 40.0, "the waterfall has {second} px a second");
    for ((bar, name), (from, to)) in [(retrieve, "retrieve"), (read_file, "read_file"), (llm, "llm")].into_iter().zip([
        (0.0, 0.5),
        (0.1, 0.35),
        (0.5, 2.5),
    ]) {
        for (edge, at) in bar.into_iter().zip([from, to]) {
            let expected = root[0] + at * second;
            assert!((edge - expected).abs() < 2.0, "{name} {bar:?} of {root:?}");
        }
    }
    page.assert_quiet();
}

#[test]
fn a_click_on_a_span_shows_it_and_the_address_and_the_back_button_follow() {
    let site = Site::with(&site::answer(5.0));
    let mut page = Page::at(site.url(), "/traces/answer");
    let whole = pane(&mut page, "answer_question");
    assert_shows(
        &whole,
        &["question", "Why is the sky blue?", "depth", "3", "Because air scatters", "Rayleigh scattering"],
    );
    assert_shows(
        &whole,
        &["relevance", "0.875", "names the cause", "region", "eu-west", "seats", "12", "ada", "session-7"],
    );

    page.eval("window.untouched = true");
    page.click(&row("read_file"));
    assert_shows(
        &pane(&mut page, "read_file"),
        &["error", "air.md: no such file", "Caused by: entity not found", "path"],
    );
    assert_eq!(page.address(), "/traces/answer?span=answer-2");
    page.click(&row("llm"));
    let llm = pane(&mut page, "llm");
    assert_shows(&llm, &["gpt-4o-mini", "openai", "1,200", "34", "$0.0042", "temperature", "0.25"]);
    assert_shows(&llm, &["system", "Answer in one sentence.", "user", "Why is the sky blue?", "Because air scatters"]);
    assert_eq!(page.address(), "/traces/answer?span=answer-3");
    let selected =
        "[...document.querySelectorAll('[aria-selected=true]')].map(row => row.querySelector('.n').textContent)";
    assert_eq!(page.texts(selected), ["llm"]);

    page.press("k");
    pane(&mut page, "read_file");
    page.travel(-1);
    pane(&mut page, "llm");
    page.travel(-1);
    pane(&mut page, "read_file");
    page.travel(-1);
    pane(&mut page, "answer_question");
    assert_eq!(page.address(), "/traces/answer");
    page.travel(1);
    pane(&mut page, "read_file");
    assert_eq!(page.texts(selected), ["read_file"]);
    assert_eq!(page.eval("window.untouched"), true, "the page was loaded anew");

    // The address is enough to see the same again, and the pane alone was never what stood in it.
    page.reload();
    assert_eq!(page.address(), "/traces/answer?span=answer-2");
    pane(&mut page, "read_file");
    assert_eq!(page.texts(selected), ["read_file"]);
    page.assert_quiet();
}

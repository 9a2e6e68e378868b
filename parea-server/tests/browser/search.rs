//! The search: from a key press to the span that has the words.

use serde_json::Value;

use crate::{
    page::Page,
    site::{self, Site},
};

/// The marked words on the page, each with the place in which it stands.
const MARKS: &str = "[...document.querySelectorAll('.hits mark')].map(mark => \
    `${mark.closest('p')?.querySelector('.place').innerText ?? 'name'}: ${mark.textContent}`)";

#[test]
fn a_slash_and_a_word_lead_to_the_span_that_has_it() {
    let site = Site::with(&site::answer(5.0));
    let mut page = Page::at(site.url(), "/?project=support");
    page.press("/");
    page.until("document.activeElement.name === 'q'");
    for key in ["f", "i", "l", "e", "Enter"] {
        page.press(key);
    }
    page.settle("/search?q=file&project=support");
    assert_eq!(page.texts(MARKS), ["name: file", "error: file"]);
    assert_eq!(page.text("document.querySelector('.hits .mark').ariaLabel"), "error");
    assert_eq!(page.text("document.querySelector('.find input').value"), "file");

    // The choice narrows the same search.
    page.choose("document.querySelector('select[name=status]')", "success");
    page.settle("/search?q=file&project=support&status=success");
    assert_eq!(page.text("document.querySelector('h1').textContent"), "Nothing found");
    page.travel(-1);
    page.settle("/search?q=file&project=support");

    page.press("j");
    page.press("Enter");
    page.settle("/traces/answer?span=answer-2");
    assert!(page.text("document.getElementById('span').innerText").contains("no such file"));
    page.assert_quiet();
}

#[test]
fn the_search_needs_no_script() {
    let site = Site::with(&site::answer(5.0));
    let mut page = Page::new(site.url());
    page.scripts(false);
    page.open("/");
    page.eval("document.querySelector('.find input').value = 'scatters'");
    page.click("document.querySelector('.find button')");
    page.settle("/search?q=scatters");
    assert_eq!(page.texts(MARKS), ["output: scatters", "output: scatters"]);
    assert_eq!(page.eval("document.querySelectorAll('script').length"), Value::from(1));
    page.click("document.querySelector('.hits a.row')");
    page.until("location.pathname === '/traces/answer'");
    page.assert_quiet();
}

//! The list: what ran, newest first.

use serde_json::{Value, json};

use crate::{
    page::Page,
    site::{self, Site},
};

/// The names in the list, from top to bottom.
const NAMES: &str = "[...document.querySelectorAll('table.traces tbody a.row')].map(a => a.textContent)";

/// More than one page of traces, `job-0` the newest, every tenth failed, and `answer_question` before all of them.
fn busy() -> Vec<Value> {
    let mut logs = site::answer(5.0);
    logs.extend((0..120).map(|serial| {
        let failed = json!({ "latency": 0.0124, "status": "error", "error": "the disk is full" });
        let fields = if serial % 10 == 0 { failed } else { json!({ "latency": 0.0124 }) };
        let age = 60.0 + 7.0 * f64::from(serial);
        site::root(&format!("id-{serial}"), &format!("job-{serial}"), age, fields)
    }));
    // The order of arrival is not that of the list.
    logs.reverse();
    logs
}

fn jobs(serials: impl IntoIterator<Item = u32>) -> Vec<String> {
    serials.into_iter().map(|serial| format!("job-{serial}")).collect()
}

#[test]
fn the_list_tells_what_ran_newest_first_and_leafs_through_it() {
    let site = Site::with(&busy());
    let mut page = Page::at(site.url(), "/");
    let mut first = vec!["answer_question".to_owned()];
    first.extend(jobs(0..49));
    assert_eq!(page.texts(NAMES), first);

    // The cells of a row, by their headings.
    let cell = "(at, heading) => {
        const heads = [...document.querySelectorAll('table.traces th')].map(th => th.textContent);
        return document.querySelectorAll('table.traces tbody tr')[at].cells[heads.indexOf(heading)];
    }";
    let mut read = |at: usize, heading: &str| page.text(&format!("({cell})({at}, '{heading}').innerText"));
    for (heading, shown) in [
        ("Time", "now"),
        ("Latency", "2.50 s"),
        ("Tokens", "1.2k"),
        ("Cost", "$0.0042"),
        ("Spans", "4"),
        ("Scores", "relevance 0.875"),
        ("Tags", "prod"),
        ("Tags", "v2"),
        ("User · session", "ada"),
        ("User · session", "session-7"),
        ("Input → output", "Why is the sky blue?"),
        ("Input → output", "Because air scatters"),
    ] {
        let text = read(0, heading).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(shown), "{heading} says {text:?}, not {shown:?}");
    }
    assert_eq!(read(1, "Latency").trim(), "12 ms");
    assert_eq!(read(1, "Cost").trim(), "");
    let status = "[...document.querySelectorAll('table.traces tbody tr')].map(tr => tr.querySelector('.c-name [role=img]').ariaLabel)";
    let said: Vec<_> = (-1..49).map(|serial| if serial % 10 == 0 { "error" } else { "success" }).collect();
    assert_eq!(page.texts(status), said);

    let leaf = |page: &mut Page, rel: &str, top: &str| {
        page.click(&format!("document.querySelector('nav.pager a[rel={rel}]')"));
        page.until(&format!("document.querySelector('table.traces a.row')?.textContent === '{top}'"));
    };
    leaf(&mut page, "next", "job-49");
    assert_eq!(page.texts(NAMES), jobs(49..99));
    leaf(&mut page, "next", "job-99");
    assert_eq!(page.texts(NAMES), jobs(99..120));
    assert_eq!(page.eval("document.querySelector('nav.pager a[rel=next]')"), Value::Null);
    leaf(&mut page, "prev", "job-49");
    page.travel(-1);
    page.until("document.querySelector('table.traces a.row')?.textContent === 'job-99'");
    page.assert_quiet();
}

#[test]
fn a_filter_stands_in_the_address_and_outlives_a_visit_to_a_trace() {
    let site = Site::with(&busy());
    let mut page = Page::at(site.url(), "/");
    page.choose("document.querySelector('select[name=status]')", "error");
    page.settle("/?status=error");
    assert_eq!(page.texts(NAMES), jobs((0..120).step_by(10)));
    assert_eq!(page.text("document.querySelector('select[name=status]').value"), "error");

    // The keys move a cursor over the rows, and Enter opens.
    page.press("j");
    page.press("j");
    page.press("k");
    page.press("Enter");
    page.settle("/traces/id-0");
    assert_eq!(page.text("document.querySelector('h1').textContent"), "job-0");
    assert!(page.text("document.getElementById('span').innerText").contains("the disk is full"));
    page.travel(-1);
    page.settle("/?status=error");
    assert_eq!(page.texts(NAMES).len(), 12);

    // The same address typed by someone else shows the same list.
    page.open("/?status=success&project=support");
    assert_eq!(page.text("document.querySelector('select[name=status]').value"), "success");
    assert_eq!(page.texts(NAMES)[..2], ["answer_question", "job-1"]);
    page.assert_quiet();
}

#[test]
fn links_and_forms_alone_lead_everywhere() {
    let site = Site::with(&busy());
    let mut page = Page::new(site.url());
    page.scripts(false);
    page.open("/");
    page.eval("document.querySelector('select[name=status]').value = 'error'");
    page.click("document.querySelector('form.filters button')");
    page.until("document.querySelector('table.traces a.row')?.textContent === 'job-0'");
    page.open("/");
    page.click("document.querySelector('a.row')");
    page.settle("/traces/answer");
    page.click("document.querySelectorAll('[role=treeitem]')[2]");
    page.settle("/traces/answer?span=answer-2");
    assert!(page.text("document.getElementById('span').innerText").contains("air.md: no such file"));
    page.click("document.querySelector('.crumbs a')");
    page.settle("/?project=support");
    page.assert_quiet();
}

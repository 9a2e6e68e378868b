//! Questions to the store as it stands after the load.

use std::{
    io, thread,
    time::{Duration, Instant},
};

use super::{
    http::Connection,
    process::{Served, broken},
    workload::{Random, Workload},
};
use crate::step::Failure;

const LIST: &str = "/api/parea/v1/get_trace_logs";

const SEARCH: &str = "/api/parea/v1/search_trace_logs";

/// How often each is asked.
const TIMES: usize = 60;

/// Longest that a span may take to be found.
const PATIENCE: Duration = Duration::from_secs(300);

/// One question, asked again and again with other values.
pub(super) struct Query {
    pub(super) name: &'static str,
    pub(super) answers: Vec<Duration>,
    /// By the last one.
    pub(super) found: u64,
}

type Ask<'a> = Box<dyn Fn(&mut Random) -> String + 'a>;

/// All of them.
pub(super) fn all(server: &Served, workload: &Workload) -> Result<Vec<Query>, Failure> {
    let mut connection = server.connect()?;
    let traces = workload.made() as usize;
    let filter = |field: &str, key: &str, operator: &str, value: String| {
        let key = if key.is_empty() { String::new() } else { format!(r#""filter_key":"{key}","#) };
        format!(r#""filter_field":"{field}",{key}"filter_operator":"{operator}","filter_value":"{value}","#)
    };
    let questions: Vec<(&'static str, Ask<'_>)> = vec![
        ("newest", Box::new(|_| String::new())),
        ("metadata", Box::new(|random| filter("metadata", "customer", "equals", format!("c{}", random.below(5000))))),
        ("metadata, common", Box::new(|_| filter("metadata", "env", "equals", "production".to_owned()))),
        ("score, common", Box::new(|_| filter("score:helpful", "", "greater_than_or_equal", "0.5".to_owned()))),
        ("score, rare", Box::new(|_| filter("score:faithful", "", "greater_than_or_equal", "0.95".to_owned()))),
        (
            "user",
            Box::new(|random| filter("end_user_identifier", "", "equals", format!("user-{}", random.below(5000)))),
        ),
        ("tag", Box::new(|_| filter("tags", "", "equals", "billing".to_owned()))),
        ("name", Box::new(|_| filter("trace_name", "", "equals", "judge".to_owned()))),
        (
            "session",
            Box::new(move |random| {
                filter("session_id", "", "equals", format!("session-{}", random.below(traces / 5 + 1)))
            }),
        ),
    ];
    let mut done = Vec::new();
    for (name, ask) in questions {
        let mut random = Random::seeded(3);
        let mut query = Query { name, answers: Vec::new(), found: 0 };
        for _ in 0..TIMES {
            let body = format!(r#"{{{}"project_name":"load","page":1,"page_size":20}}"#, ask(&mut random));
            let (took, answer) = timed(|| connection.post(LIST, body.as_bytes()))?;
            query.answers.push(took);
            query.found = number(&answer, r#""total":"#);
        }
        done.push(query);
    }
    done.push(tree(&mut connection)?);
    let last = workload.made() * super::workload::SPANS;
    let own = |random: &mut Random| {
        let span = random.below(last as usize) as u64;
        Workload::own_word(span / super::workload::SPANS, span % super::workload::SPANS)
    };
    let texts: Vec<(&'static str, Ask<'_>)> = vec![
        ("text: common word", Box::new(|_| "the".to_owned())),
        ("text: word of one span", Box::new(own)),
        ("text: absent word", Box::new(|random| format!("absent{}", random.below(1000)))),
        ("text: three common words", Box::new(|_| "that with search_orders".to_owned())),
        ("text: phrase", Box::new(|_| r#"\"of the\""#.to_owned())),
        ("text: part of a word", Box::new(move |random| format!("*{}*", &own(random)[2..9]))),
        ("text: absent part", Box::new(|random| format!("*zq{}*", random.below(1000)))),
    ];
    for (name, ask) in texts {
        let mut random = Random::seeded(5);
        let mut query = Query { name, answers: Vec::new(), found: 0 };
        for _ in 0..TIMES {
            let body = format!(r#"{{"query":"{}","project_name":"load","limit":20}}"#, ask(&mut random));
            let (took, answer) = timed(|| connection.post(SEARCH, body.as_bytes()))?;
            query.answers.push(took);
            query.found = String::from_utf8_lossy(&answer).matches(r#""trace_id":"#).count() as u64;
        }
        done.push(query);
    }
    Ok(done)
}

/// Logs by scores that came after they were packed.
pub(super) fn scored(server: &Served) -> Result<Query, Failure> {
    let mut connection = server.connect()?;
    let mut query = Query { name: "score that came later", answers: Vec::new(), found: 0 };
    let filter = r#""filter_field":"score:graded-0","filter_operator":"greater_than_or_equal","filter_value":"0.9","#;
    for _ in 0..TIMES {
        let body = format!(r#"{{{filter}"project_name":"load","page":1,"page_size":20}}"#);
        let (took, answer) = timed(|| connection.post(LIST, body.as_bytes()))?;
        query.answers.push(took);
        query.found = number(&answer, r#""total":"#);
    }
    Ok(query)
}

/// How many spans there are.
pub(super) fn total(server: &Served) -> Result<u64, Failure> {
    let body = r#"{"project_name":"load","page":1,"page_size":1}"#;
    let answer = server.connect()?.post(LIST, body.as_bytes()).map_err(broken)?;
    Ok(number(&answer, r#""total":"#))
}

/// How many spans of these traces are not there.
pub(super) fn missing(server: &Served, roots: &[String]) -> Result<u64, Failure> {
    let mut connection = server.connect()?;
    let mut missing = 0;
    for root in roots {
        let answer = connection.get(&format!("/api/parea/v1/trace_log/{root}")).map_err(broken)?;
        let there = String::from_utf8_lossy(&answer).matches(r#""trace_id":"#).count() as u64;
        missing += super::workload::SPANS.saturating_sub(there);
    }
    Ok(missing)
}

/// Trees by id: those of the newest page, then those that hang on them.
fn tree(connection: &mut Connection) -> Result<Query, Failure> {
    let body = r#"{"project_name":"load","page":1,"page_size":100}"#;
    let page = connection.post(LIST, body.as_bytes()).map_err(broken)?;
    let page = String::from_utf8_lossy(&page).into_owned();
    let ids: Vec<&str> = page.split(r#""root_trace_id":""#).skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let mut query = Query { name: "tree by id", answers: Vec::new(), found: 0 };
    for id in ids.iter().step_by((ids.len() / TIMES).max(1)) {
        let (took, answer) = timed(|| connection.get(&format!("/api/parea/v1/trace_log/{id}")))?;
        query.answers.push(took);
        query.found = String::from_utf8_lossy(&answer).matches(r#""trace_id":"#).count() as u64;
    }
    Ok(query)
}

fn timed(ask: impl FnOnce() -> io::Result<Vec<u8>>) -> Result<(Duration, Vec<u8>), Failure> {
    let begun = Instant::now();
    let answer = ask().map_err(broken)?;
    Ok((begun.elapsed(), answer))
}

/// The number behind the first occurrence of some text.
fn number(answer: &[u8], behind: &str) -> u64 {
    let text = String::from_utf8_lossy(answer);
    let rest = text.split(behind).nth(1).unwrap_or_default();
    rest.split(|c: char| !c.is_ascii_digit()).next().and_then(|digits| digits.parse().ok()).unwrap_or_default()
}

/// Waits until every span that was made is listed, and the last one found by its own word.
pub(super) fn until_found(server: &Served, workload: &Workload) -> Result<(), Failure> {
    let mut connection = server.connect()?;
    let expected = workload.made() * super::workload::SPANS;
    let begun = Instant::now();
    loop {
        let body = r#"{"project_name":"load","page":1,"page_size":1}"#;
        let answer = connection.post(LIST, body.as_bytes()).map_err(broken)?;
        let found = number(&answer, r#""total":"#);
        let last = workload.made().saturating_sub(1);
        let body = format!(r#"{{"query":"{}","limit":1}}"#, Workload::own_word(last, 0));
        let answer = connection.post(SEARCH, body.as_bytes()).map_err(broken)?;
        if found == expected && String::from_utf8_lossy(&answer).contains("trace_id") {
            return Ok(());
        }
        if begun.elapsed() > PATIENCE {
            return Err(Failure::Empty(format!(
                "{expected} spans were acknowledged, {found} are listed, or the last one is not found by its word"
            )));
        }
        thread::sleep(Duration::from_millis(10));
    }
}

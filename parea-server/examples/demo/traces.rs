//! Traces as a busy week leaves them: a support bot, a search over documents and a nightly evaluation, with model
//! calls, errors, scores, long texts, lost parents and roots still under way. The same on every run but for the time.

#![expect(clippy::unwrap_used, reason = "what is made up here is well formed")]

use parea_types::Timestamp;
use serde_json::{Map, Value, json};

const QUESTIONS: [(&str, &str); 8] = [
    (
        "How do I rotate my API key without downtime?",
        "Create a second key under Settings → Keys, deploy it, then revoke the first. Both are valid in between.",
    ),
    (
        "My export stops at 10,000 rows",
        "Exports are paged. Pass the `next` cursor of each answer to the following call until it is null.",
    ),
    (
        "Can I get a refund for the unused seats?",
        "Unused seats are credited to the next invoice; a refund to the card is possible within 14 days.",
    ),
    (
        "Wie lösche ich alle Daten eines Nutzers?",
        "Mit `parea erase --user <id>`; der Befehl löscht auch die Blobs und bestätigt mit einer Zählung.",
    ),
    (
        "Webhook signature does not match",
        "Compare against the raw body, before any JSON parsing. A re-serialised body has another signature.",
    ),
    (
        "Is there a limit on the size of a single trace?",
        "No fixed limit. Values beyond 64 KB are cut in the client unless you raise `max_value_bytes`.",
    ),
    (
        "SSO login loops back to the sign-in page",
        "The session cookie is refused: your proxy strips `SameSite=None`. Allow it for the callback path.",
    ),
    (
        "Which regions can I store my data in?",
        "Frankfurt, Virginia and Singapore today; the region is chosen when the project is created.",
    ),
];

const PASSAGE: &str = "## Rotating keys\n\nEvery project can hold several keys at once. A key is shown only when it is made; what is stored is \
its hash. To rotate one without downtime:\n\n1. create the new key,\n2. roll it out to every service that sends traces,\n3. watch \
*Last used* of the old key until it stands still,\n4. revoke the old key.\n\nRevoking takes effect within five seconds on all nodes. Requests \
that carry a revoked key are answered with 401 and counted in the audit log under `auth.revoked`.\n\n";

const FAILURE: &str = "tool `lookup_order` failed after 3 tries\n\nCaused by:\n    0: error sending request for url (http://orders.internal/v2/orders/88231)\n    1: client error (Connect)\n    2: tcp connect error: Connection refused (os error 111)\n\nLocation:\n    src/tools/orders.rs:84:22";

/// Builds one trace, span by span.
struct Trace<'a> {
    logs: &'a mut Vec<Value>,
    project: &'static str,
    root: String,
    start: i64,
    spans: i64,
}

impl<'a> Trace<'a> {
    fn new(logs: &'a mut Vec<Value>, project: &'static str, serial: usize, start: i64) -> Self {
        Self { logs, project, root: format!("019aa0{serial:02x}-7b3c-7d21-9f04-5a1e0c8d0000"), start, spans: 0 }
    }

    /// Adds a span that starts `at` and takes `took` seconds; answers with its id.
    fn span(&mut self, parent: Option<&str>, name: &str, at: f64, took: f64, fields: Value) -> String {
        let order = self.spans;
        self.spans += 1;
        let id = if order == 0 { self.root.clone() } else { format!("{}{order:04x}", &self.root[..32]) };
        let start = self.start + (at * 1e6) as i64;
        let time = |micros| Timestamp::from_micros(micros).unwrap().to_string();
        let mut log = json!({
            "trace_id": id, "root_trace_id": self.root, "parent_trace_id": parent.unwrap_or(&id), "trace_name": name,
            "start_timestamp": time(start), "end_timestamp": time(start + (took * 1e6) as i64), "latency": took,
            "execution_order": order, "depth": i64::from(order > 0), "project_name": self.project, "status": "success",
        });
        let members: Map<String, Value> = serde_json::from_value(fields).unwrap();
        log.as_object_mut().unwrap().extend(members);
        self.logs.push(log);
        id
    }
}

/// The logs of some ninety traces, the newest of which started just before `now`.
pub(crate) fn logs(now: Timestamp) -> Vec<Value> {
    let mut logs = Vec::new();
    for serial in 0..90 {
        let noise = (serial * 7_919 + 13) % 1_000;
        // Dense at first, then days apart.
        let age = 6.0 + (serial as f64).powf(1.5) * 9.0 + (serial as f64 / 12.0).exp() * 40.0;
        let start = now.micros() - (age * 1e6) as i64;
        match serial % 9 {
            2 => greeting(&mut Trace::new(&mut logs, "nightly-eval", serial, start), noise),
            4 | 7 => search(&mut Trace::new(&mut logs, "docs-search", serial, start), serial, noise),
            _ => support(&mut Trace::new(&mut logs, "support-bot", serial, start), serial, noise),
        }
    }
    // A root that is still under way, and one whose middle was lost.
    logs.retain(|log| {
        let id = log["trace_id"].as_str().unwrap();
        !(id == "019aa000-7b3c-7d21-9f04-5a1e0c8d0000"
            || id.starts_with("019aa005") && log["trace_name"] == "search_docs")
    });
    logs
}

fn support(trace: &mut Trace<'_>, serial: usize, noise: usize) {
    let (question, answer) = QUESTIONS[noise % QUESTIONS.len()];
    let (took, fails) = (2.2 + noise as f64 / 240.0, noise % 11 == 3);
    let quality = [0.95, 0.8, 0.55, 1.0, 0.25][noise % 5];
    let root = trace.span(None, "handle_ticket", 0.0, took, json!({
        "inputs": { "ticket": question, "customer": { "id": 88_000 + noise, "plan": "team", "locale": "en-GB" } },
        "output": if fails { Value::Null } else { answer.into() },
        "status": if fails { "error" } else { "success" },
        "error": if fails { FAILURE.into() } else { Value::Null },
        "scores": if fails { json!([]) } else { json!([
            { "name": "helpful", "score": quality, "reason": "Answers the question and names the next step; could mention the audit log." },
            { "name": "grounded", "score": 1.0 },
        ]) },
        "tags": if noise.is_multiple_of(3) { json!(["prod", "canary"]) } else { json!(["prod"]) },
        "metadata": { "release": "2026.11.3", "git": "9f3c2ab", "channel": "email", "flags": { "rerank": true, "k": 8 } },
        "session_id": format!("s-{:04}", noise / 3), "end_user_identifier": format!("u-{:04}", noise % 40),
        "target": if noise.is_multiple_of(4) { Value::from(answer) } else { Value::Null },
    }));
    trace.span(Some(&root), "classify", 0.012, 0.41, json!({
        "configuration": { "model": "gpt-4o-mini", "provider": "openai", "model_params": { "temp": 0.0, "max_length": 8 }, "messages": [
            { "role": "system", "content": "Name the topic of the ticket in one word: billing, keys, export, login or other." },
            { "role": "user", "content": question },
        ] },
        "input_tokens": 61, "output_tokens": 2, "total_tokens": 63, "cost": 0.000_010_3, "output": "keys",
    }));
    let docs = trace.span(Some(&root), "search_docs", 0.43, 0.31, json!({
        "inputs": { "query": question, "k": 8 }, "output": "[{\"doc\":\"keys.md\",\"score\":7.31},{\"doc\":\"audit.md\",\"score\":3.02}]",
    }));
    trace.span(Some(&docs), "embed", 0.431, 0.12, json!({
        "configuration": { "model": "text-embedding-3-small", "provider": "openai" }, "inputs": { "text": question },
        "input_tokens": 14, "total_tokens": 14, "cost": 0.000_000_3,
        "output": format!("[{}]", (0..300).map(|n| format!("{:.4}", f64::from(n * 37 % 200) / 100.0 - 1.0)).collect::<Vec<_>>().join(",")),
    }));
    trace.span(
        Some(&docs),
        "nearest",
        0.56,
        0.018,
        json!({ "inputs": { "k": 8 }, "output": "[12, 48, 3, 77, 101, 9, 64, 20]" }),
    );
    trace.span(Some(&docs), "rerank", 0.58, 0.16, json!({ "inputs": { "candidates": 8 }, "output": "[12, 3]" }));
    let plan = trace.span(Some(&root), "plan", 0.75, 0.9, json!({ "output": "lookup_order, answer" }));
    trace.span(Some(&plan), "lookup_order", 0.9, 0.72, if fails {
        json!({ "status": "error", "error": FAILURE, "inputs": { "order": 88_231 } })
    } else {
        json!({ "inputs": { "order": 88_231 }, "output": "{\"order\":88231,\"state\":\"shipped\",\"items\":[{\"sku\":\"SEAT-TEAM\",\"n\":12}],\"paid\":true}" })
    });
    if fails {
        return;
    }
    let model = if serial.is_multiple_of(2) { "gpt-4o" } else { "claude-sonnet-4-5" };
    trace.span(Some(&root), "answer", 1.68, took - 1.9, json!({
        "configuration": {
            "model": model, "provider": if serial.is_multiple_of(2) { "openai" } else { "anthropic" },
            "model_params": { "temp": 0.2, "top_p": 1.0, "max_length": 800 },
            "functions": [{ "name": "lookup_order", "description": "State of an order", "parameters": { "type": "object", "properties": { "order": { "type": "integer" } } } }],
            "messages": [
                { "role": "system", "content": "You answer support tickets of a small software company. Be short and exact. Quote the passage that you rely on. If the passages do not hold the answer, say so." },
                { "role": "user", "content": format!("Ticket: {question}\n\nPassages:\n\n{}", PASSAGE.repeat(6)) },
                { "role": "assistant", "content": "{\"tool_calls\":[{\"id\":\"call_8fQ2\",\"function\":{\"name\":\"lookup_order\",\"arguments\":{\"order\":88231}}}]}" },
                { "role": "tool", "content": "{\"tool_call_id\":\"call_8fQ2\",\"content\":{\"order\":88231,\"state\":\"shipped\"}}" },
                { "role": "user", "content": "Answer in the language of the ticket." },
            ],
        },
        "input_tokens": 1_180 + noise, "output_tokens": 140 + noise / 9, "total_tokens": 1_320 + noise + noise / 9,
        "cost": 0.004_3 + noise as f64 / 4e5, "time_to_first_token": 0.38, "output": answer,
        "scores": [{ "name": "judge", "score": quality }],
    }));
    let answer_id = format!("{}{:04x}", &trace.root[..32], trace.spans - 1);
    trace.span(
        Some(&answer_id),
        "judge",
        took - 0.2,
        0.19,
        json!({ "inputs": { "log": { "output": answer } }, "output": quality.to_string() }),
    );
}

fn search(trace: &mut Trace<'_>, serial: usize, noise: usize) {
    let (question, answer) = QUESTIONS[(noise + 3) % QUESTIONS.len()];
    let root = trace.span(None, "ask_docs", 0.0, 0.064, json!({
        "inputs": { "question": question, "folder": "docs/" }, "output": answer, "tags": ["example"],
        "scores": [{ "name": "overlap", "score": (noise % 100) as f64 / 100.0 }], "metadata": { "files": "42", "index": "bm25" },
    }));
    trace.span(Some(&root), "read", 0.001, 0.021, json!({ "inputs": { "folder": "docs/" }, "output": "42 files" }));
    trace.span(Some(&root), "split", 0.023, 0.004, json!({ "output": "611 passages" }));
    let rank = trace.span(Some(&root), "rank", 0.028, 0.03, json!({ "inputs": { "question": question } }));
    for shard in 0..if serial == 4 { 40 } else { 4 } {
        let fails = shard == 2 && serial.is_multiple_of(2);
        trace.span(Some(&rank), "score_shard", 0.028 + f64::from(shard % 4) * 0.0008, 0.006 + f64::from(shard) * 0.0005, json!({
            "inputs": { "shard": shard }, "output": if fails { Value::Null } else { "153 passages".into() },
            "status": if fails { "error" } else { "success" }, "error": if fails { "index out of date: 3 files changed".into() } else { Value::Null },
        }));
    }
    trace.span(Some(&root), "best_passage", 0.0605, 0.000_18, json!({ "output": PASSAGE }));
}

fn greeting(trace: &mut Trace<'_>, noise: usize) {
    let name = ["Foo", "Ada", "Grace"][noise % 3];
    let root = trace.span(None, "greeting", 0.0, 0.000_21, json!({
        "inputs": { "name": name }, "output": format!("Hello {name}"), "target": format!("Hi {name}"),
        "scores": [{ "name": "levenshtein", "score": 0.5 }, { "name": "length", "score": 9.0 }, { "name": "polite", "score": 1.0 }, { "name": "accuracy", "score": 0.8 }],
        "tags": ["nightly", "smoke", "eu", "rust"], "experiment_uuid": "5f7c9a10-1d2e-4b3a-8c4d-0e1f2a3b4c5d",
    }));
    trace.span(
        Some(&root),
        "levenshtein",
        0.000_23,
        0.000_011,
        json!({ "inputs": { "log": { "output": format!("Hello {name}") } }, "output": "0.5" }),
    );
}

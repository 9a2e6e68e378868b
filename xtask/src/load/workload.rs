//! Traces as an assistant with retrieval makes them: 8 spans, 13 KB of JSON, text as uneven as language. Spans pass on
//! to one another what they do there: the question goes to each, the documents that were found to the model, its answer
//! to the root.

use std::{
    io::Write as _,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

/// Spans of a trace.
pub(super) const SPANS: u64 = 8;

/// Different words of the texts, beside the one in each span that nothing else has.
const VOCABULARY: usize = 50_000;

/// Bytes of text that spans take their parts from. Parts that overlap are rare within what is compressed together.
const CORPUS: usize = 16 << 20;

/// What ids look like.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ids {
    /// Random, as the SDKs make them.
    V4,
    /// Growing with time.
    V7,
}

impl Ids {
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "v4" => Some(Self::V4),
            "v7" => Some(Self::V7),
            _ => None,
        }
    }

    pub(super) fn other(self) -> Self {
        if self == Self::V4 { Self::V7 } else { Self::V4 }
    }

    pub(super) fn version(self) -> u8 {
        if self == Self::V4 { 4 } else { 7 }
    }
}

/// A small generator of random numbers (xorshift64*): the same load in each run.
#[derive(Clone)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn seeded(seed: u64) -> Self {
        let mut random = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        for _ in 0..4 {
            random.next();
        }
        random
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// What all threads of a load share.
pub(super) struct Workload {
    ids: Ids,
    corpus: String,
    /// Traces made so far.
    traces: AtomicU64,
    /// Who makes or has made them.
    makers: AtomicU64,
    /// Ids of their roots.
    roots: Mutex<Vec<String>>,
    /// Kept apart from those of another workload on the same server.
    run: u64,
}

impl Workload {
    pub(super) fn new(ids: Ids) -> Self {
        let mut random = Random::seeded(7);
        let vocabulary: Vec<String> = (0..VOCABULARY).map(|rank| word(&mut random, rank)).collect();
        let mut corpus = String::with_capacity(CORPUS + 64);
        while corpus.len() < CORPUS {
            // The n-th word is about 1/n as frequent as the first, as in any language.
            let rank = (VOCABULARY as f64).powf(random.unit()) as usize - 1;
            corpus.push_str(&vocabulary[rank]);
            corpus.push_str(if random.below(12) == 0 { ". " } else { " " });
        }
        let run = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
        Self { ids, corpus, traces: AtomicU64::new(0), makers: AtomicU64::new(0), roots: Mutex::default(), run }
    }

    pub(super) fn maker(&self) -> Maker<'_> {
        // Ids are random, so they must not repeat from run to run nor from maker to maker.
        let seed = self.makers.fetch_add(1, Ordering::Relaxed);
        let random = Random::seeded(self.run.wrapping_mul(1_000_003) ^ (seed << 40));
        Maker { workload: self, random }
    }

    /// Traces made so far.
    pub(super) fn made(&self) -> u64 {
        self.traces.load(Ordering::Relaxed)
    }

    /// Ids of the roots of all traces made so far, in no order.
    pub(super) fn roots(&self) -> Vec<String> {
        let mut roots = self.roots.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut random = Random::seeded(11);
        for place in (1..roots.len()).rev() {
            roots.swap(place, random.below(place + 1));
        }
        roots
    }

    /// A word that stands in one span only: that of a trace, in one of its spans.
    pub(super) fn own_word(trace: u64, span: u64) -> String {
        format!("ref{:07x}", (trace * SPANS + span).wrapping_mul(0x9e37_79b1) & 0xfff_ffff)
    }
}

/// Short words first, as in any language.
fn word(random: &mut Random, rank: usize) -> String {
    const ONSETS: &[&str] = &["b", "c", "d", "f", "g", "l", "m", "n", "p", "r", "s", "t", "st", "tr", "v", "pl"];
    const CODAS: &[&str] = &["a", "e", "i", "o", "u", "an", "er", "in", "or", "ing", "ed", "ion", "al"];
    const FIRST: &[&str] = &["the", "of", "and", "to", "in", "is", "that", "for", "it", "with"];
    if let Some(first) = FIRST.get(rank) {
        return (*first).to_owned();
    }
    let syllables = 1 + (rank as f64).log(24.0) as usize;
    (0..syllables).map(|_| [ONSETS[random.below(ONSETS.len())], CODAS[random.below(CODAS.len())]].concat()).collect()
}

/// Makes traces, for one thread.
pub(super) struct Maker<'a> {
    workload: &'a Workload,
    random: Random,
}

/// What is told apart between the spans of a trace.
struct Span {
    name: &'static str,
    /// Place of the parent among the spans.
    parent: usize,
}

/// In order of execution.
const SHAPE: [Span; SPANS as usize] = [
    Span { name: "answer_question", parent: 0 },
    Span { name: "search_orders", parent: 0 },
    Span { name: "rerank", parent: 1 },
    Span { name: "build_prompt", parent: 0 },
    Span { name: "chat_completion", parent: 0 },
    Span { name: "lookup_customer", parent: 4 },
    Span { name: "format_answer", parent: 0 },
    Span { name: "judge", parent: 0 },
];

/// The texts that spans of one trace pass on to one another.
struct Story<'a> {
    question: &'a str,
    documents: &'a str,
    answer: &'a str,
}

impl<'a> Maker<'a> {
    /// A JSON array of whole traces. Answers the ids of their roots.
    pub(super) fn batch(&mut self, body: &mut Vec<u8>, traces: u64) -> Vec<String> {
        body.clear();
        let mut roots = Vec::with_capacity(traces as usize);
        for _ in 0..traces {
            let (root, spans) = self.trace();
            roots.push(root);
            for span in spans {
                body.push(if body.is_empty() { b'[' } else { b',' });
                body.extend_from_slice(&span);
            }
        }
        body.push(b']');
        roots
    }

    /// The spans of a trace as JSON, children before their parents.
    pub(super) fn spans(&mut self) -> Vec<Vec<u8>> {
        self.trace().1
    }

    fn trace(&mut self) -> (String, Vec<Vec<u8>>) {
        let trace = self.workload.traces.fetch_add(1, Ordering::Relaxed);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_micros() as u64);
        let ids: Vec<String> = SHAPE.iter().map(|_| self.id(now)).collect();
        self.workload.roots.lock().unwrap_or_else(PoisonError::into_inner).push(ids[0].clone());
        let story = Story { question: self.text(150), documents: self.text(1600), answer: self.text(1000) };
        let mut spans: Vec<Vec<u8>> =
            (0..SHAPE.len()).map(|place| self.span(trace, place, now, &ids, &story)).collect();
        spans.reverse();
        (ids[0].clone(), spans)
    }

    /// What goes in and what comes out.
    fn texts(&mut self, place: usize, story: &Story<'_>) -> (String, String) {
        let Story { question, documents, answer } = *story;
        match place {
            0 => (question.to_owned(), answer.to_owned()),
            1 => (question.to_owned(), documents.to_owned()),
            2 => (format!("{question} {}", self.text(100)), until(documents, 400).to_owned()),
            3 => (format!("{question} {}", self.text(150)), format!("{} {question}", until(documents, 750))),
            4 => (format!("{} {documents} {question}", self.text(250)), answer.to_owned()),
            5 => (self.text(80).to_owned(), self.text(300).to_owned()),
            6 => (until(answer, 200).to_owned(), until(answer, 200).to_owned()),
            _ => (format!("{} {question}", until(answer, 150)), self.text(120).to_owned()),
        }
    }

    fn span(&mut self, trace: u64, place: usize, now: u64, ids: &[String], story: &Story<'_>) -> Vec<u8> {
        let Span { name, parent } = &SHAPE[place];
        let mut json = Vec::with_capacity(4096);
        let (id, root, parent_id) = (&ids[place], &ids[0], &ids[*parent]);
        let (begun, ended) = (time(now + place as u64 * 1500), time(now + place as u64 * 1500 + 90_000));
        let depth = if place == 0 {
            0
        } else if *parent == 0 {
            1
        } else {
            2
        };
        let own = Workload::own_word(trace, place as u64);
        let (input, output) = self.texts(place, story);
        let status = if self.random.below(20) == 0 { "error" } else { "success" };
        let session = trace / 5;
        // Writing to memory does not fail.
        let _ = write!(
            json,
            r#"{{"trace_id":"{id}","root_trace_id":"{root}","parent_trace_id":"{parent_id}","trace_name":"{name}","project_name":"load","start_timestamp":"{begun}","end_timestamp":"{ended}","depth":{depth},"execution_order":{place},"status":"{status}","session_id":"session-{session}","inputs":{{"query":"{input}","reference":"{own}"}},"output":"{output}","#
        );
        let customer = trace % 5000;
        let release = ["2026.10.1", "2026.10.2", "2026.11.0", "2026.11.1"][self.random.below(4)];
        match place {
            0 => {
                let score = self.random.unit();
                let tag = ["billing", "shipping", "returns", "other"][self.random.below(4)];
                let _ = write!(
                    json,
                    r#""end_user_identifier":"user-{customer}","tags":["{tag}","web"],"metadata":{{"env":"production","release":"{release}","customer":"c{customer}"}},"scores":[{{"name":"helpful","score":{score:.3}}}],"#
                );
            }
            4 => {
                let (input, output) = (400 + self.random.below(400), 150 + self.random.below(200));
                let total = input + output;
                let cost = input as f64 * 2.5e-6 + output as f64 * 1e-5;
                let _ = write!(
                    json,
                    r#""metadata":{{"release":"{release}"}},"configuration":{{"model":"gpt-4o-mini","provider":"openai","model_params":{{"temp":0.2,"top_p":1.0,"max_length":1024}}}},"input_tokens":{input},"output_tokens":{output},"total_tokens":{total},"cost":{cost:.6},"#
                );
            }
            7 => {
                let score = if self.random.below(1000) == 0 { 1.0 } else { 0.9 * self.random.unit() };
                let _ = write!(json, r#""scores":[{{"name":"faithful","score":{score:.3},"reason":"judged"}}],"#);
            }
            _ => {
                let _ = write!(json, r#""metadata":{{"release":"{release}"}},"#);
            }
        }
        if status == "error" {
            let _ = write!(json, r#""error":"TimeoutError: no answer within 30 s from {own}","#);
        }
        let _ = write!(json, r#""latency":0.09}}"#);
        json
    }

    /// Whole words of the corpus.
    fn text(&mut self, length: usize) -> &'a str {
        let corpus = &self.workload.corpus;
        let begin = self.random.below(corpus.len() - 2 * length - 64);
        let begin = begin + corpus[begin..].find(' ').map_or(0, |space| space + 1);
        let end = begin + length;
        let end = end + corpus[end..].find(' ').unwrap_or(0);
        &corpus[begin..end]
    }

    fn id(&mut self, now: u64) -> String {
        let (mut high, mut low) = (self.random.next(), self.random.next());
        let version = u64::from(self.workload.ids.version());
        if self.workload.ids == Ids::V7 {
            high = (now / 1000) << 16 | high & 0xffff;
        }
        high = high & !0xf000 | version << 12;
        low = low & !(3 << 62) | 2 << 62;
        format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            high >> 32,
            high >> 16 & 0xffff,
            high & 0xffff,
            low >> 48,
            low & 0xffff_ffff_ffff
        )
    }
}

/// The beginning of a text, whole words only.
fn until(text: &str, length: usize) -> &str {
    let end = text[..length.min(text.len())].rfind(' ').unwrap_or(text.len());
    &text[..end]
}

/// Microseconds since 1970 as the SDKs write them.
fn time(micros: u64) -> String {
    let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Years begin in March, so that the leap day comes last.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}+00:00")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        assert_eq!(time(0), "1970-01-01T00:00:00.000000+00:00");
        assert_eq!(time(951_782_400_000_001), "2000-02-29T00:00:00.000001+00:00");
        assert_eq!(time(1_798_761_599_000_000), "2026-12-31T23:59:59.000000+00:00");
    }

    #[test]
    fn a_trace_is_what_it_is_said_to_be() {
        let workload = Workload::new(Ids::V7);
        let spans = workload.maker().spans();
        let size: usize = spans.iter().map(Vec::len).sum();
        assert_eq!(spans.len() as u64, SPANS);
        assert!((12_500..14_000).contains(&size), "{size} bytes");
    }
}

//! A finished span, immutable from here on: as bytes on its way to the exporter, and as a line of JSON from there.
//!
//! As bytes it is a head of [`HEAD`] words, the ids of the children, and seven sections of text, filled up to a whole
//! word. Nothing of it is shared with the program any more.

use std::{io, sync::Arc, time::Duration};

use parea_types::{Timestamp, TraceLog};
use uuid::Uuid;

use crate::{
    clock::{self, Moment},
    error_text,
    fit::fit,
    id::{self, Id},
    json::{Buffer, Out as _, Step, push_text, push_text_body},
    redact::redact,
    site::CallSite,
    span::{Draft, Identity, Known, Span},
    thread_log::{Put, Words},
};

/// Key of the metadata for the rate by which a trace was kept: each stands for 1 / rate of them.
const SAMPLE_RATE: &str = "sample_rate";

/// Words that are known when a span begins.
const BEGUN: usize = 8;
/// Words of the head: those, and what is known when it ends.
pub(crate) const HEAD: usize = BEGUN + 7;

/// How the body of a span ended.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// One JSON value, or nothing when the output is left out.
    pub(crate) output: Vec<u8>,
    /// What evaluations see in its place, or nothing.
    pub(crate) output_for_eval_metrics: Vec<u8>,
    /// The text of the `Err`, the panic, or the cancellation.
    pub(crate) error: Option<String>,
}

/// Bytes of each section, in the order in which they lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sections {
    /// A JSON object, or nothing.
    pub(crate) inputs: u32,
    /// One JSON value, or nothing.
    pub(crate) output: u32,
    /// One JSON value, or nothing.
    pub(crate) output_for_eval_metrics: u32,
    /// A [raw](error_text::RAW) text or a JSON string, or nothing.
    pub(crate) error: u32,
    /// A [`Draft`] as JSON, or nothing.
    pub(crate) draft: u32,
    /// A JSON string, or nothing.
    pub(crate) target: u32,
    /// Text, or nothing.
    pub(crate) experiment: u32,
}

/// The first words of a record: what is known when a span begins.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Begun {
    pub(crate) id: Id,
    pub(crate) parent: Id,
    pub(crate) root: Id,
    pub(crate) start: Moment,
    pub(crate) depth: u32,
    pub(crate) order: u32,
}

impl Begun {
    /// That of a shared span.
    pub(crate) fn of_span(span: &Span) -> Self {
        let Identity { id, parent_id, depth, order, start, .. } = span.identity;
        Self { id: id::of(id), parent: id::of(parent_id), root: id::of(span.trace.root_id), start, depth, order }
    }
}

/// The words behind them: what is known when it ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended {
    /// Of its function.
    pub(crate) site: u32,
    /// In nanoseconds.
    pub(crate) latency: u64,
    pub(crate) sample_rate: Option<f64>,
    /// How many there are.
    pub(crate) children: usize,
    pub(crate) sections: Sections,
    /// Words of all sections.
    pub(crate) body: usize,
}

/// The first words of a record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head<'a>(pub(crate) &'a Begun, pub(crate) &'a Ended);

impl Head<'_> {
    /// Has each word put where it belongs.
    #[expect(clippy::inline_always, reason = "most of them are known at compile time, or lie in registers")]
    #[inline(always)]
    fn each(&self, mut put: impl FnMut(usize, u64)) {
        let Self(Begun { id, parent, root, start, depth, order }, ended) = self;
        put(0, id[0]);
        put(1, id[1]);
        put(2, parent[0]);
        put(3, parent[1]);
        put(4, root[0]);
        put(5, root[1]);
        put(6, start.0);
        put(7, two(*depth, *order));
        let Ended { site, latency, sample_rate, children, sections, body } = ended;
        let words = HEAD + 2 * children + body;
        put(BEGUN, two(words as u32, *site));
        put(BEGUN + 1, two(*children as u32, sections.experiment));
        put(BEGUN + 2, *latency);
        put(BEGUN + 3, two(sections.inputs, sections.output));
        put(BEGUN + 4, two(sections.output_for_eval_metrics, sections.error));
        put(BEGUN + 5, two(sections.draft, sections.target));
        // No rate is a rate that is no number.
        put(BEGUN + 6, sample_rate.unwrap_or(f64::NAN).to_bits());
    }
}

impl Put<HEAD> for Head<'_> {
    #[expect(clippy::inline_always, reason = "as above")]
    #[inline(always)]
    fn put(&self, words: &Words<'_, HEAD>) {
        self.each(|at, word| words.set(at, word));
    }
}

/// The words of a span that ends with a short error and nothing else.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failed<'a>(pub(crate) Head<'a>, pub(crate) &'a [[u8; 8]; SHORT_ERROR]);

/// Words of an error that is written without a loop. Those behind the text are zeros.
pub(crate) const SHORT_ERROR: usize = 4;

impl Put<{ HEAD + SHORT_ERROR }> for Failed<'_> {
    #[expect(clippy::inline_always, reason = "as above")]
    #[inline(always)]
    fn put(&self, words: &Words<'_, { HEAD + SHORT_ERROR }>) {
        let Self(head, error) = self;
        head.each(|at, word| words.set(at, word));
        for (at, word) in error.iter().enumerate() {
            words.set(HEAD + at, u64::from_le_bytes(*word));
        }
    }
}

#[inline]
const fn two(low: u32, high: u32) -> u64 {
    low as u64 | (high as u64) << 32
}

/// Sets the chance by which the trace of a record was kept.
pub(crate) fn set_sample_rate(record: &mut [u8], rate: f64) {
    const AT: usize = (HEAD - 1) * 8;
    if let Some(word) = record.get_mut(AT..AT + 8) {
        word.copy_from_slice(&rate.to_bits().to_le_bytes());
    }
}

/// The whole record as bytes, for those who keep it apart from a log of bytes.
pub(crate) fn to_bytes(begun: &Begun, ended: &Ended, children: &[Id], body: &[Step]) -> Vec<u8> {
    let mut head = [0; HEAD];
    Head(begun, ended).each(|at, word| head[at] = word);
    let words = head.iter().chain(children.iter().flatten());
    let mut bytes: Vec<u8> = words.flat_map(|word| word.to_le_bytes()).collect();
    bytes.extend_from_slice(body.as_flattened());
    bytes
}

/// Puts behind what was captured what else is known.
#[inline]
pub(crate) fn push_rest(
    buffer: &mut Buffer,
    sections: &mut Sections,
    draft: Option<&Draft>,
    target: Option<&str>,
    experiment: Option<&str>,
) {
    if draft.is_none() && target.is_none() && experiment.is_none() {
        return;
    }
    let start = buffer.len();
    // Maps, texts and finite numbers; if that failed, the rest would be worth having all the same.
    if let Some(draft) = draft
        && serde_json::to_writer(&mut buffer.bytes, draft).is_err()
    {
        buffer.bytes.truncate(start);
    }
    let drafted = buffer.len();
    if let Some(target) = target {
        push_text(&mut buffer.bytes, target);
    }
    let targeted = buffer.len();
    buffer.bytes.extend(experiment.unwrap_or_default().as_bytes());
    sections.draft = (drafted - start) as u32;
    sections.target = (targeted - drafted) as u32;
    sections.experiment = (buffer.len() - targeted) as u32;
}

/// A finished span that is held back to be evaluated: its record can still grow.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) span: Arc<Span>,
    pub(crate) latency: Duration,
    pub(crate) known: Known,
    pub(crate) target: Option<Arc<str>>,
    pub(crate) sections: Sections,
    /// The sections up to the error.
    pub(crate) captured: Vec<u8>,
}

impl Finished {
    /// The record as it stands.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let Self { span, known, sections, .. } = self;
        let (mut buffer, mut sections) = (Buffer::of(self.captured.clone()), *sections);
        let experiment = span.trace.scope.as_ref().and_then(|scope| scope.experiment.as_deref());
        push_rest(&mut buffer, &mut sections, known.draft.as_deref(), self.target.as_deref(), experiment);
        let (site, latency, sample_rate) =
            (span.identity.site.number(), self.latency.as_nanos() as u64, span.trace.sample_rate);
        let (children, body) = (known.children.len(), buffer.steps_since(0));
        let ended = Ended { site, latency, sample_rate, children, sections, body: body.as_flattened().len() / 8 };
        to_bytes(&Begun::of_span(span), &ended, &known.children, body)
    }
}

/// A record, read from its bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    head: [u64; HEAD],
    children: &'a [u8],
    inputs: &'a [u8],
    output: &'a [u8],
    output_for_eval_metrics: &'a [u8],
    error: &'a [u8],
    draft: &'a [u8],
    target: &'a [u8],
    experiment: &'a [u8],
}

/// The records in a piece of a log of bytes, one behind the other.
#[derive(Clone, Debug)]
pub(crate) struct Records<'a>(&'a [u8]);

impl<'a> Records<'a> {
    pub(crate) fn new(piece: &'a [u8]) -> Self {
        Self(piece)
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        let (record, rest) = Record::split(self.0)?;
        self.0 = rest;
        Some(record)
    }
}

/// The project as logs name it.
#[derive(Clone, Debug, Default)]
pub(crate) struct ProjectRef {
    pub(crate) name: String,
    /// Known once the server has told it.
    pub(crate) uuid: Option<String>,
}

impl<'a> Record<'a> {
    fn split(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let mut head = [0; HEAD];
        let (words, _) = bytes.as_chunks::<8>();
        for (word, chunk) in head.iter_mut().zip(words.get(..HEAD)?) {
            *word = u64::from_le_bytes(*chunk);
        }
        let (whole, after) = bytes.split_at_checked(low(head[BEGUN]) as usize * 8)?;
        let mut rest = whole.get(HEAD * 8..)?;
        let mut section = |bytes: u32| {
            let (section, after) = rest.split_at_checked(bytes as usize)?;
            rest = after;
            Some(section)
        };
        let record = Self {
            head,
            children: section(low(head[BEGUN + 1]) * 16)?,
            inputs: section(low(head[BEGUN + 3]))?,
            output: section(high(head[BEGUN + 3]))?,
            output_for_eval_metrics: section(low(head[BEGUN + 4]))?,
            error: section(high(head[BEGUN + 4]))?,
            draft: section(low(head[BEGUN + 5]))?,
            target: section(high(head[BEGUN + 5]))?,
            experiment: section(high(head[BEGUN + 1]))?,
        };
        Some((record, after))
    }

    /// The record of these bytes, which are one.
    pub(crate) fn read(bytes: &'a [u8]) -> Option<Self> {
        Some(Self::split(bytes)?.0)
    }

    /// Id of the span.
    pub(crate) fn trace_id(&self) -> Uuid {
        self.id(0)
    }

    /// Name of the span.
    pub(crate) fn name(&self) -> &'static str {
        CallSite::by_number(high(self.head[BEGUN])).map_or("", |site| site.name())
    }

    /// A JSON object, or nothing.
    pub(crate) fn inputs(&self) -> &'a [u8] {
        self.inputs
    }

    pub(crate) fn latency(&self) -> Duration {
        Duration::from_nanos(self.head[BEGUN + 2])
    }

    pub(crate) fn has_failed(&self) -> bool {
        let told = || serde_json::from_slice::<Draft>(self.draft).is_ok_and(|draft| !draft.errors.is_empty());
        !self.error.is_empty() || !self.draft.is_empty() && told()
    }

    fn id(&self, at: usize) -> Uuid {
        Uuid::from_u64_pair(self.head[at], self.head[at + 1])
    }

    /// Bytes that its line will have, about.
    pub(crate) fn size(&self) -> usize {
        const FRAME: usize = 640;
        FRAME + low(self.head[BEGUN]) as usize * 8 + self.children.len() * 2
    }

    /// Appends the log as one line of JSON, without a line end. Returns where the members begin that hold what the program
    /// said; before them are names, ids, times, and where the function is.
    pub(crate) fn write_json(&self, project: &ProjectRef, line: &mut Vec<u8>) -> io::Result<usize> {
        let site =
            CallSite::by_number(high(self.head[BEGUN])).ok_or_else(|| io::Error::other("a span of no function"))?;
        let draft = match self.draft {
            [] => Draft::default(),
            draft => serde_json::from_slice(draft)?,
        };
        let latency = Duration::from_nanos(self.head[BEGUN + 2]);
        let (start, end) = clock::interval(Moment(self.head[6]), latency);

        // By hand: what was captured is JSON already and goes through as it is.
        let mut log = Members { line };
        log.line.push(b'{');
        log.id("trace_id", self.id(0));
        log.id("root_trace_id", self.id(4));
        log.id("parent_trace_id", self.id(2));
        log.text("trace_name", site.name());
        if !project.name.is_empty() {
            log.text("project_name", &project.name);
        }
        if let Some(uuid) = &project.uuid {
            log.text("project_uuid", uuid);
        }
        log.time("start_timestamp", start);
        log.time("end_timestamp", end);
        log.json("latency", &latency.as_secs_f64())?;
        log.number("depth", low(self.head[7]));
        log.number("execution_order", high(self.head[7]));
        log.ids("children", self.children);
        let failed = !self.error.is_empty() || !draft.errors.is_empty();
        log.raw("status", if failed { br#""error""# } else { br#""success""# });
        log.raw("configuration", b"{}");
        let sample_rate = Some(f64::from_bits(self.head[HEAD - 1])).filter(|rate| !rate.is_nan());
        let metadata = draft.metadata;
        if metadata.is_empty() && sample_rate.is_none() {
            log.line.extend_from_slice(site.metadata_member().as_bytes());
        }
        let said = log.line.len();
        log.raw("inputs", if self.inputs.is_empty() { b"{}" } else { self.inputs });
        log.value("output", self.output);
        if !self.target.is_empty() {
            log.raw("target", self.target);
        }
        log.value("output_for_eval_metrics", self.output_for_eval_metrics);
        if let Some(deployment) = &draft.deployment_id {
            log.text("deployment_id", deployment);
        }
        if !draft.evaluation_metric_names.is_empty() {
            log.json("evaluation_metric_names", &draft.evaluation_metric_names)?;
        }
        if let Some(fraction) = draft.apply_eval_frac {
            log.json("apply_eval_frac", &fraction)?;
        }
        if sample_rate.is_some() {
            // It has been sampled: with the rate itself the server would do so again.
            log.raw("log_sample_rate", b"1.0");
        }
        if let Some(seconds) = draft.time_to_first_token {
            log.json("time_to_first_token", &seconds)?;
        }
        self.write_error(&draft.errors, &mut log);
        if !draft.scores.is_empty() {
            log.json("scores", &draft.scores)?;
        }
        if !metadata.is_empty() || sample_rate.is_some() {
            let mut metadata = metadata;
            for (key, value) in site.code_attributes() {
                // The user's word wins.
                metadata.entry(key).or_insert_with(|| value.into_owned().into());
            }
            if let Some(rate) = sample_rate {
                metadata.entry(SAMPLE_RATE).or_insert_with(|| rate.to_string().into());
            }
            log.json("metadata", &metadata)?;
        }
        if !draft.tags.is_empty() {
            log.json("tags", &draft.tags)?;
        }
        if let Some(session) = &draft.session_id {
            log.text("session_id", session);
        }
        if let Some(user) = &draft.end_user_identifier {
            log.text("end_user_identifier", user);
        }
        if !self.experiment.is_empty() {
            log.text("experiment_uuid", &String::from_utf8_lossy(self.experiment));
        }
        log.line.push(b'}');
        Ok(said)
    }

    /// The one error as it is; several, such as one told by [`CurrentSpan::error`](crate::CurrentSpan::error) and
    /// the `Err` that was returned afterwards, as a JSON array of their texts.
    fn write_error(&self, told: &[String], log: &mut Members<'_>) {
        match (told, self.error) {
            ([], []) => {}
            ([], error) => match error_text::raw(error) {
                Some(text) => log.text("error", &text),
                None => log.raw("error", error),
            },
            ([one], []) => log.text("error", one),
            (told, error) => {
                let mut all = vec![b'['];
                for text in told {
                    push_member(&mut all, |all| push_text(all, text));
                }
                if !error.is_empty() {
                    push_member(&mut all, |all| match error_text::raw(error) {
                        Some(text) => push_text(all, &text),
                        None => all.extend_from_slice(error),
                    });
                }
                all.push(b']');
                log.text("error", &String::from_utf8_lossy(&all));
            }
        }
    }

    /// The log as a reader of the wire gets it, from the bytes of a record.
    pub(crate) fn log_of(bytes: &[u8]) -> serde_json::Result<TraceLog> {
        let (mut line, said) = Self::line_of(bytes).map_err(serde_json::Error::io)?;
        redact(&mut line, said).map_err(serde_json::Error::io)?;
        fit(&mut line);
        serde_json::from_slice(&line)
    }

    /// The same with the secrets in it, for what looks at it in this process.
    pub(crate) fn whole_log_of(bytes: &[u8]) -> serde_json::Result<TraceLog> {
        serde_json::from_slice(&Self::line_of(bytes).map_err(serde_json::Error::io)?.0)
    }

    fn line_of(bytes: &[u8]) -> io::Result<(Vec<u8>, usize)> {
        let (record, _) = Record::split(bytes).ok_or_else(|| io::Error::other("a record is cut off"))?;
        let mut line = Vec::new();
        let said = record.write_json(&ProjectRef::default(), &mut line)?;
        Ok((line, said))
    }
}

const fn low(word: u64) -> u32 {
    word as u32
}

const fn high(word: u64) -> u32 {
    (word >> 32) as u32
}

/// Puts a comma before all items of a list but the first.
fn push_member(list: &mut Vec<u8>, push: impl FnOnce(&mut Vec<u8>)) {
    if list.last() != Some(&b'[') {
        list.push(b',');
    }
    push(list);
}

/// The members of a JSON object that is being written.
struct Members<'a> {
    line: &'a mut Vec<u8>,
}

impl Members<'_> {
    fn key(&mut self, key: &str) {
        self.line.extend_from_slice(if self.line.last() == Some(&b'{') { b"\"" } else { b",\"" });
        self.line.extend_from_slice(key.as_bytes());
        self.line.extend_from_slice(b"\":");
    }

    fn raw(&mut self, key: &str, json: &[u8]) {
        self.key(key);
        self.line.extend_from_slice(json);
    }

    fn text(&mut self, key: &str, text: &str) {
        self.key(key);
        self.line.push(b'"');
        push_text_body(self.line, text);
        self.line.push(b'"');
    }

    fn json(&mut self, key: &str, value: &impl serde::Serialize) -> io::Result<()> {
        self.key(key);
        serde_json::to_writer(&mut *self.line, value).map_err(io::Error::from)
    }

    fn number(&mut self, key: &str, number: u32) {
        self.key(key);
        self.line.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    }

    fn time(&mut self, key: &str, time: Timestamp) {
        self.key(key);
        self.line.push(b'"');
        time.push(self.line);
        self.line.push(b'"');
    }

    fn id(&mut self, key: &str, id: Uuid) {
        self.key(key);
        push_id(self.line, id);
    }

    fn ids(&mut self, key: &str, pairs: &[u8]) {
        self.key(key);
        self.line.push(b'[');
        for pair in pairs.as_chunks::<16>().0 {
            let (high, low) = pair.split_at(8);
            let word = |half: &[u8]| half.try_into().map(u64::from_le_bytes).unwrap_or_default();
            push_member(self.line, |line| push_id(line, Uuid::from_u64_pair(word(high), word(low))));
        }
        self.line.push(b']');
    }

    /// A captured value as Parea's texts hold it: a string as it is, anything else as its JSON in a string, nothing
    /// for null.
    fn value(&mut self, key: &str, json: &[u8]) {
        match json {
            b"" | b"null" => {}
            [b'"', ..] if is_text(json) => self.raw(key, json),
            _ => self.text(key, &String::from_utf8_lossy(json)),
        }
    }
}

fn push_id(line: &mut Vec<u8>, id: Uuid) {
    line.push(b'"');
    line.extend_from_slice(id.as_hyphenated().encode_lower(&mut Uuid::encode_buffer()).as_bytes());
    line.push(b'"');
}

/// Whether a JSON string is text. Half a surrogate, which a raw value may hold, is none; it stays JSON.
fn is_text(json: &[u8]) -> bool {
    let is_escaped = || json.windows(3).any(|window| matches!(window, [b'\\', b'u', b'd' | b'D']));
    !json.contains(&b'\\') || !is_escaped() || serde_json::from_slice::<String>(json).is_ok()
}

/// One JSON value as Parea's texts hold it: a string as it is, anything else as JSON, nothing for null.
pub(crate) fn text_of(json: &[u8]) -> Option<String> {
    match json {
        b"" | b"null" => None,
        // A string that is no text, such as half a surrogate from a raw value, stays JSON.
        [b'"', ..] if let Ok(text) = serde_json::from_slice(json) => Some(text),
        _ => Some(String::from_utf8_lossy(json).into_owned()),
    }
}

/// The same of an error.
pub(crate) fn error_text_of(section: &[u8]) -> Option<String> {
    error_text::raw(section).map(std::borrow::Cow::into_owned).or_else(|| text_of(section))
}

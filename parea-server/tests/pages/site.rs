//! A server inside the test, and a reader of its pages that trusts none of them.

use parea_server::{Config, Handle, Server};
use serde_json::{Value, json};

pub(crate) struct Site {
    http: reqwest::Client,
    handle: Handle,
    _folder: tempfile::TempDir,
}

/// A page that is as safe as every page must be.
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) html: String,
}

impl Site {
    pub(crate) async fn start() -> Self {
        Self::with(Config::default()).await
    }

    /// On a free port and a fresh folder, whatever the configuration says.
    pub(crate) async fn with(config: Config) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = Config { listen: ([127, 0, 0, 1], 0).into(), data: folder.path().to_owned(), ..config };
        let handle = Server::bind(config).await.unwrap().spawn();
        Self { http: crate::http::client(), handle, _folder: folder }
    }

    pub(crate) fn url(&self) -> &str {
        self.handle.url()
    }

    pub(crate) async fn send(&self, logs: &[Value]) {
        for logs in logs.chunks(1_000) {
            let batch = format!("{}/api/parea/v1/trace_logs", self.url());
            let answer = self
                .http
                .post(batch)
                .header("content-type", "application/json")
                .body(json!(logs).to_string())
                .send()
                .await
                .unwrap();
            let answer: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
            assert_eq!(answer["accepted"], logs.len(), "{answer}");
        }
    }

    /// Tells, as a client does, what it had to give up.
    pub(crate) async fn lose(&self, project: &str, losses: &str) {
        let batch = format!("{}/api/parea/v1/trace_logs", self.url());
        let request = self.http.post(batch).header("content-type", "application/json");
        let request = request.header("x-parea-losses", losses).header("x-parea-project", project);
        assert_eq!(request.send().await.unwrap().status(), 200);
    }

    pub(crate) async fn get(&self, path: &str) -> reqwest::Response {
        let request = self.http.get(format!("{}{path}", self.url())).header("accept", "text/html,*/*;q=0.8");
        request.send().await.unwrap()
    }

    /// The page at `path`, once its headers and its markup were found to be safe.
    pub(crate) async fn page(&self, path: &str) -> Page {
        let answer = self.get(path).await;
        let status = answer.status().as_u16();
        let header = |name: &str| answer.headers().get(name).unwrap_or_else(|| panic!("{name}")).to_str().unwrap();
        let policy = header("content-security-policy");
        assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'") && policy.contains("base-uri 'none'"), "{policy}");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("referrer-policy"), "no-referrer");
        assert!(header("content-type").starts_with("text/html"));
        let html = answer.text().await.unwrap();
        for tag in tags(&html) {
            judge(&tag);
        }
        Page { status, html }
    }
}

impl Page {
    /// Addresses of the links whose markup contains `mark`, in order.
    pub(crate) fn links(&self, mark: &str) -> Vec<String> {
        let links = tags(&self.html).into_iter().filter(|tag| tag.name == "a" && tag.text.contains(mark));
        links.filter_map(|tag| Some(tag.attributes.into_iter().find(|(name, _)| name == "href")?.1)).collect()
    }
}

struct Tag {
    name: String,
    /// Names in lower case; values with their entities read.
    attributes: Vec<(String, String)>,
    text: String,
}

/// No tag runs, styles, loads or leads where only our own assets and pages should.
fn judge(tag: &Tag) {
    const KNOWN: &str = "html head meta title link script body header a svg path circle symbol use rect line text button form \
        select option nav main section table thead tbody tr th td time span i b div p h1 h2 h3 h4 dl dt dd ul ol li code pre \
        kbd details summary small figure figcaption img footer input mark";
    assert!(KNOWN.split_whitespace().any(|known| known == tag.name), "a tag that no template has: {}", tag.text);
    for (name, value) in &tag.attributes {
        assert!(name != "style" && !name.starts_with("on") && name != "srcdoc", "{}", tag.text);
        let local = value.starts_with(['/', '?', '#']) && !value.starts_with("//");
        match name.as_str() {
            "href" | "action" => assert!(local, "{}", tag.text),
            "src" if tag.name == "img" => assert!(value.starts_with("data:image/"), "{}", tag.text),
            "src" => assert!(value.starts_with("/assets/"), "{}", tag.text),
            _ => {}
        }
    }
    if tag.name == "script" {
        assert!(tag.attributes.iter().any(|(name, _)| name == "src"), "{}", tag.text);
    }
}

/// Every start tag as a browser would read it.
fn tags(html: &str) -> Vec<Tag> {
    let mut tags = Vec::new();
    for (at, _) in html.match_indices('<') {
        let rest = &html[at + 1..];
        if !rest.starts_with(|first: char| first.is_ascii_alphabetic()) {
            continue;
        }
        let mut quote = None;
        let end = rest.find(|character| {
            match (quote, character) {
                (None, '"' | '\'') => quote = Some(character),
                (Some(open), close) if open == close => quote = None,
                _ => {}
            }
            quote.is_none() && character == '>'
        });
        let text = &rest[..end.unwrap_or(rest.len())];
        let name: String = text.chars().take_while(char::is_ascii_alphanumeric).collect();
        let attributes = attributes(&text[name.len()..]);
        tags.push(Tag { name: name.to_ascii_lowercase(), attributes, text: text.to_owned() });
    }
    tags
}

fn attributes(mut text: &str) -> Vec<(String, String)> {
    let mut attributes = Vec::new();
    loop {
        text = text.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
        let end = text.find(|c: char| c.is_whitespace() || c == '=').unwrap_or(text.len());
        if end == 0 {
            return attributes;
        }
        let name = text[..end].to_ascii_lowercase();
        text = &text[end..];
        let mut value = "";
        if let Some(after) = text.strip_prefix('=') {
            let quoted = after.strip_prefix('"').unwrap_or_else(|| panic!("an unquoted value: {after:.80}"));
            let close = quoted.find('"').unwrap();
            (value, text) = (&quoted[..close], &quoted[close + 1..]);
        }
        let read = value.replace("&#34;", "\"").replace("&#39;", "'").replace("&lt;", "<").replace("&gt;", ">");
        attributes.push((name, read.replace("&#38;", "&").replace("&amp;", "&")));
    }
}

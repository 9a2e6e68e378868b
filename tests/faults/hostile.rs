//! A server that does what servers should not, until it is told to be good.

use std::{
    collections::{BTreeMap, HashSet},
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// What it does to each request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    Good,
    /// Goes away in the middle of the request's body.
    Resets,
    /// Reads the request and never says a word.
    Hangs,
    /// Answers what it should, one byte at a time.
    Dribbles,
    /// Each answer takes so many milliseconds.
    TakesItsTime(u64),
    /// 413 to a body of more bytes.
    TakesOnly(usize),
    /// A status code that is no success.
    Says(u16),
    /// 429, and asks for so many seconds.
    SaysLater(u32),
    /// Goes away in the middle of its answer.
    HalfAnswers,
    /// Takes everything, and says that it took more than there are.
    Miscounts,
    /// 200 with something that is no JSON, to whatever is asked.
    Babbles,
    /// An answer without end.
    Floods,
    /// Takes no log for good.
    Rejects,
    /// Takes bodies of [`MOST_TAKEN`] bytes at most, and no log with [`POISON`] in it: refuses that one or, every other
    /// time, the whole batch. Of one with [`CHOKER`] in it, it says 500.
    IsStrict,
    /// 500 to whatever has [`CHOKER`] in it, for ever.
    Chokes,
    /// 500 to all logs, one by one or together, and to nothing else.
    ChokesOnAll,
    /// As `Chokes`, and takes logs one by one only.
    ChokesSingly,
    /// Strict until it has heard of losses, and then silent.
    IsStrictUntilLosses,
    /// Strict to every other request; the others meet with trouble, of one kind or another.
    IsMoody,
}

/// What a strict server takes at once.
pub(crate) const MOST_TAKEN: usize = 100_000;

/// What it never takes.
pub(crate) const POISON: &str = "poisoned";

/// What it fails on.
pub(crate) const CHOKER: &str = "choker";

impl Manner {
    /// What is done to one request.
    fn once(self) -> Self {
        const MOODS: [Manner; 8] = [
            Manner::Says(500),
            Manner::Says(503),
            Manner::SaysLater(0),
            Manner::Resets,
            Manner::Resets,
            Manner::HalfAnswers,
            Manner::HalfAnswers,
            Manner::TakesItsTime(250),
        ];
        match self {
            Self::IsMoody if fastrand::bool() => Self::IsStrict,
            Self::IsMoody => MOODS[fastrand::usize(..MOODS.len())],
            manner => manner,
        }
    }
}

/// Logs that are kept whole; of others the id will do.
const MOST_KEPT: usize = 10_000;

/// A server on a port of this machine.
pub(crate) struct Hostile {
    state: Arc<State>,
    pub(crate) address: SocketAddr,
}

struct State {
    manner: Mutex<Manner>,
    requests: Mutex<usize>,
    ids: Mutex<HashSet<String>>,
    /// The first of the logs by id, with the place in which each came first.
    logs: Mutex<BTreeMap<String, (usize, Value)>>,
    /// What clients told of their losses, and of which project; each report once.
    losses: Mutex<Vec<(String, String)>>,
    /// The ids of these reports.
    reports: Mutex<HashSet<String>>,
}

impl Hostile {
    pub(crate) async fn start(manner: Manner) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").await.unwrap(), manner)
    }

    pub(crate) fn on(listener: TcpListener, manner: Manner) -> Self {
        let state = Arc::new(State {
            manner: Mutex::new(manner),
            requests: Mutex::default(),
            ids: Mutex::default(),
            logs: Mutex::default(),
            losses: Mutex::default(),
            reports: Mutex::default(),
        });
        let address = listener.local_addr().unwrap();
        let served = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                // A connection that breaks is the point.
                tokio::spawn(answer(Arc::clone(&served), socket));
            }
        });
        Self { state, address }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn behave(&self, manner: Manner) {
        *self.state.manner.lock().unwrap() = manner;
    }

    pub(crate) fn requests(&self) -> usize {
        *self.state.requests.lock().unwrap()
    }

    /// Waits for so many of them.
    pub(crate) async fn requested(&self, wanted: usize) {
        let enough = async {
            while self.requests() < wanted {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), enough).await.unwrap();
    }

    pub(crate) fn count(&self) -> usize {
        self.state.ids.lock().unwrap().len()
    }

    pub(crate) fn losses(&self) -> Vec<(String, String)> {
        self.state.losses.lock().unwrap().clone()
    }

    /// All logs by id.
    pub(crate) fn logs(&self) -> BTreeMap<String, Value> {
        let logs = self.state.logs.lock().unwrap();
        assert!(logs.len() < MOST_KEPT, "more logs than are kept");
        logs.iter().map(|(id, (_, log))| (id.clone(), log.clone())).collect()
    }

    /// A log of that name.
    pub(crate) fn log(&self, name: &str) -> Option<Value> {
        let logs = self.state.logs.lock().unwrap();
        logs.values().map(|(_, log)| log).find(|log| log["trace_name"] == name).cloned()
    }

    /// The `n` of all logs of that name, in the order in which they came.
    pub(crate) fn numbers(&self, name: &str) -> Vec<u64> {
        let logs = self.state.logs.lock().unwrap();
        let mut found: Vec<_> = logs.values().filter(|(_, log)| log["trace_name"] == name).collect();
        found.sort_by_key(|(place, _)| *place);
        found.iter().map(|(_, log)| log["inputs"]["n"].as_u64().unwrap()).collect()
    }
}

/// What a request says of losses, and of which project; and the report's id.
type Losses = ((String, String), String);

impl State {
    /// Counts a report that it does not know.
    fn hear(&self, losses: Option<Losses>) {
        if let Some((losses, id)) = losses
            && self.reports.lock().unwrap().insert(id)
        {
            self.losses.lock().unwrap().push(losses);
        }
    }

    /// What a strict server answers.
    fn judge(&self, path: &str, body: &str) -> String {
        let (poisoned, pure): (Vec<_>, Vec<_>) = body.lines().enumerate().partition(|(_, line)| line.contains(POISON));
        if body.contains(CHOKER) {
            return choked();
        }
        if body.len() > MOST_TAKEN {
            return written("413 Too large", "", r#"{"detail":"too large"}"#);
        }
        if !poisoned.is_empty() && (path.ends_with("/trace_log") || fastrand::bool()) {
            return written("422 No", "", r#"{"detail":"poisoned"}"#);
        }
        let mut answer = self.take(path, &pure.iter().map(|(_, line)| *line).collect::<Vec<_>>().join("\n"));
        if !poisoned.is_empty() {
            answer["rejected"] = poisoned.iter().map(|(index, _)| json!({"index": index, "detail": "no"})).collect();
        }
        written("200 OK", "", &answer.to_string())
    }

    /// What a good server answers.
    fn take(&self, path: &str, body: &str) -> Value {
        match path.rsplit('/').next().unwrap() {
            "project" => {
                json!({"name": "faults", "uuid": "p", "created_at": "2024-05-30 13:48:34", "was_created": true})
            }
            "" => json!({}),
            _ => {
                let mut logs = self.logs.lock().unwrap();
                let lines: Vec<Value> = body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
                let accepted = lines.len();
                for log in lines {
                    let (place, id) = (logs.len(), log["trace_id"].as_str().unwrap().to_owned());
                    self.ids.lock().unwrap().insert(id.clone());
                    if place < MOST_KEPT {
                        logs.entry(id).or_insert((place, log));
                    }
                }
                json!({"accepted": accepted, "rejected": []})
            }
        }
    }
}

const OK: &str = "HTTP/1.1 200 OK";

fn written(status: &str, more: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nconnection: close\r\n{more}content-length: {}\r\n\r\n{body}", body.len())
}

fn choked() -> String {
    written("500 Oh", "", r#"{"detail":"choked"}"#)
}

async fn answer(state: Arc<State>, mut socket: TcpStream) -> std::io::Result<()> {
    let mut request = Vec::new();
    let head = loop {
        if let Some(end) = request.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        if socket.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    };
    *state.requests.lock().unwrap() += 1;
    let header = String::from_utf8_lossy(&request[..head]).to_ascii_lowercase();
    let length = header.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
    let manner = *state.manner.lock().unwrap();
    let (is_strict, manner) = match manner {
        Manner::IsStrictUntilLosses if state.losses.lock().unwrap().is_empty() => (true, Manner::IsStrict),
        Manner::IsStrictUntilLosses => (true, Manner::Hangs),
        manner => (matches!(manner, Manner::IsStrict | Manner::IsMoody), manner.once()),
    };
    let told = |name: &str| header.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().to_owned();
    let losses = header.contains("x-parea-losses: ").then(|| {
        let losses = (told("x-parea-losses: "), told("x-parea-project: "));
        (losses, told("x-parea-losses-id: "))
    });
    // A strict one has heard of them when it takes what comes along.
    if !is_strict {
        state.hear(losses.clone());
    }
    if manner == Manner::Resets {
        // With what was sent unread, closing is a reset.
        return Ok(());
    }
    while request.len() < head + length {
        if socket.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    let path = header.split(' ').nth(1).unwrap().to_owned();
    let body = String::from_utf8(request[head..].to_vec()).unwrap();
    let good = || state.take(&path, &body).to_string();
    let regular = || {
        if !is_strict {
            return written("200 OK", "", &good());
        }
        let answer = state.judge(&path, &body);
        if answer.starts_with(OK) {
            state.hear(losses);
        }
        answer
    };
    match manner {
        Manner::ChokesOnAll if path.contains("/trace_log") => socket.write_all(choked().as_bytes()).await,
        Manner::ChokesSingly if path.ends_with("/trace_logs") => {
            socket.write_all(written("404 No", "", r#"{"detail":"not here"}"#).as_bytes()).await
        }
        Manner::Chokes | Manner::ChokesSingly if body.contains(CHOKER) => socket.write_all(choked().as_bytes()).await,
        Manner::IsStrict | Manner::TakesItsTime(_) => {
            if let Manner::TakesItsTime(milliseconds) = manner {
                tokio::time::sleep(Duration::from_millis(milliseconds)).await;
            }
            socket.write_all(regular().as_bytes()).await
        }
        Manner::Dribbles => {
            for byte in written("200 OK", "", &good()).bytes() {
                socket.write_all(&[byte]).await?;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Ok(())
        }
        Manner::TakesOnly(bytes) if body.len() > bytes => {
            socket.write_all(written("413 Too large", "", r#"{"detail":"too large"}"#).as_bytes()).await
        }
        Manner::Good | Manner::TakesOnly(_) | Manner::Chokes | Manner::ChokesSingly | Manner::ChokesOnAll => {
            socket.write_all(written("200 OK", "", &good()).as_bytes()).await
        }
        Manner::Hangs => {
            tokio::time::sleep(Duration::from_secs(60)).await;
            Ok(())
        }
        Manner::Says(status) => {
            let answer = written(&format!("{status} No"), "", r#"{"detail":"not now"}"#);
            socket.write_all(answer.as_bytes()).await
        }
        Manner::SaysLater(seconds) => {
            let answer = written("429 Later", &format!("retry-after: {seconds}\r\n"), "{}");
            socket.write_all(answer.as_bytes()).await
        }
        Manner::HalfAnswers => {
            let answer = regular();
            socket.write_all(&answer.as_bytes()[..answer.len() - 10]).await
        }
        Manner::Babbles => socket.write_all(written("200 OK", "", "<html>Please log in</html>").as_bytes()).await,
        Manner::Miscounts => {
            let mut answer = state.take(&path, &body);
            if !answer["accepted"].is_null() {
                answer = json!({"accepted": u64::MAX, "rejected": [{}]});
            }
            socket.write_all(written("200 OK", "", &answer.to_string()).as_bytes()).await
        }
        Manner::Floods => {
            socket.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
            loop {
                socket.write_all(&[b' '; 8 * 1024]).await?;
            }
        }
        Manner::Rejects => {
            let mut answer = state.take(&path, &body);
            if let Some(count) = answer["accepted"].as_u64() {
                let rejected: Vec<_> = (0..count).map(|index| json!({"index": index, "detail": "no"})).collect();
                answer = json!({"accepted": 0, "rejected": rejected});
            }
            socket.write_all(written("200 OK", "", &answer.to_string()).as_bytes()).await
        }
        Manner::Resets | Manner::IsMoody | Manner::IsStrictUntilLosses => unreachable!("done with above"),
    }
}

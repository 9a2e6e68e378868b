//! The DevTools protocol: commands with their answers, and events between them.

use std::{net::TcpStream, time::Duration};

use serde_json::{Value, json};
use tungstenite::{Message, WebSocket};

/// How long a browser may stay silent before the test gives up on it.
const PATIENCE: Duration = Duration::from_secs(60);

/// One connection to a browser, and through it to one of its tabs.
pub(crate) struct Connection {
    socket: WebSocket<TcpStream>,
    session: Option<String>,
    last_id: u64,
    /// What the tab has complained about: errors on the console, exceptions, failed loads, violations of its policy.
    problems: Vec<String>,
}

impl Connection {
    pub(crate) fn open(address: &str) -> Self {
        let host = address.strip_prefix("ws://").and_then(|rest| rest.split('/').next()).unwrap();
        let stream = TcpStream::connect(host).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        let (socket, _) = tungstenite::client(address, stream).unwrap();
        Self { socket, session: None, last_id: 0, problems: Vec::new() }
    }

    /// Opens a tab, which all further commands are for.
    pub(crate) fn attach(&mut self) {
        let target = self.call("Target.createTarget", json!({ "url": "about:blank" })).unwrap();
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = self.call("Target.attachToTarget", attach).unwrap();
        self.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Audits"] {
            self.call(&format!("{domain}.enable"), json!({})).unwrap();
        }
    }

    /// Sends a command and waits for its answer; an `Err` is the browser's refusal.
    pub(crate) fn call(&mut self, method: &str, params: Value) -> Result<Value, String> {
        self.last_id += 1;
        let mut command = json!({ "id": self.last_id, "method": method });
        command["params"] = params;
        if let Some(session) = &self.session {
            command["sessionId"] = session.as_str().into();
        }
        self.socket.send(Message::text(command.to_string())).unwrap();
        loop {
            let Message::Text(text) = self.socket.read().unwrap_or_else(|error| panic!("{method}: {error}")) else {
                continue;
            };
            let mut message: Value = serde_json::from_str(&text).unwrap();
            if message["id"] == self.last_id {
                return match message["error"]["message"].as_str() {
                    Some(error) => Err(format!("{method}: {error}")),
                    None => Ok(message["result"].take()),
                };
            }
            self.problems.extend(problem(&message));
        }
    }

    /// What the tab has complained about since the last time.
    pub(crate) fn take_problems(&mut self) -> Vec<String> {
        std::mem::take(&mut self.problems)
    }

    /// Asks the browser to end, and tells whether it heard.
    pub(crate) fn close_browser(&mut self) -> bool {
        let close = json!({ "id": self.last_id + 1, "method": "Browser.close" });
        if self.socket.send(Message::text(close.to_string())).is_err() {
            return false;
        }
        // It hangs up when it ends.
        loop {
            match self.socket.read() {
                Ok(_) => {}
                Err(tungstenite::Error::Io(error)) if error.kind() == std::io::ErrorKind::WouldBlock => return false,
                Err(_) => return true,
            }
        }
    }
}

/// What an event complains about, if it does.
fn problem(event: &Value) -> Option<String> {
    let params = &event["params"];
    let bad = match event["method"].as_str()? {
        "Log.entryAdded" => ["error", "warning"].contains(&params["entry"]["level"].as_str()?),
        "Runtime.consoleAPICalled" => ["error", "warning", "assert"].contains(&params["type"].as_str()?),
        "Runtime.exceptionThrown" => true,
        "Audits.issueAdded" => params["issue"]["code"] == "ContentSecurityPolicyIssue",
        _ => false,
    };
    bad.then(|| params.to_string())
}

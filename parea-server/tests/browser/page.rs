//! A tab as its user has it: what is on it, and what can be done to it.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::chromium::Chromium;

/// How long something may take to appear.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often one looks whether it has.
const GLANCE: Duration = Duration::from_millis(10);

pub(crate) struct Page {
    browser: Chromium,
    origin: String,
}

impl Page {
    /// A tab of a fresh browser, 1440 pixels wide, with nothing in it.
    pub(crate) fn new(origin: &str) -> Self {
        let mut browser = Chromium::start();
        browser.connection.attach();
        let mut page = Self { browser, origin: origin.to_owned() };
        page.resize(1440, 900);
        page
    }

    /// The same at an address of the site.
    pub(crate) fn at(origin: &str, path: &str) -> Self {
        let mut page = Self::new(origin);
        page.open(path);
        page
    }

    /// Types an address and waits until the page is there.
    pub(crate) fn open(&mut self, path: &str) {
        let url = format!("{}{path}", self.origin);
        let answer = self.command("Page.navigate", json!({ "url": url }));
        assert!(answer["errorText"].is_null(), "{url}: {answer}");
        self.settle(path);
    }

    /// Waits until the page of that address is there.
    pub(crate) fn settle(&mut self, path: &str) {
        self.until(&format!(
            "document.readyState === 'complete' && location.pathname + location.search === {}",
            Value::from(path)
        ));
    }

    /// Waits until what is there is drawn, with whatever that sets off.
    pub(crate) fn drawn(&mut self) {
        self.eval("new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(() => drawn(true))))");
    }

    /// The path and query that the address bar shows.
    pub(crate) fn address(&mut self) -> String {
        self.text("location.pathname + location.search")
    }

    /// One step back or forward, as the browser's buttons go.
    pub(crate) fn travel(&mut self, step: i64) {
        let history = self.command("Page.getNavigationHistory", json!({}));
        let at = usize::try_from(history["currentIndex"].as_i64().unwrap() + step).unwrap();
        self.command("Page.navigateToHistoryEntry", json!({ "entryId": history["entries"][at]["id"] }));
    }

    pub(crate) fn reload(&mut self) {
        let path = self.address();
        self.eval("window.before = true");
        self.command("Page.reload", json!({}));
        self.until("!window.before");
        self.settle(&path);
    }

    /// Clicks with the mouse on the middle of what the expression yields.
    pub(crate) fn click(&mut self, element: &str) {
        let place = self.eval(&format!(
            "(() => {{
                const element = {element};
                element.scrollIntoView({{ block: 'center', behavior: 'instant' }});
                const box = element.getClientRects()[0];
                return [box.x + box.width / 2, box.y + box.height / 2];
            }})()"
        ));
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({ "type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1 });
            self.command("Input.dispatchMouseEvent", event);
        }
    }

    /// Presses one key.
    pub(crate) fn press(&mut self, key: &str) {
        let text = if key == "Enter" { "\r" } else { key };
        let code = if key == "Enter" { 13 } else { 0 };
        for kind in ["keyDown", "keyUp"] {
            let mut event = json!({ "type": kind, "key": key, "windowsVirtualKeyCode": code });
            if kind == "keyDown" {
                event["text"] = text.into();
            }
            self.command("Input.dispatchKeyEvent", event);
        }
    }

    /// Chooses an option of a select box, whose list is not part of the page.
    pub(crate) fn choose(&mut self, select: &str, value: &str) {
        let chosen = self.eval(&format!(
            "(() => {{
                const select = {select};
                select.value = {value};
                select.dispatchEvent(new Event('change', {{ bubbles: true }}));
                return select.value;
            }})()",
            value = Value::from(value)
        ));
        assert_eq!(chosen, value, "{select} has no such option");
    }

    /// Pixels of the window.
    pub(crate) fn resize(&mut self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.command("Emulation.setDeviceMetricsOverride", size);
    }

    /// What the system prefers: `light` or `dark`.
    pub(crate) fn prefer(&mut self, scheme: &str) {
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.command("Emulation.setEmulatedMedia", features);
    }

    /// Whether pages may run scripts.
    pub(crate) fn scripts(&mut self, allowed: bool) {
        self.command("Emulation.setScriptExecutionDisabled", json!({ "value": !allowed }));
    }

    /// The value of an expression in the page.
    pub(crate) fn eval(&mut self, expression: &str) -> Value {
        self.attempt(expression).unwrap_or_else(|error| panic!("{expression}\n{error}"))
    }

    /// The same for a text.
    pub(crate) fn text(&mut self, expression: &str) -> String {
        let value = self.eval(expression);
        value.as_str().unwrap_or_else(|| panic!("{expression} is {value}")).to_owned()
    }

    /// The same for a list of texts.
    pub(crate) fn texts(&mut self, expression: &str) -> Vec<String> {
        serde_json::from_value(self.eval(expression)).unwrap()
    }

    /// Waits until an expression is true; pages may come and go meanwhile.
    pub(crate) fn until(&mut self, condition: &str) {
        let begun = Instant::now();
        loop {
            let seen = self.attempt(condition);
            if seen == Ok(Value::Bool(true)) {
                return;
            }
            if begun.elapsed() > PATIENCE {
                let (address, problems) = (self.attempt("location.href"), self.problems());
                panic!("waited in vain for: {condition}\nit is {seen:?} at {address:?}; {problems:#?}");
            }
            thread::sleep(GLANCE);
        }
    }

    /// What the browser has complained about since the last time.
    pub(crate) fn problems(&mut self) -> Vec<String> {
        self.browser.connection.take_problems()
    }

    /// Asserts that the browser had nothing to complain about.
    pub(crate) fn assert_quiet(&mut self) {
        self.eval("document.readyState");
        let problems = self.problems();
        assert!(problems.is_empty(), "{problems:#?}");
    }

    fn attempt(&mut self, expression: &str) -> Result<Value, String> {
        let params = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let mut answer = self.browser.connection.call("Runtime.evaluate", params)?;
        match answer.get("exceptionDetails") {
            Some(exception) => Err(exception.to_string()),
            None => Ok(answer["result"]["value"].take()),
        }
    }

    fn command(&mut self, method: &str, params: Value) -> Value {
        self.browser.connection.call(method, params).unwrap_or_else(|error| panic!("{error}"))
    }
}

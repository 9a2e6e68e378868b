//! Two processes, one trace: a service that calls a service, both with logs to our server.
//!
//! The processes are this test binary again, told what to do.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "this is a test")]

use std::{
    collections::{BTreeMap, HashMap},
    io::{BufRead as _, BufReader, Read as _},
    process::{Child, Command, Stdio},
    time::Duration,
};

use axum::{Router, http::HeaderMap, routing::get};
use parea::{
    ApiClient,
    propagation::{
        BAGGAGE, Propagator, Remote, TRACEPARENT, TRACESTATE, inject,
        tower::{InboundLayer, OutboundLayer},
    },
    testing::{capture, capture_async},
    types::QueryParamsPagination,
};
use parea_server::{Config, Server};
use tower::{Layer as _, Service, ServiceExt as _};

// ---- the service behind ----

#[parea::trace]
async fn rank(case: String) -> usize {
    tokio::task::yield_now().await;
    weigh(case.len())
}

#[parea::trace]
fn weigh(n: usize) -> usize {
    n
}

/// What arrived, as text.
async fn ranked(axum::extract::Path(case): axum::extract::Path<String>, headers: HeaderMap) -> String {
    rank(case).await;
    let sent = |name| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    format!("{:?}", [TRACEPARENT, TRACESTATE, BAGGAGE].map(|name| sent(name).is_some()))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a process that another test starts"]
async fn behind() {
    let guard = parea::builder().project("mesh").init().unwrap();
    let trusted = Router::new().route("/trusted/{case}", get(ranked)).layer(InboundLayer::new().trust_all());
    let wary = Router::new().route("/wary/{case}", get(ranked)).layer(InboundLayer::new());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("\nLISTENS {}", listener.local_addr().unwrap());
    let serving = axum::serve(listener, trusted.merge(wary));
    let told_to_stop = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()).unwrap());
    serving.with_graceful_shutdown(async { drop(told_to_stop.await) }).await.unwrap();
    assert!(guard.flush(Duration::from_secs(10)).is_complete());
}

// ---- the service before ----

fn client() -> reqwest::Client {
    // Nothing here is encrypted, but a client wants to be able to.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

#[parea::trace]
async fn front(url: String) {
    parea::current().target("expected, 100 %");
    let host = url.strip_prefix("http://").unwrap();
    let get = |path: &str| client().get(format!("{url}{path}")).build().unwrap();
    let listed = Propagator::to_hosts([host]);

    let middleware = reqwest_middleware::ClientBuilder::new(client()).with(listed.clone()).build();
    print_answer("middleware", middleware.execute(get("/trusted/middleware")).await.unwrap()).await;

    let mut service = OutboundLayer::new(listed.clone()).layer(client());
    print_answer("layer", service.ready().await.unwrap().call(get("/trusted/layer")).await.unwrap()).await;

    let mut request = get("/trusted/unlisted");
    Propagator::to_hosts(["other.internal"]).inject_request(&mut request);
    print_answer("unlisted", client().execute(request).await.unwrap()).await;

    let mut request = get("/wary/wary");
    listed.inject_request(&mut request);
    print_answer("wary", client().execute(request).await.unwrap()).await;
}

async fn print_answer(case: &str, answer: reqwest::Response) {
    println!("\nSENT {case} {}", answer.text().await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a process that another test starts"]
async fn before() {
    let guard = parea::builder().project("mesh").init().unwrap();
    front(std::env::var("BEHIND").unwrap()).await;
    assert!(guard.flush(Duration::from_secs(10)).is_complete());
}

// ---- the story ----

fn process(name: &str, server: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([name, "--exact", "--ignored", "--nocapture", "--test-threads=1"]);
    command.env_remove("PAREA_API_KEY").env_remove("TURN_OFF_PAREA_LOGGING").env("PAREA_BASE_URL", server);
    command.stdout(Stdio::piped());
    command
}

/// Waits until the process has said where it listens.
fn listens(process: &mut Child) -> String {
    let lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let mut lines = lines.map(Result::unwrap);
    let address = lines.find_map(|line| line.strip_prefix("LISTENS ").map(str::to_owned)).unwrap();
    // What it says later must not fill the pipe.
    std::thread::spawn(move || lines.for_each(drop));
    format!("http://{address}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_calls_a_service_is_one_tree() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config { listen: ([127, 0, 0, 1], 0).into(), data: folder.path().into(), ..Config::default() };
    let server = Server::bind(config).await.unwrap().spawn();
    let url = server.url().to_owned();
    let sent = tokio::task::spawn_blocking(move || {
        let mut behind = process("behind", &url).stdin(Stdio::piped()).spawn().unwrap();
        let address = listens(&mut behind);
        let before = process("before", &url).env("BEHIND", address).output().unwrap();
        assert!(before.status.success(), "{before:?}");
        drop(behind.stdin.take());
        assert!(behind.wait().unwrap().success());
        String::from_utf8(before.stdout).unwrap()
    })
    .await
    .unwrap();
    let sent: BTreeMap<_, _> = sent.lines().filter_map(|line| line.strip_prefix("SENT ")?.split_once(' ')).collect();
    let all = "[true, true, true]";
    let expected = [("layer", all), ("middleware", all), ("unlisted", "[true, false, false]"), ("wary", all)];
    assert_eq!(sent, BTreeMap::from(expected));

    let api = ApiClient::new(server.url(), None).unwrap();
    let page = api.trace_logs(&QueryParamsPagination::new("mesh").page_size(100)).await.unwrap();
    assert_eq!(page.total, 9);
    let logs: HashMap<_, _> = page.results.iter().map(|tree| (&*tree.log.trace_id, &tree.log)).collect();
    let front = logs.values().find(|log| log.trace_name.as_deref() == Some("front")).unwrap();
    let tree = api.trace_log(&front.trace_id).await.unwrap().unwrap();
    assert_eq!(tree.iter().count(), 7, "all but what was asked in the wary way");
    for log in logs.values().filter(|log| log.trace_name.as_deref() == Some("rank")) {
        let case = log.inputs.as_ref().unwrap()["case"].as_str().unwrap();
        let root = if case == "wary" { &log.trace_id } else { &front.trace_id };
        let (parent, depth) = if case == "wary" { (&log.trace_id, 0) } else { (&front.trace_id, 1) };
        assert_eq!(
            (log.root_trace_id.as_ref(), log.parent_trace_id.as_ref(), log.depth),
            (Some(root), Some(parent), depth),
            "{case}"
        );
        let told = ["middleware", "layer"].contains(&case);
        assert_eq!(log.target.as_deref(), told.then_some("expected, 100 %"), "{case}");
        let child = logs
            .values()
            .find(|child| child.parent_trace_id.as_ref() == Some(&log.trace_id) && child.trace_id != log.trace_id);
        let child = child.unwrap();
        assert_eq!((child.depth, child.execution_order), (depth + 1, log.execution_order + 1), "{case}");
        assert_eq!(child.root_trace_id.as_ref(), Some(root), "{case}");
    }
    server.shutdown().await;
}

// ---- within one process ----

#[parea::trace]
fn outer<C: parea::propagation::Carrier>(carrier: C) -> (C, String) {
    middle(carrier)
}

#[parea::trace(skip(carrier))]
fn middle<C: parea::propagation::Carrier>(mut carrier: C) -> (C, String) {
    inject(&mut carrier);
    (carrier, parea::current().trace_id().unwrap())
}

#[test]
fn any_map_of_texts_carries_a_trace() {
    fn goes_through<C: parea::propagation::Carrier>(empty: C) {
        let ((caller, names), traces) = capture(|| {
            let (carrier, caller) = outer(empty);
            let remote = Remote::extract(&carrier).unwrap();
            assert_eq!(remote.trace_id().as_ref(), Some(&caller));
            remote.context().enter(|| weigh(1));
            let names = [TRACEPARENT, TRACESTATE, BAGGAGE].map(|name| carrier.values(name).len());
            (caller, names)
        });
        assert_eq!(names, [1, 1, 0], "without a target there is no baggage");
        let weighed = traces.logs().iter().find(|log| log.trace_name.as_deref() == Some("weigh")).unwrap();
        assert_eq!(weighed.parent_trace_id.as_ref(), Some(&caller));
        assert_eq!((weighed.depth, weighed.execution_order), (2, 2));
        assert_eq!(traces.tree(), "outer (ok)\n└─ middle (ok)\n   └─ weigh (ok)\n");
    }
    goes_through(HashMap::<String, String>::new());
    goes_through(BTreeMap::<String, String>::new());
    goes_through(Vec::<(String, String)>::new());
    goes_through(HeaderMap::new());
}

#[test]
fn what_others_wrote_stays_and_what_nobody_wrote_leads_nowhere() {
    let mut headers = HeaderMap::new();
    inject(&mut headers);
    assert!(headers.is_empty(), "outside of a span there is nothing to say");
    assert!(Remote::extract(&headers).is_none());

    // Another tracer's header stays, ours goes beside it, and the next process still finds its parent.
    let foreign = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    headers.insert(TRACEPARENT, foreign.parse().unwrap());
    headers.insert(TRACESTATE, "other=1".parse().unwrap());
    headers.insert(BAGGAGE, "user=alice".parse().unwrap());
    let (ids, _) = capture(|| {
        // Known of it is the trace alone: what starts here hangs below its root.
        let remote = Remote::extract(&headers).unwrap();
        assert_eq!(remote.root_trace_id().as_deref(), Some("0af76519-16cd-43dd-8448-eb211c80319c"));
        assert_eq!(remote.baggage("user").as_deref(), Some("alice"));
        let (mut sent, caller) = remote.context().enter(|| outer(headers.clone()));
        assert_eq!(sent[TRACEPARENT], foreign);
        assert!(sent[TRACESTATE].to_str().unwrap().ends_with(",other=1"));
        assert_eq!(Remote::extract(&sent).unwrap().trace_id(), Some(caller));
        // What earlier callers said goes on, also where it was not copied by hand.
        sent.clear();
        Remote::extract(&headers).unwrap().context().enter(|| inject(&mut sent));
        assert_eq!(sent[BAGGAGE], "user=alice");
        assert!(sent[TRACESTATE].to_str().unwrap().ends_with(",other=1"));
        Remote::extract(&sent).unwrap().root_trace_id()
    });
    assert_eq!(ids.as_deref(), Some("0af76519-16cd-43dd-8448-eb211c80319c"));
    headers.append(TRACEPARENT, foreign.parse().unwrap());
    assert!(Remote::extract(&headers).is_none(), "two are none");
}

#[parea::trace(log_sample_rate = 0.0)]
fn left_out() -> HeaderMap {
    let mut headers = HeaderMap::new();
    inject(&mut headers);
    headers
}

#[parea::trace(log_sample_rate = 1.0)]
fn kept() -> HeaderMap {
    let mut headers = HeaderMap::new();
    inject(&mut headers);
    headers
}

#[test]
fn whether_a_trace_is_in_the_sample_is_decided_once_for_all_processes() {
    let ((), traces) = capture(|| {
        let headers = left_out();
        assert!(headers[TRACEPARENT].to_str().unwrap().ends_with("-00"));
        let remote = Remote::extract(&headers).unwrap();
        assert_eq!(remote.root_trace_id(), None);
        remote.context().enter(|| weigh(1));
        Remote::extract(&kept()).unwrap().context().enter(|| weigh(2));
    });
    assert_eq!(traces.tree(), "kept (ok)\n└─ weigh (ok)\n");
    for log in traces.logs() {
        assert_eq!((log.log_sample_rate, &log.metadata.as_ref().unwrap()["sample_rate"]), (Some(1.0), &"1".into()));
    }
}

#[tokio::test]
async fn a_request_leaves_no_context_behind() {
    let service = InboundLayer::new().trust_all().layer(tower::service_fn(|_: http::Request<()>| async {
        tokio::task::yield_now().await;
        Ok::<_, std::convert::Infallible>(parea::current().root_trace_id())
    }));
    let request = |header: Option<&str>| {
        let mut request = http::Request::new(());
        if let Some(header) = header {
            request.headers_mut().insert(TRACEPARENT, header.parse().unwrap());
        }
        request
    };
    let (roots, traces) = capture_async(async {
        let (mut first, mut second) = (service.clone(), service);
        let one = first.call(request(Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")));
        let two = second.call(request(None));
        let (one, two) = tokio::join!(one, two);
        weigh(1);
        [one.unwrap(), two.unwrap(), parea::current().root_trace_id()]
    })
    .await;
    assert_eq!(roots, [Some("0af76519-16cd-43dd-8448-eb211c80319c".to_owned()), None, None]);
    assert_eq!(traces.tree(), "weigh (ok)\n", "outside of every trace");
}

#[tokio::test]
async fn a_service_is_looked_at_in_a_test_whoever_it_trusts() {
    for (layer, tree) in [
        (InboundLayer::new().trust_all(), "kept (ok)\n└─ rank (ok)\n   └─ weigh (ok)\n"),
        (InboundLayer::new(), "kept (ok)\nrank (ok)\n└─ weigh (ok)\n"),
    ] {
        let router = Router::new().route("/{case}", get(ranked)).layer(layer);
        let (_, traces) = capture_async(async {
            let mut request = http::Request::new(axum::body::Body::empty());
            (*request.uri_mut(), *request.headers_mut()) = ("/x".parse().unwrap(), kept());
            router.oneshot(request).await
        })
        .await;
        assert_eq!(traces.tree(), tree);
    }
}

#[tokio::test]
async fn a_redirect_carries_to_nobody_else_what_is_meant_for_the_list() {
    async fn serve(router: Router) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        address.to_string()
    }
    let said = |headers: HeaderMap| async move { headers.contains_key(TRACESTATE).to_string() };
    let other = serve(Router::new().route("/", get(said))).await;
    let target = format!("http://{other}/");
    let away = move || async move { axum::response::Redirect::temporary(&target) };
    let first = serve(Router::new().route("/", get(away))).await;
    // The list names the first, neither, or both.
    for (hosts, status, answer) in
        [(vec![&first], 307, ""), (vec![], 200, "false"), (vec![&first, &other], 200, "true")]
    {
        let propagator = Propagator::to_hosts(hosts);
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().redirect(propagator.redirects()).build().unwrap();
        let mut request = client.get(format!("http://{first}/")).build().unwrap();
        capture(|| inside_span(&propagator, &mut request));
        let got = client.execute(request).await.unwrap();
        assert_eq!((got.status().as_u16(), got.text().await.unwrap().as_str()), (status, answer));
    }
}

#[parea::trace(skip(propagator, request))]
fn inside_span(propagator: &Propagator, request: &mut reqwest::Request) {
    propagator.inject_request(request);
}

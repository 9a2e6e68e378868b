#!/usr/bin/env python3
"""Makes a file for `tests/files.rs`: fill.py PAREA NUMBER

Starts the server PAREA on a folder of its own, has it store what the tests look for, erases a trace, stops it and packs its
file as filled_NUMBER.db.zst beside this script (by the program `zstd`). Operations that older servers lack are passed over.
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request


def start_of(day):
    return f"2024-05-{1 + day:02} 13:48:34"


def span(trace, place):
    """One of four spans of a trace; ids are UUIDs in two of three traces. The fourth hangs below the third."""
    name = lambda place: f"{trace:08x}-0000-4000-8000-{place:012x}" if trace % 3 else f"trace-{trace}-{place}"
    log = {
        "trace_id": name(place), "root_trace_id": name(0), "parent_trace_id": name(2 if place == 3 else 0),
        "project_name": "old" if trace % 4 else "other", "trace_name": f"step {place}",
        "start_timestamp": start_of(trace), "depth": [0, 1, 1, 2][place], "execution_order": place,
        "inputs": {"q": f"question {trace}"}, "output": f"trace {trace} span {place} word{trace}x{place}",
        "status": "error" if place == 3 else "success", "metadata": {"tier": "gold" if trace % 2 else "free"},
        "tags": ["all", f"t{trace % 5}"], "end_user_identifier": f"u{trace % 4}", "session_id": f"s{trace % 2}",
        "input_tokens": 3, "output_tokens": 2, "total_tokens": 5, "cost": 0.25,
    }
    if place == 1:
        log["scores"] = [{"name": "acc", "score": trace / 10, "reason": "because"}]
    return log


def fill(url):
    def call(method, path, body, headers={}):
        request = urllib.request.Request(f"{url}/api/parea/v1{path}", json.dumps(body).encode(), method=method)
        request.add_header("content-type", "application/json")
        for name, value in headers.items():
            request.add_header(name, value)
        try:
            return json.load(urllib.request.urlopen(request))
        except urllib.error.HTTPError as error:
            if error.code not in (404, 405, 501):
                raise SystemExit(f"{method} {path}: {error.code} {error.read()}")
            print(f"not offered: {method} {path}")

    batch = [span(trace, place) for trace in range(16) for place in range(4)]
    call("POST", "/trace_logs", batch[:32])
    call("POST", "/trace_logs", batch[32:])
    many = [{"trace_id": f"many-{n}", "project_name": "old", "start_timestamp": "2024-06-01 10:00:00", "output": f"number{n}"}
            for n in range(40)]
    failed = [{"trace_id": f"failed-{n}", "project_name": "old", "start_timestamp": "2024-06-03 10:00:00", "status": "error",
               "error": f"no route\nto host {n}"} for n in range(2)]
    asked = {"trace_id": "asked", "project_name": "old", "start_timestamp": "2024-06-03 11:00:00",
             "configuration": {"messages": [{"role": "user", "content": "Is the parrot dead?"}]}}
    # One in a batch, which is packed at once, and one singly.
    call("POST", "/trace_logs", many + failed[:1] + [asked])
    call("POST", "/trace_log", failed[1])
    # What was lost, told twice.
    for _ in range(2):
        call("POST", "/trace_logs", many[:1], {"x-parea-losses": "queue_full=3", "x-parea-losses-id": "report-1"})
    # Singly, children first.
    for place in (2, 0, 3, 1):
        call("POST", "/trace_log", span(18, place))
    change = {"output": "changed later", "target": "t"}
    call("PUT", "/trace_log", {"trace_id": "trace-0-1", "field_name_to_value_map": change})
    call("POST", "/feedback", {"trace_id": "trace-3-0", "score": 0.75, "comment": "nice"})
    # What is said of a log before it comes.
    call("PUT", "/trace_log", {"trace_id": "still to come", "field_name_to_value_map": {"output": "early"}})
    project = call("POST", "/project", {"name": "old"})["uuid"]
    run = call("POST", "/experiment", {"name": "e", "run_name": "r-1", "project_uuid": project, "metadata": {"m": "v"}})
    if run:
        for number, score in enumerate([1, 0]):
            call("POST", "/trace_log", {
                "trace_id": f"sample-{number}", "project_uuid": project, "experiment_uuid": run["uuid"], "latency": 1.5,
                "start_timestamp": "2024-06-02 10:00:00", "scores": [{"name": "acc", "score": score}]})
        results = {"status": "completed", "dataset_level_stats": [{"name": "f1", "score": 0.5}]}
        call("POST", f"/experiment/{run['uuid']}/finished", results)
    rows = [{"inputs": {"q": "one"}, "target": "1", "tags": ["a"]}, {"inputs": {"q": "two"}}]
    dataset = call("POST", "/collection", {"name": "d", "column_names": ["q"], "test_cases": rows})
    if dataset:
        call("POST", "/testcases", {"id": dataset["id"], "test_cases": [{"inputs": {"q": "three"}}]})
        call("POST", f"/update_test_case/{dataset['id']}/{dataset['test_case_ids'][0]}", {"target": "uno"})


def main(parea, number):
    with tempfile.TemporaryDirectory() as data:
        serve = [parea, "serve", "--listen", "127.0.0.1:0", "--data", data]
        server = subprocess.Popen(serve, stdout=subprocess.PIPE, text=True)
        fill(server.stdout.readline().removeprefix("listening on ").split(",")[0].strip())
        server.terminate()
        server.wait()
        subprocess.run([parea, "erase", "--data", data, "--trace", "trace-9-0"], check=int(number) >= 7)
        packed = pathlib.Path(__file__).with_name(f"filled_{number}.db.zst")
        subprocess.run(["zstd", "-19", "-q", "-f", f"{data}/parea.db", "-o", packed], check=True)
        print(packed.name, packed.stat().st_size, "bytes")


main(*sys.argv[1:])

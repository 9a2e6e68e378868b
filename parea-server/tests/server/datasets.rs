//! Datasets: rows by column, kept by id and found by name.

use serde_json::{Value, json};

use crate::client::Local;

async fn post(local: &Local, operation: &str, body: Value) -> Value {
    let (status, answer) = local.client.post(operation, &body).await;
    assert_eq!(status, 200, "{operation} {body}: {answer}");
    answer
}

async fn read(local: &Local, key: impl std::fmt::Display) -> Value {
    let (status, dataset) = local.client.get(&format!("/collection/{key}")).await;
    assert_eq!(status, 200, "{dataset}");
    dataset
}

/// As the Python SDK sends it.
fn greetings() -> Value {
    json!({
        "id": null, "name": "greetings", "column_names": ["name", "language"],
        "test_cases": [
            { "inputs": { "name": "Foo", "language": "en" }, "target": "Hi Foo", "tags": ["a", "b"] },
            { "inputs": { "name": "Bar" }, "target": null, "tags": [] }
        ]
    })
}

#[tokio::test]
async fn a_dataset_is_read_back_by_id_and_by_name() {
    let local = Local::start().await;
    let created = post(&local, "/collection", greetings()).await;
    let (id, cases) = (created["id"].as_i64().unwrap(), created["test_case_ids"].as_array().unwrap());
    assert!(created["last_updated_at"].is_string() && cases.len() == 2, "{created}");
    let dataset = read(&local, id).await;
    assert_eq!(dataset, read(&local, "greetings").await);
    assert_eq!((&dataset["id"], &dataset["name"]), (&json!(id), &json!("greetings")));
    assert_eq!(dataset["column_names"], json!(["name", "language"]));
    assert!(dataset["created_at"].is_string() && dataset["last_updated_at"].is_string(), "{dataset}");
    let (first, second) = (cases[0].to_string(), cases[1].to_string());
    assert_eq!(
        dataset["test_cases"],
        json!({
            first: {
                "id": cases[0], "test_case_collection_id": id, "inputs": { "name": "Foo", "language": "en" },
                "target": "Hi Foo", "tags": ["a", "b"]
            },
            // Without `target` rather than with null, and always with tags.
            second: { "id": cases[1], "test_case_collection_id": id, "inputs": { "name": "Bar" }, "tags": [] }
        })
    );
    // The TypeScript SDK calls the function with the inputs in the order in which they are written.
    let text = local.client.request("GET", "/collection/greetings").send().await.unwrap().text().await.unwrap();
    assert!(text.contains(r#""inputs":{"name":"Foo","language":"en"}"#), "{text}");

    for nobody in ["nowhere", "4711", "99999999999999999999", "-1"] {
        assert_eq!(read(&local, nobody).await, Value::Null, "{nobody}");
    }
    // A number in the path is an id, whatever the names are; other names may hold anything.
    for (name, path) in [("a b/ü", "a%20b/%C3%BC"), ("a?b#%", "a%3Fb%23%25"), ("x/y", "x%2Fy")] {
        post(&local, "/collection", json!({ "name": name, "column_names": [] })).await;
        assert_eq!(read(&local, path).await["name"], name);
    }
    post(&local, "/collection", json!({ "name": "4711", "column_names": [] })).await;
    assert_eq!(read(&local, "4711").await, Value::Null);

    // The same name again means the new one, and the old one keeps its id.
    let again = post(&local, "/collection", json!({ "name": "greetings", "column_names": ["q"] })).await;
    assert_eq!(read(&local, "greetings").await["id"], again["id"]);
    assert_eq!(read(&local, id).await, dataset);
}

#[tokio::test]
async fn rows_are_added_to_a_dataset_or_make_one() {
    let local = Local::start().await;
    let id = post(&local, "/collection", greetings()).await["id"].clone();
    let row = |name: &str| json!({ "inputs": { "name": name, "language": "de" }, "target": "Hallo" });
    let by_name =
        post(&local, "/testcases", json!({ "id": null, "name": "greetings", "test_cases": [row("Baz")] })).await;
    let by_id =
        post(&local, "/testcases", json!({ "id": id, "name": null, "test_cases": [row("Qux"), row("Quux")] })).await;
    let dataset = read(&local, "greetings").await;
    assert_eq!(dataset["test_cases"].as_object().unwrap().len(), 5);
    for (case, name) in [(&by_name[0], "Baz"), (&by_id[0], "Qux"), (&by_id[1], "Quux")] {
        assert_eq!(dataset["test_cases"][case.to_string()]["inputs"]["name"], name);
    }

    // Values become texts, as both SDKs send them.
    let body = r#"{"name":"made","test_cases":[{"inputs":{"q":1,"deep":{"x":[true]},"none":null},"tags":null}]}"#;
    let (status, made) = local.client.send("POST", "/testcases", body).await;
    assert_eq!(status, 200, "{made}");
    let dataset = read(&local, "made").await;
    assert_eq!(dataset["column_names"], json!(["q", "deep"]), "in the order in which the first row has them");
    assert_eq!(dataset["test_cases"][made[0].to_string()]["inputs"], json!({ "deep": "{\"x\":[true]}", "q": "1" }));

    for (body, status, place) in [
        (json!({ "id": 4711, "test_cases": [row("a")] }), 404, Value::Null),
        (json!({ "test_cases": [row("a")] }), 422, json!(["body", "id"])),
        (json!({ "name": "", "test_cases": [row("a")] }), 422, json!(["body", "id"])),
        (json!({ "name": "made" }), 422, json!(["body", "test_cases"])),
        (
            json!({ "name": "greetings", "test_cases": [row("a"), { "inputs": { "name": "b" } }] }),
            422,
            json!(["body", "test_cases", 1, "inputs"]),
        ),
        (
            json!({ "name": "greetings", "test_cases": [{ "inputs": { "name": "b", "language": "c", "d": "e" } }] }),
            422,
            json!(["body", "test_cases", 0, "inputs"]),
        ),
    ] {
        let (answered, answer) = local.client.post("/testcases", &body).await;
        assert_eq!(answered, status, "{body}: {answer}");
        match place {
            Value::Null => assert!(answer["detail"].is_string(), "{answer}"),
            place => assert_eq!(answer["detail"][0]["loc"], place, "{body}: {answer}"),
        }
    }
    assert_eq!(
        read(&local, &id).await["test_cases"].as_object().unwrap().len(),
        5,
        "nothing of what was refused is there"
    );
    let mut foreign = greetings();
    foreign["test_cases"][1]["inputs"] = json!({ "other": "x" });
    let (status, answer) = local.client.post("/collection", &foreign).await;
    assert_eq!((status, &answer["detail"][0]["loc"]), (422, &json!(["body", "test_cases", 1, "inputs"])));
}

#[tokio::test]
async fn only_what_is_set_of_a_row_changes() {
    let local = Local::start().await;
    let created = post(&local, "/collection", greetings()).await;
    let (id, case, other) = (&created["id"], &created["test_case_ids"][0], &created["test_case_ids"][1]);
    let operation = format!("/update_test_case/{id}/{case}");
    let row = async || read(&local, id).await["test_cases"][case.to_string()].clone();
    let before = row().await;
    for nothing in [json!({}), json!({ "inputs": null, "target": null, "tags": null })] {
        post(&local, &operation, nothing).await;
        assert_eq!(row().await, before);
    }
    post(&local, &operation, json!({ "inputs": { "language": "fr" }, "tags": [] })).await;
    let mut expected = before.clone();
    expected["inputs"]["language"] = "fr".into();
    expected["tags"] = json!([]);
    assert_eq!(row().await, expected);
    for (sent, read) in [(json!(5), "5"), (json!(true), "true"), (json!({ "a": [1] }), "{\"a\":[1]}")] {
        post(&local, &operation, json!({ "target": sent })).await;
        assert_eq!(row().await["target"], read);
    }
    post(&local, &operation, json!({ "target": "" })).await;
    expected["target"] = "".into();
    assert_eq!(row().await, expected);

    let second = post(&local, "/collection", greetings()).await["id"].clone();
    for (operation, body, status) in [
        (format!("/update_test_case/{id}/4711"), json!({}), 404),
        (format!("/update_test_case/4711/{case}"), json!({}), 404),
        (format!("/update_test_case/{second}/{other}"), json!({ "target": "of another dataset" }), 404),
        ("/update_test_case/one/two".to_owned(), json!({}), 422),
        (operation.clone(), json!({ "inputs": { "other": "x" } }), 422),
        (operation.clone(), json!({ "tags": "x" }), 422),
    ] {
        let (answered, answer) = local.client.post(&operation, &body).await;
        assert_eq!(answered, status, "{operation} {body}: {answer}");
    }
    assert_eq!(row().await, expected);
    assert!(read(&local, id).await["test_cases"][other.to_string()].get("target").is_none());
}

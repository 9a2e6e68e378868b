//! The document that the server makes of itself, held against the published one.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::client::Local;

/// Where the two differ, and why. Every line must still be true.
const DIFFERENCES: &[(&str, &str)] = &[
    ("- CompletionsSchema.cache optional boolean", "a null is an absent value everywhere"),
    ("+ CompletionsSchema.cache optional boolean|null", "a null is an absent value everywhere"),
    (
        "+ ExperimentWithStatsSchema.pinned_stats optional [ExperimentPinnedStatistic]",
        "always written; our readers do without",
    ),
    (
        "- ExperimentWithStatsSchema.pinned_stats required [ExperimentPinnedStatistic]",
        "always written; our readers do without",
    ),
    ("+ InputsSchema.function_call optional any", "any JSON is kept"),
    ("- InputsSchema.function_call optional null|object|string", "any JSON is kept"),
    ("+ LLMInputsSchema.function_call optional any", "any JSON is kept"),
    ("- LLMInputsSchema.function_call optional null|string|{string}", "any JSON is kept"),
    ("+ POST /feedback answers application/json Stored", "the published answer is any JSON; this is what ours says"),
    ("- POST /feedback answers application/json any", "the published answer is any JSON; this is what ours says"),
    ("+ POST /trace_log answers application/json Stored", "the published answer is any JSON; this is what ours says"),
    ("- POST /trace_log answers application/json any", "the published answer is any JSON; this is what ours says"),
    (
        "+ POST /trace_log/langchain answers application/json Stored",
        "the published answer is any JSON; this is what ours says",
    ),
    (
        "- POST /trace_log/langchain answers application/json any",
        "the published answer is any JSON; this is what ours says",
    ),
    (
        "+ POST /trace_log/langchain sent LangchainRun required true",
        "the published body is any object; these are the members that are read",
    ),
    (
        "- POST /trace_log/langchain sent object required true",
        "the published body is any object; these are the members that are read",
    ),
    (
        "- POST /update_test_case/{dataset_id}/{test_case_id} answers application/json any",
        "the published answer is any JSON; ours says nothing",
    ),
    (
        "+ POST /update_test_case/{dataset_id}/{test_case_id} answers application/json null",
        "the published answer is any JSON; ours says nothing",
    ),
    ("+ PUT /trace_log answers application/json Stored", "the published answer is any JSON; this is what ours says"),
    ("- PUT /trace_log answers application/json any", "the published answer is any JSON; this is what ours says"),
    ("+ ParamsSchema.response_format optional any", "any JSON is kept"),
    ("- ParamsSchema.response_format optional null|object", "any JSON is kept"),
    (
        "- ProviderName is \"anthropic\"|\"anyscale\"|\"aws_bedrock\"|\"azure\"|\"cohere\"|\"fireworks\"|\"groq\"|\"litellm\"|\"mistral\"|\"openai\"|\"openrouter\"|\"vertexai\"",
        "further words are kept",
    ),
    (
        "+ ProviderName is \"anthropic\"|\"anyscale\"|\"aws_bedrock\"|\"azure\"|\"cohere\"|\"fireworks\"|\"groq\"|\"litellm\"|\"mistral\"|\"openai\"|\"openrouter\"|\"vertexai\"|string",
        "further words are kept",
    ),
    (
        "+ QueryParamsPaginationPublic.status optional \"error\"|\"success\"|null",
        "these two words are all that clients send",
    ),
    ("- QueryParamsPaginationPublic.status optional null|string", "these two words are all that clients send"),
    ("- Role is \"assistant\"|\"function\"|\"system\"|\"tool\"|\"user\"", "further words are kept"),
    ("+ Role is \"assistant\"|\"function\"|\"system\"|\"tool\"|\"user\"|string", "further words are kept"),
    (
        "+ TraceLogSchema.last_updated_at optional null|string",
        "the project's own: the version of a log that is sent more than once",
    ),
    ("+ TraceLogSchema.status optional \"error\"|\"success\"|null", "these two words are all that clients send"),
    ("- TraceLogSchema.status optional null|string", "these two words are all that clients send"),
    (
        "+ TraceLogTreeSchema.last_updated_at optional null|string",
        "the project's own: the version of a log that is sent more than once",
    ),
    ("+ TraceLogTreeSchema.status optional \"error\"|\"success\"|null", "these two words are all that clients send"),
    ("- TraceLogTreeSchema.status optional null|string", "these two words are all that clients send"),
    ("+ UpdateLogSchema.merge optional boolean", "the project's own: fields that add up"),
    ("- UpdateTestCasePublicRequestSchema.inputs optional null|object", "values are texts, as in every test case"),
    ("+ UpdateTestCasePublicRequestSchema.inputs optional null|{string}", "values are texts, as in every test case"),
];

/// One schema's meaning, without its wording: nullability and types as sets, references by name.
fn meaning(schema: &Value) -> BTreeSet<String> {
    let mut kinds = BTreeSet::new();
    if let Some(reference) = schema["$ref"].as_str() {
        kinds.insert(reference.rsplit('/').next().unwrap().to_owned());
    }
    for choice in ["anyOf", "oneOf", "allOf"].iter().filter_map(|name| schema[*name].as_array()).flatten() {
        kinds.extend(meaning(choice));
    }
    let types = match &schema["type"] {
        Value::String(one) => vec![one.clone()],
        Value::Array(several) => several.iter().map(|kind| kind.as_str().unwrap().to_owned()).collect(),
        _ => Vec::new(),
    };
    for kind in types {
        kinds.insert(match kind.as_str() {
            "array" => format!("[{}]", spelled(&meaning(&schema["items"]))),
            "object" if schema["additionalProperties"].is_object() => {
                format!("{{{}}}", spelled(&meaning(&schema["additionalProperties"])))
            }
            _ => kind,
        });
    }
    for word in schema["enum"].as_array().into_iter().flatten().chain(schema.get("const")) {
        // Types of words say no more than the words.
        kinds.remove("string");
        kinds.insert(word.to_string());
    }
    kinds
}

fn spelled(kinds: &BTreeSet<String>) -> String {
    if kinds.is_empty() { "any".to_owned() } else { kinds.iter().cloned().collect::<Vec<_>>().join("|") }
}

/// What a document says, a line for each thing.
fn statements(document: &Value, published: &Value) -> BTreeSet<String> {
    let mut said = BTreeSet::new();
    for (path, item) in published["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            let operation = &document["paths"][path][method];
            if operation.is_null() {
                continue;
            }
            let at = format!("{} {}", method.to_uppercase(), path.trim_start_matches("/api/parea/v1"));
            let body = &operation["requestBody"];
            if !body.is_null() {
                let sent = meaning(&body["content"]["application/json"]["schema"]);
                said.insert(format!("{at} sent {} required {}", spelled(&sent), body["required"] == true));
            }
            for (kind, content) in operation["responses"]["200"]["content"].as_object().unwrap() {
                said.insert(format!("{at} answers {kind} {}", spelled(&meaning(&content["schema"]))));
            }
            let faults = &operation["responses"]["422"]["content"]["application/json"]["schema"];
            if !published["paths"][path][method]["responses"]["422"].is_null() {
                said.insert(format!("{at} faults {}", spelled(&meaning(faults))));
            }
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let kind = spelled(&meaning(&parameter["schema"]));
                said.insert(format!("{at} {} {} {kind}", parameter["in"].as_str().unwrap(), parameter["name"]));
            }
        }
    }
    for name in published["components"]["schemas"].as_object().unwrap().keys() {
        let schema = &document["components"]["schemas"][name];
        let words = spelled(&meaning(schema));
        if schema["properties"].is_null() {
            said.insert(format!("{name} is {words}"));
            continue;
        }
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        for (field, schema) in schema["properties"].as_object().unwrap() {
            let need = if required.contains(&json!(field)) { "required" } else { "optional" };
            said.insert(format!("{name}.{field} {need} {}", spelled(&meaning(schema))));
        }
    }
    said
}

#[tokio::test]
async fn the_document_is_the_published_one_but_for_what_is_listed() {
    let local = Local::start().await;
    let url = format!("{}/api/openapi.json", local.handle.url());
    let text = crate::http::client().get(url).send().await.unwrap().text().await.unwrap();
    let ours: Value = serde_json::from_str(&text).unwrap();
    let published: Value =
        yaml_serde::from_str(include_str!("../../../parea-types/tests/parea-v1.openapi.yaml")).unwrap();
    assert_eq!(
        published["paths"].as_object().unwrap().values().map(|item| item.as_object().unwrap().len()).sum::<usize>(),
        20
    );
    let (ours, published) = (statements(&ours, &published), statements(&published, &published));
    let mut differences: Vec<String> = published.difference(&ours).map(|line| format!("- {line}")).collect();
    differences.extend(ours.difference(&published).map(|line| format!("+ {line}")));
    differences.sort_by(|a, b| a[2..].cmp(&b[2..]).then(a.cmp(b)));
    let listed: Vec<String> = DIFFERENCES.iter().map(|(line, _)| (*line).to_owned()).collect();
    assert_eq!(differences, listed, "{differences:#?}");
}

#[tokio::test]
async fn the_page_has_every_operation_and_every_schema_and_needs_no_key() {
    let local = Local::with(parea_server::Config { api_key: Some("secret".to_owned()), ..Default::default() }).await;
    let get = async |path: &str| {
        let response = crate::http::client().get(format!("{}{path}", local.handle.url())).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        response.text().await.unwrap()
    };
    let page = get("/api/docs").await;
    let document: Value = serde_json::from_str(&get("/api/openapi.json").await).unwrap();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let line = format!("{} {}", method.to_uppercase(), path.strip_prefix("/api/parea/v1").unwrap());
            assert!(page.contains(&line), "{line}");
            assert!(page.contains(&format!("id=\"{}\"", operation["operationId"].as_str().unwrap())));
        }
    }
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        assert!(page.contains(&format!("id=\"{name}\"")), "{name}");
    }
    // Links lead somewhere on the page, and nothing comes from elsewhere.
    for link in page.split("href=\"#").skip(1) {
        let to = link.split('"').next().unwrap();
        assert!(page.contains(&format!("id=\"{to}\"")), "{to}");
    }
    assert!(!page.contains("http://") && !page.contains("https://"));
}

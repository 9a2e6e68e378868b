//! The server that a command asks.

use std::{sync::Arc, time::Duration};

use parea_types::{ErrorBody, ExperimentWithStats, FilterBase, ListExperimentsRequest, TraceLogTree};
use reqwest::{Method, Url};
use rustls_platform_verifier::BuilderVerifierExt as _;
use serde::{Serialize, de::DeserializeOwned};

use super::CommandError;

const BASE_PATH: &str = "/api/parea/v1";

/// Which server to ask.
#[derive(clap::Args)]
pub(crate) struct Remote {
    /// Address of the server
    #[arg(long, env = "PAREA_BASE_URL", default_value = "http://127.0.0.1:7273", value_name = "URL")]
    url: String,
    /// Key that the server asks for
    #[arg(long, env = "PAREA_API_KEY", hide_env_values = true, value_name = "KEY")]
    api_key: Option<String>,
}

/// A connection to it.
pub(crate) struct Api {
    http: reqwest::Client,
    base: String,
    key: Option<String>,
}

impl Remote {
    pub(crate) fn connect(&self) -> Result<Api, CommandError> {
        let bad = |why: String| {
            let example = "write it as http://127.0.0.1:7273";
            CommandError::new(format!("`{}` cannot be used as the server's URL: {why}; {example}", self.url))
        };
        let mut base = Url::parse(self.url.trim()).map_err(|error| bad(error.to_string()))?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(bad("it is neither http nor https".to_owned()));
        }
        if base.path().trim_matches('/').is_empty() {
            base.set_path(BASE_PATH);
        }
        // Certificates are checked as the system does; the cryptography is chosen here, not for the whole process.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(rustls::ConfigBuilder::with_platform_verifier)
            .map_err(|error| bad(error.to_string()))?
            .with_no_client_auth();
        let loopback = base.host_str().is_some_and(|host| matches!(host, "localhost" | "127.0.0.1" | "[::1]"));
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            // A redirect would carry the key to whoever it names.
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(120));
        if loopback {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|error| bad(error.to_string()))?;
        Ok(Api { http, base: base.as_str().trim_end_matches('/').to_owned(), key: self.api_key.clone() })
    }
}

impl Api {
    pub(crate) async fn get<A: DeserializeOwned>(&self, path: &str) -> Result<A, CommandError> {
        self.ask(Method::GET, path, None::<&()>).await
    }

    pub(crate) async fn post<A: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<A, CommandError> {
        self.ask(Method::POST, path, Some(body)).await
    }

    async fn ask<A: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<A, CommandError> {
        let failed = |why: String| CommandError::new(format!("the server at {}: {why}", self.base));
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(key) = &self.key {
            request = request.header("x-api-key", key);
        }
        if let Some(body) = body {
            let body = serde_json::to_vec(body).map_err(|error| failed(error.to_string()))?;
            request = request.header("content-type", "application/json").body(body);
        }
        let answer = request.send().await.map_err(|error| {
            let hint = "is it running? `parea serve` starts one; `--url` names another";
            failed(if error.is_connect() { format!("no connection; {hint}") } else { error.to_string() })
        })?;
        let status = answer.status();
        let body = answer.bytes().await.map_err(|error| failed(error.to_string()))?;
        if !status.is_success() {
            let detail = serde_json::from_slice::<ErrorBody>(&body).map(|error| error.to_string());
            return Err(failed(format!("{status}: {}", detail.unwrap_or_default())));
        }
        serde_json::from_slice(&body)
            .map_err(|error| failed(format!("its answer is not what the API promises: {error}")))
    }

    /// The run of that uuid, or of that name; several of one name are told apart by their uuids.
    pub(crate) async fn find_run(
        &self,
        name: &str,
        project: Option<&str>,
    ) -> Result<ExperimentWithStats, CommandError> {
        let by_uuid = ListExperimentsRequest { experiment_uuids: Some(vec![name.to_owned()]), ..Default::default() };
        let mut found: Vec<ExperimentWithStats> = self.post("/experiments", &by_uuid).await?;
        if found.is_empty() {
            let by_name = ListExperimentsRequest {
                project_name: project.map(str::to_owned),
                run_name_filter: Some(name.to_owned()),
                ..Default::default()
            };
            found = self.post("/experiments", &by_name).await?;
            // The filter finds parts of names.
            found.retain(|run| run.experiment.run_name.as_deref() == Some(name));
        }
        match found.len() {
            0 => Err(CommandError::new(format!(
                "the server at {} has no run of the uuid or name `{name}`; `parea experiment list` shows them",
                self.base
            ))),
            1 => Ok(found.swap_remove(0)),
            _ => {
                let uuids: Vec<String> = found
                    .iter()
                    .map(|run| format!("{} (experiment {})", run.experiment.uuid, run.experiment.name))
                    .collect();
                Err(CommandError::new(format!("several runs are named `{name}`; say which: {}", uuids.join(", "))))
            }
        }
    }

    /// The traces of a run's rows.
    pub(crate) async fn traces(&self, run: &ExperimentWithStats) -> Result<Vec<TraceLogTree>, CommandError> {
        self.post(&format!("/experiment/{}/trace_logs", segment(&run.experiment.uuid)), &FilterBase::default()).await
    }
}

/// A text as one segment of a path.
pub(crate) fn segment(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

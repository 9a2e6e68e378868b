//! APIs of others, such as the models that judge: JSON posted with a bearer's key.

use std::{fmt, time::Duration};

use reqwest::Method;
use serde_json::Value;

use super::{ApiClient, ApiError, client::read, retry::Again};

/// Why a call of another's API failed.
pub type ForeignError = ApiError;

/// Somebody else's JSON API, over the same connections and certificates as Parea's own.
#[derive(Clone)]
pub struct ForeignApi {
    client: ApiClient,
    authorization: Option<String>,
}

impl fmt::Debug for ForeignApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the key.
        f.debug_struct("ForeignApi").field("client", &self.client).finish_non_exhaustive()
    }
}

impl ForeignApi {
    /// The API at that address; `/v1` is added to one without a path.
    pub fn new(base_url: &str, key: Option<&str>) -> Result<Self, ForeignError> {
        let base = base_url.trim().trim_end_matches('/');
        let without_path = base.split_once("://").is_some_and(|(_, rest)| !rest.contains('/'));
        let base = if without_path { format!("{base}/v1") } else { base.to_owned() };
        let client = ApiClient::builder(&base).timeout(Duration::from_secs(120)).retries(3).build()?;
        let authorization = key.map(|key| format!("Bearer {}", key.trim()));
        if authorization.as_deref().is_some_and(|key| reqwest::header::HeaderValue::from_str(key).is_err()) {
            return Err(ApiError::Key);
        }
        Ok(Self { client, authorization })
    }

    /// Posts JSON and reads the JSON of the answer. Asks again when that may help.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, ForeignError> {
        let headers: Vec<(&str, String)> =
            self.authorization.iter().map(|key| ("authorization", key.clone())).collect();
        let body = serde_json::to_vec(body).map_err(|error| ApiError::Request(error.to_string()))?;
        let request = self.client.request(Method::POST, path, "application/json", &headers, body)?;
        read(&self.client.repeat(request, Again::Harmless).await?)
    }
}

//! What experiments have to know of the client: whom to tell of a run, and where to keep what no server has.

use std::path::PathBuf;

#[cfg(feature = "http")]
use crate::{
    api::ApiClient,
    settings::{LOCAL_SERVER, Secret},
};
use crate::{client::Client, settings::Settings};

/// The server to which this process's logs go, and the project; `None` before `init`. Whether it answers is not known.
#[cfg(feature = "http")]
pub fn server() -> Option<(ApiClient, String)> {
    let settings = &Client::get()?.settings;
    let mut builder = ApiClient::builder(settings.base_url.as_deref().unwrap_or(LOCAL_SERVER));
    if let Some(Secret(key)) = &settings.api_key {
        builder = builder.api_key(key);
    }
    Some((builder.build().ok()?, settings.project.clone()))
}

/// Whether somebody named that server, so that nobody else gets what is meant for it.
#[cfg(feature = "http")]
pub fn server_is_named() -> bool {
    Client::get().is_some_and(|client| client.settings.base_url.is_some())
}

/// The folder for what belongs to this program and no server has: that of the client, or its default.
pub fn folder() -> PathBuf {
    Client::get().map_or_else(|| Settings::from_env().folder, |client| client.settings.folder.clone())
}

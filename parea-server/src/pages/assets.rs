//! The style sheet, the script and the icon, inside the binary.

use std::sync::LazyLock;

use axum::{
    extract::Path,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

struct Asset {
    stem: &'static str,
    extension: &'static str,
    media_type: &'static str,
    content: &'static str,
}

const STYLE: Asset = Asset {
    stem: "parea",
    extension: "css",
    media_type: "text/css; charset=utf-8",
    content: include_str!("../../assets/parea.css"),
};
const SCRIPT: Asset = Asset {
    stem: "parea",
    extension: "js",
    media_type: "text/javascript; charset=utf-8",
    content: include_str!("../../assets/parea.js"),
};
const ICON: Asset = Asset {
    stem: "icon",
    extension: "svg",
    media_type: "image/svg+xml",
    content: include_str!("../../assets/icon.svg"),
};

impl Asset {
    /// A name that changes with the content, so that browsers may keep it for ever.
    fn name(&self) -> String {
        format!("{}-{:016x}.{}", self.stem, fnv1a(self.content.as_bytes()), self.extension)
    }
}

/// FNV-1a: tells versions apart, defends against nothing.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Where the pages find their assets.
pub(super) struct Urls {
    pub(super) style: String,
    pub(super) script: String,
    pub(super) icon: String,
}

pub(super) static URLS: LazyLock<Urls> = LazyLock::new(|| {
    let url = |asset: &Asset| format!("/assets/{}", asset.name());
    Urls { style: url(&STYLE), script: url(&SCRIPT), icon: url(&ICON) }
});

/// `GET /assets/{name}`
pub(super) async fn serve(Path(name): Path<String>) -> Response {
    match [STYLE, SCRIPT, ICON].into_iter().find(|asset| asset.name() == name) {
        Some(asset) => (
            [(header::CONTENT_TYPE, asset.media_type), (header::CACHE_CONTROL, "public, max-age=31536000, immutable")],
            asset.content,
        )
            .into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_stays_small() {
        assert!(SCRIPT.content.len() < 20 * 1024, "{} bytes", SCRIPT.content.len());
    }
}

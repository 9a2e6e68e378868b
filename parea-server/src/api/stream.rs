//! Answers that may be larger than memory should hold: written on a thread for such work while they are sent.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use axum::{
    body::{Body, HttpBody},
    http::header,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http_body::Frame;
use parea_store::StoreError;
use parea_types::TraceLogTree;
use tokio::sync::mpsc;

use crate::operator;

/// The size of what is handed on at once, and how many of these may wait for a slow client.
const CHUNK: usize = 64 << 10;
const WAITING: usize = 4;

/// Why an answer breaks off. The client sees its connection end in the midst of the body.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    #[error("the client is gone")]
    Gone,
}

/// A JSON answer that `write` writes.
pub(super) fn json<F>(write: F) -> Response
where
    F: FnOnce(&mut Chunks) -> Result<(), Broken> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(WAITING);
    tokio::task::spawn_blocking(move || {
        let mut chunks = Chunks { text: Vec::with_capacity(CHUNK), sender };
        match write(&mut chunks).and_then(|()| chunks.flush()) {
            Ok(()) | Err(Broken::Gone) => {}
            Err(error) => {
                operator::tell(format_args!("parea: an answer broke off: {error}"));
                let _ = chunks.sender.blocking_send(Err(io::Error::other(error)));
            }
        }
    });
    ([(header::CONTENT_TYPE, "application/json")], Body::new(Chunked(receiver))).into_response()
}

type Chunk = Result<Bytes, io::Error>;

/// What has been written and not yet handed on.
pub(super) struct Chunks {
    pub(super) text: Vec<u8>,
    sender: mpsc::Sender<Chunk>,
}

impl Chunks {
    /// Appends a tree.
    pub(super) fn tree(&mut self, tree: &TraceLogTree) -> Result<(), Broken> {
        let Self { text, sender } = self;
        tree.write_json_by_pieces(text, |text| if text.len() < CHUNK { Ok(()) } else { hand_on(text, sender) })
    }

    fn flush(&mut self) -> Result<(), Broken> {
        if self.text.is_empty() { Ok(()) } else { hand_on(&mut self.text, &self.sender) }
    }
}

fn hand_on(text: &mut Vec<u8>, sender: &mpsc::Sender<Chunk>) -> Result<(), Broken> {
    let chunk = std::mem::replace(text, Vec::with_capacity(CHUNK));
    sender.blocking_send(Ok(chunk.into())).map_err(|_| Broken::Gone)
}

/// The other end: the chunks as a body.
struct Chunked(mpsc::Receiver<Chunk>);

impl HttpBody for Chunked {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        self.0.poll_recv(context).map(|chunk| chunk.map(|chunk| chunk.map(Frame::data)))
    }
}

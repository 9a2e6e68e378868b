//! Bodies that come compressed.

use std::io::{self, Read};

use axum::http::{HeaderMap, header};

use crate::error::ApiError;

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    Gzip,
    Deflate,
    Zstd,
}

impl Compression {
    /// What `Content-Encoding` says; `None` for a plain body.
    pub(super) fn of(headers: &HeaderMap) -> Result<Option<Self>, ApiError> {
        let Some(value) = headers.get(header::CONTENT_ENCODING) else { return Ok(None) };
        match value.to_str().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Ok(None),
            "gzip" | "x-gzip" => Ok(Some(Self::Gzip)),
            "deflate" => Ok(Some(Self::Deflate)),
            "zstd" => Ok(Some(Self::Zstd)),
            other => Err(ApiError::Encoding(other.chars().take(64).collect())),
        }
    }

    /// The plain body, unless it is larger than `limit`: a small bomb must not fill the memory.
    pub(super) fn undo(self, raw: &[u8], limit: usize) -> Result<Vec<u8>, ApiError> {
        let plain = match self {
            Self::Gzip => read(flate2::read::MultiGzDecoder::new(raw), limit),
            Self::Deflate => deflate(raw, limit),
            Self::Zstd => zstd(raw, limit),
        };
        let plain = plain.map_err(|error| ApiError::BrokenBody(format!("the body does not decompress: {error}")))?;
        if plain.len() > limit { Err(ApiError::TooLargePlain(limit)) } else { Ok(plain) }
    }
}

/// At most one byte more than the limit.
fn read(decoder: impl Read, limit: usize) -> io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    decoder.take(limit as u64 + 1).read_to_end(&mut plain)?;
    Ok(plain)
}

/// What HTTP calls deflate has the two bytes of zlib in front. Some clients leave them out.
fn deflate(raw: &[u8], limit: usize) -> io::Result<Vec<u8>> {
    let is_zlib =
        matches!(raw, [method, flags, ..] if method & 15 == 8 && u16::from_be_bytes([*method, *flags]) % 31 == 0);
    if is_zlib {
        read(flate2::read::ZlibDecoder::new(raw), limit)
    } else {
        read(flate2::read::DeflateDecoder::new(raw), limit)
    }
}

/// A zstd body may be several frames, one behind the other; the decoder knows one.
fn zstd(mut raw: &[u8], limit: usize) -> io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    while !raw.is_empty() && plain.len() <= limit {
        let decoder = ruzstd::decoding::StreamingDecoder::new(&mut raw).map_err(io::Error::other)?;
        plain.append(&mut read(decoder, limit - plain.len())?);
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(plain: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(plain, ruzstd::encoding::CompressionLevel::Fastest)
    }

    #[test]
    fn deflate_is_read_with_and_without_its_head() {
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        let mut bare = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
        zlib.write_all(b"[1,2]").unwrap();
        bare.write_all(b"[1,2]").unwrap();
        for body in [zlib.finish().unwrap(), bare.finish().unwrap()] {
            assert_eq!(Compression::Deflate.undo(&body, 5).unwrap(), b"[1,2]");
            assert!(matches!(Compression::Deflate.undo(&body, 4), Err(ApiError::TooLargePlain(4))));
            assert!(matches!(Compression::Deflate.undo(&body[..3], 5), Err(ApiError::BrokenBody(_))));
        }
    }

    #[test]
    fn bodies_of_several_members_are_read_whole() {
        for (compression, compress) in [(Compression::Gzip, gzip as fn(&[u8]) -> Vec<u8>), (Compression::Zstd, zstd)] {
            let body = [compress(b"[1,"), compress(b"2]")].concat();
            assert_eq!(compression.undo(&body, 5).unwrap(), b"[1,2]", "{compression:?}");
        }
    }

    #[test]
    fn bombs_are_stopped_at_the_limit_and_broken_bodies_are_told() {
        for (compression, compress) in [(Compression::Gzip, gzip as fn(&[u8]) -> Vec<u8>), (Compression::Zstd, zstd)] {
            let bomb = compress(&vec![b' '; 10 << 20]);
            assert!(bomb.len() < 100_000, "{compression:?}: {}", bomb.len());
            assert!(matches!(compression.undo(&bomb, 1 << 20), Err(ApiError::TooLargePlain(_))), "{compression:?}");
            assert!(matches!(compression.undo(&bomb[..bomb.len() / 2], 1 << 30), Err(ApiError::BrokenBody(_))));
            assert!(matches!(compression.undo(b"plain", 100), Err(ApiError::BrokenBody(_))), "{compression:?}");
        }
    }
}

//! Bodies with a `Content-Encoding` (RFC 9110, 8.4), decoded as they come.

use super::{Body, TransportError, TransportErrorKind};
use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder, ZstdDecoder};
use async_compression::zstd::DParameter;
use bytes::Bytes;
use futures_core::Stream;
use futures_util::{StreamExt, future, stream};
use http::{HeaderMap, header};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncBufReadExt, AsyncRead};
use tokio_util::io::{ReaderStream, StreamReader};

/// How much is decoded ahead of who reads, in bytes.
const PIECE: usize = 64 * 1024;
/// Codings on top of each other. One is usual; each costs a window.
const MAX_CODINGS: usize = 2;
/// The largest window that a server may ask for (RFC 9659): 8 MiB. Without
/// this bound it could ask for 128.
const ZSTD_WINDOW_LOG: u32 = 23;
/// The first byte of a brotli stream with a "large window", of up to 1 GiB, but
/// for its highest bit. RFC 7932, 9.1, which HTTP uses, knows no such streams;
/// the decoder does.
const BROTLI_LARGE_WINDOW: u8 = 0b001_0001;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Gzip,
    Brotli,
    Zstd,
}

/// `body`, without the codings that `headers` name. Each piece that comes gives
/// what can be decoded of it, so that an event is out as soon as its bytes have
/// come, if the server flushes. It decodes only when it is read, 64 KiB at most.
///
/// A coding that is not known, bytes that aren't of it, and an end before its
/// end are [`TransportErrorKind::Encoding`].
pub(super) fn decoded(headers: &HeaderMap, body: Body) -> Body {
    match codings(headers) {
        Ok(codings) => codings
            .into_iter()
            .rev()
            .fold(body, |body, coding| decode(coding, body)),
        Err(error) => Box::pin(stream::once(async { Err(error) })),
    }
}

/// The codings that were applied, in this order.
fn codings(headers: &HeaderMap) -> Result<Vec<Coding>, TransportError> {
    let bad = |text: &'static str| Err(TransportError::new(TransportErrorKind::Encoding, text));
    let mut codings = Vec::new();
    for value in headers.get_all(header::CONTENT_ENCODING) {
        for name in value.as_bytes().split(|byte| *byte == b',') {
            let coding = match name.trim_ascii().to_ascii_lowercase().as_slice() {
                b"" | b"identity" => continue,
                b"gzip" | b"x-gzip" => Coding::Gzip,
                b"br" => Coding::Brotli,
                b"zstd" => Coding::Zstd,
                _ => return bad("its Content-Encoding is not gzip, br or zstd"),
            };
            if codings.len() == MAX_CODINGS {
                return bad("its Content-Encoding names more than two codings");
            }
            codings.push(coding);
        }
    }
    Ok(codings)
}

type Encoded = StreamReader<Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>, Bytes>;
type Decoder = ReaderStream<Pin<Box<dyn AsyncRead + Send>>>;

struct Decoding {
    coding: Coding,
    stage: Stage,
    /// What broke the body. The decoder sees an end instead, so that it still
    /// gives what came before.
    broken: Arc<Mutex<Option<TransportError>>>,
}

enum Stage {
    /// Nothing has come: a body may be empty whatever its coding is.
    Beginning(Encoded),
    Reading(Decoder),
}

fn decode(coding: Coding, body: Body) -> Body {
    let broken = Arc::<Mutex<Option<TransportError>>>::default();
    let encoded = body.scan(broken.clone(), |broken, chunk| {
        future::ready(match chunk {
            Ok(bytes) => Some(Ok(bytes)),
            Err(error) => {
                *broken.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                None
            }
        })
    });
    let decoding = Decoding {
        coding,
        stage: Stage::Beginning(StreamReader::new(Box::pin(encoded.fuse()))),
        broken,
    };
    Box::pin(stream::try_unfold(decoding, Decoding::next))
}

impl Decoding {
    async fn next(self) -> Result<Option<(Bytes, Self)>, TransportError> {
        let Self {
            coding,
            stage,
            broken,
        } = self;
        match stage.piece(coding).await {
            Ok(Some((bytes, stage))) => {
                let rest = Self {
                    coding,
                    stage,
                    broken,
                };
                Ok(Some((bytes, rest)))
            }
            end => {
                let broken = broken.lock().unwrap_or_else(PoisonError::into_inner).take();
                broken.map_or(end.map(|_| None), Err)
            }
        }
    }
}

impl Stage {
    async fn piece(self, coding: Coding) -> Result<Option<(Bytes, Self)>, TransportError> {
        let mut decoder = match self {
            Self::Reading(decoder) => decoder,
            Self::Beginning(mut encoded) => {
                match encoded.fill_buf().await.map_err(failed)?.first() {
                    None => return Ok(None),
                    Some(byte) => coding.check_window(*byte)?,
                }
                coding.decoder(encoded)
            }
        };
        match decoder.next().await {
            Some(Ok(bytes)) => Ok(Some((bytes, Self::Reading(decoder)))),
            Some(Err(error)) => Err(failed(error)),
            None => Ok(None),
        }
    }
}

impl Coding {
    /// Of a body that begins with `byte`; the decoders for gzip and zstd do it
    /// themselves.
    fn check_window(self, byte: u8) -> Result<(), TransportError> {
        if self == Self::Brotli && byte & 0x7f == BROTLI_LARGE_WINDOW {
            let text = "its brotli window is larger than HTTP allows";
            return Err(TransportError::new(TransportErrorKind::Encoding, text));
        }
        Ok(())
    }

    fn decoder(self, encoded: Encoded) -> Decoder {
        let decoder: Pin<Box<dyn AsyncRead + Send>> = match self {
            Self::Gzip => {
                let mut decoder = GzipDecoder::new(encoded);
                decoder.multiple_members(true);
                Box::pin(decoder)
            }
            Self::Brotli => Box::pin(BrotliDecoder::new(encoded)),
            Self::Zstd => {
                let window = [DParameter::window_log_max(ZSTD_WINDOW_LOG)];
                let mut decoder = ZstdDecoder::with_params(encoded, &window);
                decoder.multiple_members(true);
                Box::pin(decoder)
            }
        };
        ReaderStream::with_capacity(decoder, PIECE)
    }
}

fn failed(error: io::Error) -> TransportError {
    TransportError::new(TransportErrorKind::Encoding, error)
}

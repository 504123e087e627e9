//! HTTP/1.1 as it comes in, held to stricter rules than a parser's: what two
//! readers could understand differently is refused before anyone acts on it.
//!
//! A [`Gate`](gate::Gate) looks at every byte of a connection, finds where each
//! head and each body ends, and lets nothing pass that it has not understood;
//! [`Gated`] is a socket behind a gate, for hyper to read from. So the rules
//! hold for every request of a connection, not only for its first.
//!
//! RFC 9112 is the standard. Where it lets a server choose, this chooses to
//! refuse: bare line feeds, repeated lengths, transfer codings besides
//! `chunked`, a length beside one.

mod body;
mod gate;
mod gated;
mod head;
#[cfg(any(test, feature = "fuzz"))]
#[doc(hidden)]
pub mod oracle;
mod refusal;
mod requests;
pub(crate) mod wire;

pub use body::{Broken, Chunked, Framing};
pub use gate::{PREFACE, TOGETHER};
pub(crate) use gated::{First, Gated};
pub(crate) use refusal::Refusal;
pub(crate) use requests::{Answering, Requests};

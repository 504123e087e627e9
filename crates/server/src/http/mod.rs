//! What every face needs of HTTP: responses, problem documents, queries,
//! content negotiation, and who may ask at all.

pub mod accept;
pub mod body;
pub mod cors;
pub mod guard;
pub mod method;
pub mod problem;
pub mod query;
pub mod respond;

pub use problem::{Code, Problem};
pub use respond::{Reply, ReplyBody};

//! What the servers that the hub is measured against share: how they are
//! published to.

mod line;
mod publish;

pub use line::{data_of, is_ndjson};
pub use publish::publishing;

/// Where each of them is published to and, over HTTP, watched.
pub const PATH: &str = "/t/bench";

/// The address that is the program's argument number `index`.
///
/// # Panics
/// If there is none.
pub fn address(index: usize) -> std::net::SocketAddr {
    let argument = std::env::args().nth(index);
    argument
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| panic!("argument {index} must be an address and a port"))
}

//! `--stalled`: subscribers that ask for a stream and never read it, as a phone
//! does that has lost its network.

use super::Run;
use super::subscribers::open;
use std::net::TcpStream;

/// So many more subscribers, spread over the topics like the others. They are
/// held until the value is dropped; whether the server gives them up meanwhile
/// is its affair.
///
/// # Errors
/// What the system says, and of which connection.
pub fn connect(run: &Run, number: usize) -> Result<Vec<TcpStream>, String> {
    let connect = |index: usize| {
        let topic = index as u64 % run.spread.topics;
        open(run, run.connections + index, topic)
            .map_err(|error| format!("stalled connection {index} can't be made: {error}"))
    };
    (0..number).map(connect).collect()
}

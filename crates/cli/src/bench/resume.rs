//! `--resume`: where subscribers that come back have stood.

use super::Run;
use super::receive::{Carrier, Fault, Response};
use super::subscribers::open;
use super::tally::Received;
use std::io::{ErrorKind, Read};
use std::time::Duration;

/// How long the server has to give an id.
const PATIENCE: Duration = Duration::from_secs(10);

/// The id with which the server begins a stream now: what is published from now
/// on stands behind it.
///
/// # Errors
/// What the system says, or that the server gives none.
pub fn position(run: &Run) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("where to resume from can't be asked: {error}");
    let mut socket = open(run, 0, 0).map_err(failed)?;
    socket.set_nonblocking(false).map_err(failed)?;
    socket.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
    let received = Received::new(run.spread, 0);
    let mut response = Response::new(received, Carrier::EventStream);
    let (mut tally, mut buffer) = (run.tally(), [0; 4096]);
    loop {
        let outcome = match socket.read(&mut buffer) {
            Ok(0) => Err(Fault::Ended),
            Ok(len) => response.take(&buffer[..len], run.now(), &run.payload, &mut tally),
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                return Err("the server begins a stream without an id to resume from".into());
            }
            Err(error) => return Err(failed(error)),
        };
        let id = response.last_event_id();
        if !id.is_empty() {
            return Ok(id.to_owned());
        }
        outcome.map_err(|fault| format!("no id to resume from: {}", fault.text()))?;
    }
}

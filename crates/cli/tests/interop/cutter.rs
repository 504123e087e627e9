//! Stands between two that talk, passes on what they say, and cuts their
//! connection in the middle of events.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tidings_testkit::wait_until;

/// A listener on a free port, for as long as it lives.
#[derive(Debug)]
pub struct Cutter {
    address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Where it leads; `None`: whoever connects is turned away.
    to: Option<SocketAddr>,
    cuts: VecDeque<&'static str>,
    /// Whether nobody is let through after a cut until it leads somewhere again.
    holds: bool,
    /// Every second cut is a reset (RST), the others are ends (FIN).
    made: usize,
    connections: usize,
    open: Vec<TcpStream>,
    over: bool,
}

impl Cutter {
    /// Cuts the connection that carries it after each of `cuts`, in their order
    /// and once.
    ///
    /// # Panics
    /// If no port is free.
    pub fn new(cuts: &[&'static str]) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Mutex::new(Shared {
            cuts: cuts.iter().copied().collect(),
            ..Shared::default()
        }));
        let of_thread = Arc::clone(&shared);
        let accepting = Some(std::thread::spawn(move || accept(&listener, &of_thread)));
        Self {
            address,
            shared,
            accepting,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on it leads there.
    pub fn lead_to(&self, to: SocketAddr) {
        lock(&self.shared).to = Some(to);
    }

    /// After the next cut nobody is let through until [`Cutter::lead_to`].
    pub fn hold_after_cut(&self) {
        lock(&self.shared).holds = true;
    }

    /// Waits until every cut has been made.
    ///
    /// # Panics
    /// If they aren't within 30 s.
    #[track_caller]
    pub fn wait_for_cuts(&self) {
        wait_until("every cut made", || lock(&self.shared).cuts.is_empty());
    }

    /// How many connections it has let through.
    pub fn connections(&self) -> usize {
        lock(&self.shared).connections
    }
}

impl Drop for Cutter {
    fn drop(&mut self) {
        {
            let mut shared = lock(&self.shared);
            shared.over = true;
            for stream in &shared.open {
                // One that is closed already is what is wanted.
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
        // Ends the waiting for a connection.
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn accept(listener: &TcpListener, shared: &Arc<Mutex<Shared>>) {
    while let Ok((near, _)) = listener.accept() {
        let to = {
            let shared = lock(shared);
            if shared.over {
                return;
            }
            shared.to
        };
        // Turned away: whoever is behind is held back, or isn't there.
        if let Some(to) = to
            && let Ok(far) = TcpStream::connect(to)
        {
            // A failure is that of a connection, which it then ends.
            let _ = between(near, far, shared);
        }
    }
}

/// Lets two talk, each direction on a thread of its own.
fn between(near: TcpStream, far: TcpStream, shared: &Arc<Mutex<Shared>>) -> io::Result<()> {
    let (near_in, far_out) = (near.try_clone()?, far.try_clone()?);
    {
        let mut shared = lock(shared);
        shared.connections += 1;
        shared.open.extend([near.try_clone()?, far.try_clone()?]);
    }
    std::thread::spawn(move || pass_on(near_in, far_out));
    let shared = Arc::clone(shared);
    std::thread::spawn(move || pass_on_and_cut(far, near, &shared));
    Ok(())
}

fn pass_on(mut from: TcpStream, mut to: TcpStream) {
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}

fn pass_on_and_cut(mut from: TcpStream, mut to: TcpStream, shared: &Mutex<Shared>) {
    let mut buffer = vec![0; 16 << 10];
    let mut last = Vec::new();
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        let new = &buffer[..read];
        let cut = cut_in(&mut last, new, shared);
        let passed = to.write_all(&new[..cut.unwrap_or(read)]);
        if cut.is_some() {
            let mut shared = lock(shared);
            shared.made += 1;
            if shared.made.is_multiple_of(2) {
                let _ = socket2::SockRef::from(&to).set_linger(Some(Duration::ZERO));
            }
            break;
        }
        if passed.is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

/// How much of `new` is passed on before the cut, if there is one. `last` has
/// the end of what came before, where the mark may have begun.
fn cut_in(last: &mut Vec<u8>, new: &[u8], shared: &Mutex<Shared>) -> Option<usize> {
    let mut shared = lock(shared);
    let mark = shared.cuts.front()?.as_bytes();
    let before = last.len();
    last.extend_from_slice(new);
    let found = last.windows(mark.len()).position(|window| window == mark);
    if let Some(at) = found {
        let end = at + mark.len() - before;
        shared.cuts.pop_front();
        if shared.holds {
            shared.holds = false;
            shared.to = None;
        }
        return Some(end);
    }
    let keep = last.len().min(mark.len() - 1);
    last.drain(..last.len() - keep);
    None
}

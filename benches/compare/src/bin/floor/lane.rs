//! A thread that writes.

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Registry, Token, Waker};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// How many events may wait for the thread before publishers do.
const ROOM: usize = 16;
/// How long a subscriber may take nothing before it is given up.
const PATIENCE: Timespec = Timespec {
    tv_sec: 30,
    tv_nsec: 0,
};
const WAKE: Token = Token(usize::MAX);

/// The thread, as others see it.
pub struct Lane {
    jobs: SyncSender<Job>,
    waker: Waker,
}

enum Job {
    Watch(TcpStream),
    Send(Arc<[u8]>),
}

impl Lane {
    /// Starts one.
    ///
    /// # Errors
    /// What the system says.
    pub fn start() -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKE)?;
        let (jobs, inbox) = sync_channel(ROOM);
        std::thread::spawn(move || run(poll, &inbox));
        Ok(Self { jobs, waker })
    }

    /// Gives it a subscriber.
    ///
    /// # Errors
    /// What the system says.
    pub fn watch(&self, stream: std::net::TcpStream) -> io::Result<()> {
        stream.set_nonblocking(true)?;
        self.give(Job::Watch(TcpStream::from_std(stream)))
    }

    /// Has it send these bytes to each of its subscribers.
    ///
    /// # Errors
    /// What the system says.
    pub fn send(&self, bytes: Arc<[u8]>) -> io::Result<()> {
        self.give(Job::Send(bytes))
    }

    fn give(&self, job: Job) -> io::Result<()> {
        let ended = |_| io::Error::other("the thread has ended");
        self.jobs.send(job).map_err(ended)?;
        self.waker.wake()
    }
}

fn run(mut poll: Poll, inbox: &Receiver<Job>) -> io::Result<()> {
    let mut events = Events::with_capacity(1024);
    let mut sockets: Vec<Option<TcpStream>> = Vec::new();
    loop {
        if let Err(error) = poll.poll(&mut events, None)
            && error.kind() != ErrorKind::Interrupted
        {
            return Err(error);
        }
        for event in events.iter().filter(|event| event.token() != WAKE) {
            let socket = &mut sockets[event.token().0];
            if socket.as_mut().is_some_and(|socket| !is_there(socket)) {
                *socket = None;
            }
        }
        for job in inbox.try_iter() {
            match job {
                Job::Watch(socket) => watch(poll.registry(), &mut sockets, socket)?,
                Job::Send(bytes) => send(&mut sockets, &bytes),
            }
        }
    }
}

fn watch(
    registry: &Registry,
    sockets: &mut Vec<Option<TcpStream>>,
    mut socket: TcpStream,
) -> io::Result<()> {
    registry.register(&mut socket, Token(sockets.len()), Interest::READABLE)?;
    sockets.push(Some(socket));
    Ok(())
}

fn send(sockets: &mut [Option<TcpStream>], bytes: &[u8]) {
    for socket in sockets {
        if let Some(stream) = socket
            && send_all(stream, bytes).is_err()
        {
            *socket = None;
        }
    }
}

/// One `send`, unless the socket is full.
fn send_all(stream: &mut TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(len) => bytes = &bytes[len..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                let mut room = [PollFd::new(&*stream, PollFlags::OUT)];
                if poll(&mut room, Some(&PATIENCE))? == 0 {
                    return Err(ErrorKind::TimedOut.into());
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Whether the peer, who has nothing more to say, is still there.
fn is_there(stream: &mut TcpStream) -> bool {
    let read = stream.read(&mut [0; 512]);
    read.map_or_else(|error| error.kind() == ErrorKind::WouldBlock, |len| len > 0)
}

//! HTTP/1.1 (and 1.0) after the first head.
//!
//! hyper calls its service for one request at a time. What is to happen before
//! is done by [`Answers`]: answers that are there when hyper asks for them.

use super::face::{Answer, Begun, Face, closes};
use super::open::Opened;
use super::{Socket, last_call};
use crate::http::body::{RequestBody, drained};
use crate::http::{Reply, ReplyBody};
use crate::http1::{Gated, Requests, TOGETHER, wire};
use crate::lanes::Taken;
use crate::places::Place;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{HttpService, service_fn};
use hyper_util::rt::TokioIo;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// Serves a connection of which a head is there.
pub async fn serve<S: Socket>(
    mut gated: Gated<S>,
    face: Arc<Face>,
    requests: Arc<Requests>,
    late: bool,
    mut opened: Opened,
) {
    let answers = Arc::new(Answers {
        face: Arc::clone(&face),
        place: opened.place.clone(),
        requests,
        prepared: Mutex::default(),
    });
    let mut last_call = pin!(last_call(face.hub.drain(), late));
    let place = answers.place.clone();
    let mut sent_away = pin!(place.sent_away());
    let mut ending = false;
    loop {
        if let Some(head) = gated.next() {
            let _asking = answers.place.ask();
            let request = Request::from_parts(head.clone(), RequestBody::none());
            let reply = face.answer(request, &answers.place).await;
            let reply = match hand_over(gated, reply, opened, &face) {
                Ok(()) => return,
                Err(kept) => {
                    let reply;
                    (gated, reply, opened) = *kept;
                    reply
                }
            };
            let prepared = (gated.number(), Prepared::Answered(reply));
            answers.prepared().push_back(prepared);
            gated.release();
        }
        let mut connection = hyper_connection(gated, &answers);
        if ending {
            Pin::new(&mut connection).graceful_shutdown();
        }
        let served = loop {
            tokio::select! {
                served = &mut connection => break served,
                () = &mut last_call, if !ending => {
                    ending = true;
                    Pin::new(&mut connection).graceful_shutdown();
                }
                () = &mut sent_away, if !ending => {
                    ending = true;
                    Pin::new(&mut connection).graceful_shutdown();
                }
            }
        };
        if let Err(error) = served {
            tracing::debug!(%error, "a connection ended badly");
            return;
        }
        gated = connection.into_parts().io.into_inner();
        if gated.next().is_none() {
            // hyper leaves that to whoever asked for an upgrade.
            let _ = gated.close().await;
            return;
        }
    }
}

/// Hands a connection on which a stream begins to a lane, with its place; gives
/// all of it back if the answer is none, or no lane can carry the socket.
fn hand_over<S: Socket>(
    gated: Gated<S>,
    reply: Reply,
    opened: Opened,
    face: &Face,
) -> Result<(), Box<(Gated<S>, Reply, Opened)>> {
    if !S::CAN_LEAVE || !matches!(reply.body(), ReplyBody::Watch(..)) {
        return Err(Box::new((gated, reply, opened)));
    }
    let (head, body) = reply.into_parts();
    let ReplyBody::Watch(_, watch) = body else {
        return Ok(());
    };
    // A socket that doesn't even leave the runtime is as good as closed.
    if let Ok(socket) = gated.into_socket().leave() {
        face.hub.live().lanes().take(Taken {
            socket,
            head: wire::chunked(head.status, &head.headers, SystemTime::now()),
            watch: *watch,
            place: Box::new(opened),
        });
    }
    Ok(())
}

type Served = Pin<Box<dyn Future<Output = Result<Response<Answer>, Infallible>> + Send>>;

fn hyper_connection<S: Socket>(
    gated: Gated<S>,
    answers: &Arc<Answers>,
) -> http1::Connection<
    TokioIo<Gated<S>>,
    impl HttpService<Incoming, ResBody = Answer, Error = Infallible, Future = Served> + use<S>,
> {
    let answers = Arc::clone(answers);
    let service = service_fn(move |request: Request<Incoming>| -> Served {
        let number = answers.requests.begin();
        let answers = Arc::clone(&answers);
        Box::pin(async move { Ok(answers.to(number, request).await) })
    });
    http1::Builder::new()
        // The gate does that.
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(gated), service)
}

/// An answer to a request that hyper has not brought yet.
enum Prepared {
    Answered(Reply),
    Begun(Begun),
}

/// The answers of a connection.
struct Answers {
    face: Arc<Face>,
    place: Place,
    requests: Arc<Requests>,
    /// Those to requests that have begun before hyper brought them, with their
    /// numbers.
    prepared: Mutex<VecDeque<(usize, Prepared)>>,
}

impl Answers {
    /// The answer to request `number`, as hyper has read it.
    async fn to(&self, number: usize, request: Request<Incoming>) -> Response<Answer> {
        let answering = (self.requests.answering(), self.place.ask());
        let request = request.map(RequestBody::Incoming);
        self.begin_together(number).await;
        let reply = match self.take(number) {
            Some(prepared) => {
                // It is known; hyper must have read it to its end.
                drained(request.into_body()).await;
                let more = !self.prepared().is_empty();
                match prepared {
                    Prepared::Answered(reply) => reply,
                    Prepared::Begun(begun) => self.face.finish(begun, more).await,
                }
            }
            None => self.face.answer(request, &self.place).await,
        };
        if closes(reply.headers()) {
            self.requests.close();
        }
        Answer::to(reply, answering)
    }

    /// Begins request `number` and those that came with it behind it, if they
    /// are wholly there: so that they wait for the disk together. One after
    /// another, since that is the order of their events.
    async fn begin_together(&self, first: usize) {
        for number in first..first + TOGETHER {
            // One after another they would wait for the lanes, each for its
            // whole time; hyper brings them one by one.
            if number > first && !self.face.hub.live().has_room() {
                return;
            }
            let Some(request) = self.requests.take(number) else {
                return;
            };
            let request = request.map(RequestBody::Whole);
            let begun = self.face.begin(request, &self.place).await;
            let is_last = begun.is_last();
            self.prepared().push_back((number, Prepared::Begun(begun)));
            if is_last {
                return self.requests.close();
            }
        }
    }

    fn take(&self, number: usize) -> Option<Prepared> {
        let mut prepared = self.prepared();
        prepared.front().filter(|(first, _)| *first == number)?;
        prepared.pop_front().map(|(_, first)| first)
    }

    fn prepared(&self) -> MutexGuard<'_, VecDeque<(usize, Prepared)>> {
        self.prepared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::tests::{face, ids};
    use bytes::Bytes;

    #[tokio::test]
    async fn c11_what_came_together_is_begun_before_the_first_is_answered() {
        let face = face();
        let requests = Arc::new(Requests::new());
        let answers = Answers {
            place: face.hub.places().connect([192, 0, 2, 1].into()),
            face,
            requests: Arc::clone(&requests),
            prepared: Mutex::default(),
        };
        // The third isn't there; more than begin together are.
        let numbers = (0..2).chain(3..3 + TOGETHER + 5);
        for number in numbers {
            let request = Request::post(format!("/t/a?id=n{number}"))
                .header("host", "localhost")
                .body(Bytes::from_static(b"x"));
            requests.wait(number, request.expect("a request"));
        }
        for (first, begun) in [(0, 2), (1, 0), (2, 0), (3, TOGETHER), (3 + TOGETHER, 5)] {
            answers.begin_together(first).await;
            let prepared = std::mem::take(&mut *answers.prepared());
            assert_eq!(prepared.len(), begun, "{first}");
            for (at, (number, begun)) in prepared.into_iter().enumerate() {
                assert_eq!(number, first + at);
                let Prepared::Begun(begun) = begun else {
                    panic!("it isn't answered yet");
                };
                let reply = answers.face.finish(begun, false).await;
                assert_eq!(reply.status(), 200, "{number}");
            }
        }
        let in_order: Vec<_> = (0..8 + TOGETHER).filter(|n| *n != 2).collect();
        let names: Vec<_> = in_order.iter().map(|n| format!("n{n}")).collect();
        assert_eq!(ids(&answers.face), names);
    }
}

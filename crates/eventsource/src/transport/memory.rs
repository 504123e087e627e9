//! Servers in memory, that do what a test says at the (virtual) time it says.

use super::{Body, Response, Sending, Transport, TransportError, TransportErrorKind};
use crate::protocol::{Head, Request};
use crate::runtime::Runtime;
use bytes::Bytes;
use futures_core::Stream;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// A transport without a network: each request is recorded and gets the next
/// [`Answer`]. Cheap to clone; clones share answers and record.
///
/// Its time is that of the [`Runtime`] it is made with: a
/// [`VirtualRuntime`](crate::VirtualRuntime) makes tests that wait for nothing.
///
/// ```
/// use std::time::Duration;
/// use tidings_eventsource::protocol::Policy;
/// use tidings_eventsource::transport::{Answer, Memory};
/// use tidings_eventsource::{Builder, Runtime, VirtualRuntime};
///
/// let runtime = VirtualRuntime::new(1);
/// let server = Memory::script(
///     runtime.clone(),
///     [
///         Answer::stream().chunk("id: 1\ndata: before\n\n").breaks(),
///         Answer::stream().pass(Duration::from_secs(3600)).chunk("data: after\n\n"),
///     ],
/// );
/// let builder = Builder::new("http://feed.test/", server.clone(), runtime.clone());
/// let mut events = builder.policy(Policy::standard()).open().unwrap();
/// runtime.block_on(async {
///     assert_eq!(events.next().await.unwrap().unwrap().data, "before");
///     assert_eq!(events.next().await.unwrap().unwrap().data, "after");
/// });
/// // It waited for the reconnection time of three seconds, and for the hour.
/// assert_eq!(runtime.now(), Duration::from_secs(3603));
/// assert_eq!(server.requests()[1].headers["last-event-id"], "1");
/// ```
#[derive(Clone)]
pub struct Memory {
    runtime: Arc<dyn Runtime>,
    script: Arc<Mutex<Script>>,
}

struct Script {
    respond: Box<dyn FnMut(&Request) -> Answer + Send>,
    exchanges: Vec<Exchange>,
}

/// A request that came, and what became of it.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// The request.
    pub request: Request,
    /// When it came.
    pub at: Duration,
    /// When the other side let go of it, or had the end of the answer; `None`
    /// while it goes on.
    pub over: Option<Duration>,
}

/// What a server does with one request. It begins with the head, unless it is
/// an error; what is added follows in order. A body that is not told to end
/// stays open in silence.
#[derive(Debug, Clone)]
pub struct Answer {
    head: Option<Head>,
    before_head: Duration,
    failure: Option<TransportError>,
    body: VecDeque<Step>,
}

#[derive(Debug, Clone)]
enum Step {
    Pass(Duration),
    Chunk(Bytes),
    Break(TransportErrorKind),
    End,
}

impl Answer {
    /// `status`, with no header.
    ///
    /// # Panics
    ///
    /// If `status` is not between 100 and 999.
    pub fn status(status: u16) -> Self {
        Self {
            head: Some(Head {
                status: StatusCode::from_u16(status).expect("a status of three digits"),
                headers: HeaderMap::new(),
            }),
            before_head: Duration::ZERO,
            failure: None,
            body: VecDeque::new(),
        }
    }

    /// 200 with `Content-Type: text/event-stream`.
    pub fn stream() -> Self {
        Self::status(200).header(header::CONTENT_TYPE.as_str(), "text/event-stream")
    }

    /// No response, but this error.
    pub fn error(error: impl Into<TransportError>) -> Self {
        Self {
            head: None,
            before_head: Duration::ZERO,
            failure: Some(error.into()),
            body: VecDeque::new(),
        }
    }

    /// No response, ever.
    pub fn silence() -> Self {
        Self {
            head: None,
            before_head: Duration::ZERO,
            failure: None,
            body: VecDeque::new(),
        }
    }

    /// Lets `time` pass before the head comes, or the error.
    pub fn late(mut self, time: Duration) -> Self {
        self.before_head = time;
        self
    }

    /// Adds a header; any bytes that HTTP can carry.
    ///
    /// # Panics
    ///
    /// If HTTP can't carry it, or there is no head.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a header's name");
        let value = HeaderValue::from_bytes(value.as_ref()).expect("a header's value");
        let head = self.head.as_mut().expect("a head for the header");
        head.headers.append(name, value);
        self
    }

    /// Sends bytes of the body.
    pub fn chunk(self, bytes: impl Into<Bytes>) -> Self {
        self.then(Step::Chunk(bytes.into()))
    }

    /// Lets time pass.
    pub fn pass(self, time: Duration) -> Self {
        self.then(Step::Pass(time))
    }

    /// Ends the body as it should be.
    pub fn end(self) -> Self {
        self.then(Step::End)
    }

    /// Breaks the connection.
    pub fn breaks(self) -> Self {
        self.then(Step::Break(TransportErrorKind::Io))
    }

    fn then(mut self, step: Step) -> Self {
        self.body.push_back(step);
        self
    }
}

impl Memory {
    /// Gives `answers`, one per request. Requests beyond the last fail as
    /// futile, which ends any stream.
    pub fn script(runtime: impl Runtime, answers: impl IntoIterator<Item = Answer>) -> Self {
        let mut answers: VecDeque<Answer> = answers.into_iter().collect();
        Self::respond(runtime, move |_| {
            answers.pop_front().unwrap_or_else(|| {
                let text = "the script has no answer left for it";
                Answer::error(TransportError::new(TransportErrorKind::Request, text))
            })
        })
    }

    /// Gives what `respond` makes of each request.
    pub fn respond(
        runtime: impl Runtime,
        respond: impl FnMut(&Request) -> Answer + Send + 'static,
    ) -> Self {
        Self {
            runtime: Arc::new(runtime),
            script: Arc::new(Mutex::new(Script {
                respond: Box::new(respond),
                exchanges: Vec::new(),
            })),
        }
    }

    /// Everything that came so far.
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.lock().exchanges.clone()
    }

    /// The requests that came so far.
    pub fn requests(&self) -> Vec<Request> {
        let script = self.lock();
        script
            .exchanges
            .iter()
            .map(|one| one.request.clone())
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, Script> {
        // A test's own closure may have panicked in here: the test has failed.
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Transport for Memory {
    fn send(&self, request: Request) -> Sending {
        let at = self.runtime.now();
        let (answer, guard) = {
            let mut script = self.lock();
            let answer = (script.respond)(&request);
            script.exchanges.push(Exchange {
                request,
                at,
                over: None,
            });
            let guard = Guard {
                memory: self.clone(),
                index: script.exchanges.len() - 1,
            };
            (answer, guard)
        };
        Box::pin(respond(answer, guard, at))
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory")
            .field("exchanges", &self.lock().exchanges.len())
            .finish_non_exhaustive()
    }
}

async fn respond(answer: Answer, guard: Guard, at: Duration) -> Result<Response, TransportError> {
    let time = at.saturating_add(answer.before_head);
    guard.memory.runtime.sleep_until(time).await;
    if let Some(error) = answer.failure {
        return Err(error);
    }
    let Some(head) = answer.head else {
        return std::future::pending().await;
    };
    let body: Body = Box::pin(Playing {
        guard: Some(guard),
        steps: answer.body,
        time,
        passing: None,
    });
    Ok(Response { head, body })
}

/// Notes when an exchange is over.
struct Guard {
    memory: Memory,
    index: usize,
}

impl Drop for Guard {
    fn drop(&mut self) {
        let now = self.memory.runtime.now();
        self.memory.lock().exchanges[self.index].over = Some(now);
    }
}

struct Playing {
    /// Until the end of the body.
    guard: Option<Guard>,
    steps: VecDeque<Step>,
    /// When the next step is due: what a slow reader takes doesn't delay it.
    time: Duration,
    passing: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Stream for Playing {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(passing) = &mut self.passing {
                ready!(passing.as_mut().poll(cx));
                self.passing = None;
            }
            let Some(guard) = &self.guard else {
                return Poll::Ready(None);
            };
            let runtime = guard.memory.runtime.clone();
            match self.steps.pop_front() {
                Some(Step::Pass(time)) => {
                    self.time = self.time.saturating_add(time);
                    self.passing = Some(runtime.sleep_until(self.time));
                }
                Some(Step::Chunk(bytes)) => return Poll::Ready(Some(Ok(bytes))),
                Some(Step::Break(kind)) => {
                    self.guard = None;
                    return Poll::Ready(Some(Err(kind.into())));
                }
                Some(Step::End) => self.guard = None,
                None => return Poll::Pending,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::VirtualRuntime;
    use futures_util::StreamExt;
    use http::Method;
    use url::Url;

    const SECOND: Duration = Duration::from_secs(1);

    fn request() -> Request {
        Request {
            method: Method::GET,
            url: Url::parse("http://a.test/s").expect("a URL"),
            headers: HeaderMap::new(),
            body: None,
            cookies: false,
        }
    }

    #[test]
    fn plays_its_answer_at_its_times() {
        let runtime = VirtualRuntime::new(1);
        let answer = Answer::stream()
            .late(SECOND)
            .chunk("a")
            .pass(SECOND * 2)
            .chunk("b")
            .breaks();
        let memory = Memory::script(runtime.clone(), [answer]);
        let seen = runtime.block_on(async {
            let mut response = memory.send(request()).await.expect("a response");
            assert_eq!(response.head.status, 200);
            let mut seen = vec![(runtime.now(), "head".to_owned())];
            while let Some(chunk) = response.body.next().await {
                let text = chunk.map_or_else(
                    |error| format!("{:?}", error.kind),
                    |bytes| String::from_utf8_lossy(&bytes).into_owned(),
                );
                seen.push((runtime.now(), text));
            }
            seen
        });
        let expected = [(1, "head"), (1, "a"), (3, "b"), (3, "Io")];
        assert_eq!(
            seen,
            expected.map(|(second, what)| (SECOND * second, what.to_owned()))
        );
        assert_eq!(memory.exchanges()[0].over, Some(SECOND * 3));
    }

    #[test]
    fn fails_keeps_silent_and_runs_out() {
        let runtime = VirtualRuntime::new(1);
        let script = [Answer::error(TransportErrorKind::Tls), Answer::silence()];
        let memory = Memory::script(runtime.clone(), script);
        runtime.block_on(async {
            let error = memory.send(request()).await.expect_err("the first");
            assert_eq!(error.kind, TransportErrorKind::Tls);
            let mut second = memory.send(request());
            let mut timer = runtime.sleep_until(SECOND);
            std::future::poll_fn(|cx| {
                assert!(second.as_mut().poll(cx).is_pending());
                timer.as_mut().poll(cx)
            })
            .await;
            drop(second);
            let error = memory.send(request()).await.expect_err("the third");
            assert!(error.is_futile());
        });
        let over: Vec<_> = memory.exchanges().iter().map(|one| one.over).collect();
        assert_eq!(over, [Some(Duration::ZERO), Some(SECOND), Some(SECOND)]);
    }

    #[test]
    fn an_open_body_goes_on_until_it_is_dropped() {
        let runtime = VirtualRuntime::new(1);
        let memory = Memory::respond(runtime.clone(), |_| Answer::stream());
        runtime.block_on(async {
            let response = memory.send(request()).await.expect("a response");
            runtime.sleep(SECOND).await;
            assert_eq!(memory.exchanges()[0].over, None);
            drop(response);
        });
        assert_eq!(memory.exchanges()[0].over, Some(SECOND));
    }
}

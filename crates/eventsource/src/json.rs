//! Events whose data is JSON.

use crate::{Error, Event, EventStream, Gap, Handle};
use futures_core::Stream;
use futures_core::stream::FusedStream;
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use std::fmt;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// A value, and the event whose data it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Json<T> {
    /// What the data says.
    pub value: T,
    /// All of the event, the data included.
    pub event: Event,
}

/// An event whose data is not the JSON that was expected. What it prints as says
/// where, and nothing of the data.
pub struct JsonError {
    /// What is wrong; its own text may quote the data.
    pub error: serde_json::Error,
    /// The event.
    pub event: Event,
}

/// Events whose data is JSON: [`EventStream::json`].
pub struct JsonStream<T> {
    events: EventStream,
    value: PhantomData<fn() -> T>,
}

impl EventStream {
    /// Reads the data of each event as JSON.
    ///
    /// Data that isn't what `T` expects is [`Error::Json`], a `tidings:gap`
    /// event of a hub is [`Error::Gap`]; after either the stream goes on. Where
    /// events of several types come, let `T` be a `serde_json::Value` or an enum
    /// and look at [`Json::event`].
    pub fn json<T: DeserializeOwned>(self) -> JsonStream<T> {
        JsonStream {
            events: self,
            value: PhantomData,
        }
    }
}

impl<T: DeserializeOwned> JsonStream<T> {
    /// The next value; `None` when there will be none. Cancel-safe.
    ///
    /// # Errors
    /// Those of [`EventStream::next`], [`Error::Json`] and [`Error::Gap`].
    pub async fn next(&mut self) -> Option<Result<Json<T>, Error>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// To see and to do things from another task.
    pub fn handle(&self) -> Handle {
        self.events.handle()
    }
}

impl<T: DeserializeOwned> Stream for JsonStream<T> {
    type Item = Result<Json<T>, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let event = ready!(Pin::new(&mut self.events).poll_next(cx));
        Poll::Ready(event.map(|event| parse(event?)))
    }
}

impl<T: DeserializeOwned> FusedStream for JsonStream<T> {
    fn is_terminated(&self) -> bool {
        self.events.is_terminated()
    }
}

impl<T> fmt::Debug for JsonStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JsonStream").field(&self.events).finish()
    }
}

fn parse<T: DeserializeOwned>(event: Event) -> Result<Json<T>, Error> {
    let event = match Gap::from_event(event) {
        Ok(gap) => return Err(Error::Gap(Box::new(gap))),
        Err(event) => event,
    };
    match serde_json::from_str(&event.data) {
        Ok(value) => Ok(Json { value, event }),
        Err(error) => Err(Error::Json(Box::new(JsonError { error, event }))),
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.error.classify() {
            Category::Data => "a value is of another type or out of range, or one is missing",
            Category::Eof => "it ends too early",
            Category::Syntax | Category::Io => "it is not JSON",
        };
        let (line, column) = (self.error.line(), self.error.column());
        write!(
            f,
            "an event's data is not the JSON that was expected: \
             {what}, at line {line}, column {column}"
        )
    }
}

impl fmt::Debug for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for JsonError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::GapReason;
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Delta {
        text: String,
    }

    fn check(event: Event) -> Result<String, Error> {
        parse::<Delta>(event).map(|json| json.value.text)
    }

    #[test]
    fn data_becomes_a_value() {
        let event = Event::new("message", r#"{"text":"hi","more":1}"#, "");
        assert_eq!(check(event).unwrap(), "hi");
    }

    #[test]
    fn other_data_is_a_passing_error_that_quotes_nothing() {
        for data in [
            "",
            "secret",
            r#"{"text":"#,
            r#"{"text":["secret"]}"#,
            r#"{"secret":1}"#,
        ] {
            let error = check(Event::new("message", data, "")).unwrap_err();
            assert!(error.is_passing(), "{data}");
            let mut shown = error.to_string();
            let mut source = std::error::Error::source(&error);
            while let Some(cause) = source {
                shown += &cause.to_string();
                source = cause.source();
            }
            assert!(!shown.contains("secret"), "{shown}");
            assert!(shown.contains("line"), "{shown}");
        }
    }

    #[test]
    fn a_gap_is_told_in_place_of_an_event() {
        let event = Event::new("tidings:gap", r#"{"reason":"expired"}"#, "td-7");
        let error = check(event).unwrap_err();
        assert!(error.is_passing());
        let Error::Gap(gap) = error else {
            panic!("{error:?}");
        };
        assert_eq!((gap.reason, gap.since()), (GapReason::Expired, "td-7"));
    }
}

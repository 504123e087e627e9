//! What lanes and sets tell of their streams.

use crate::hub::Hub;
use crate::live::Turn;
use crate::places::Watching;
use http::Version;
use serde::{Serialize, Serializer};
use std::cmp::Reverse;
use std::net::IpAddr;
use tidings_engine::{Selection, Subscriptions, Timestamp};

/// How many of its topics are told of a stream.
const TOPICS: usize = 3;

/// What carries a stream: a lane's connections, or a set's streams.
pub trait Streams {
    /// The subscriptions of the log.
    fn subscriptions(&mut self) -> &mut Subscriptions;

    /// Of each stream, with the `most` that lag most.
    fn survey(&self, most: usize) -> Survey;
}

/// Streams, taken together.
#[derive(Debug, Default)]
pub struct Survey {
    /// How many there are.
    pub streams: usize,
    /// What the one that lags most has not been given, in bytes.
    pub lag_bytes: u64,
    /// How many lag.
    pub lagging: usize,
    /// Those that lag most, these first; of others, those that are there longest.
    pub most: Vec<Told>,
}

/// What is told of one stream. Nothing of it is what its watcher alone knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Told {
    /// A name for it, which no other has while it is there.
    pub id: String,
    /// Whose address it has; none within the process.
    pub peer: Option<IpAddr>,
    /// What carries it.
    pub transport: Transport,
    /// Whether that is TLS.
    pub secure: bool,
    /// When it began, in milliseconds since the Unix epoch.
    pub since: u64,
    /// The first few topics and patterns that it watches.
    pub topics: Vec<String>,
    /// How many more there are.
    pub more_topics: usize,
    /// What it has not been given, in bytes.
    pub lag_bytes: u64,
    /// How many events of the log it was given.
    pub given: u64,
}

/// What carries a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// HTTP of this version.
    Http(Version),
    /// Nothing: it is read within the process.
    Process,
}

impl Transport {
    fn as_str(self) -> &'static str {
        match self {
            Self::Http(Version::HTTP_2) => "h2",
            Self::Http(Version::HTTP_11) => "http/1.1",
            Self::Http(_) => "http/1.0",
            Self::Process => "process",
        }
    }
}

impl Serialize for Transport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// What a set keeps of a stream that somebody else carries.
#[derive(Debug)]
pub struct Carried {
    /// Whose address it has.
    pub peer: Option<IpAddr>,
    /// What carries it.
    pub transport: Transport,
    /// Whether that is TLS.
    pub secure: bool,
    /// When it began.
    pub since: Timestamp,
    /// What it watches of the own log; few do.
    pub own: Option<Box<Selection>>,
    /// How many events of the log it was given.
    pub given: u64,
}

impl Carried {
    /// A stream at `place` that has just begun.
    pub fn new(
        (place, transport): (&Watching, Transport),
        own: Option<&Selection>,
        since: Timestamp,
    ) -> Self {
        Self {
            peer: place.peer(),
            transport,
            secure: place.is_secure(),
            since,
            own: own.cloned().map(Box::new),
            given: 0,
        }
    }

    /// What is told of it.
    pub fn told(&self, id: String, watched: &Selection, lag_bytes: u64) -> Told {
        let (topics, more_topics) = topics(watched, self.own.as_deref());
        Told {
            id,
            peer: self.peer,
            transport: self.transport,
            secure: self.secure,
            since: self.since.0,
            topics,
            more_topics,
            lag_bytes,
            given: self.given,
        }
    }
}

/// The first few topics of a stream, and how many more it has.
pub fn topics(log: &Selection, own: Option<&Selection>) -> (Vec<String>, usize) {
    let own = own.into_iter().flat_map(|own| own.selectors());
    let mut all = log.selectors().iter().chain(own);
    let first: Vec<_> = all
        .by_ref()
        .take(TOPICS)
        .map(|selector| selector.as_str().to_owned())
        .collect();
    (first, all.count())
}

/// Takes streams together, each with its lag and when it began, of which `tell` tells
/// more.
pub fn take_survey<S>(
    streams: impl Iterator<Item = (S, u64, Timestamp)>,
    most: usize,
    tell: impl Fn(S, u64) -> Option<Told>,
) -> Survey {
    let mut survey = Survey::default();
    let mut all = Vec::new();
    for (stream, lag, since) in streams {
        survey.streams += 1;
        survey.lag_bytes = survey.lag_bytes.max(lag);
        survey.lagging += usize::from(lag > 0);
        if most > 0 {
            all.push((Reverse(lag), since, stream));
        }
    }
    if all.len() > most && most > 0 {
        all.select_nth_unstable_by_key(most - 1, |(lag, since, _)| (*lag, *since));
        all.truncate(most);
    }
    let told = all.into_iter();
    survey.most = told
        .filter_map(|(Reverse(lag), _, stream)| tell(stream, lag))
        .collect();
    survey
}

/// Takes those of all lanes and sets together; for a request in its `turn`.
pub async fn of(hub: &Hub, most: usize, turn: Option<Turn>) -> Survey {
    let question = move |streams: &mut dyn Streams| {
        let _turn = &turn;
        streams.survey(most)
    };
    let parts = hub.live().ask(question).await;
    join(parts, most)
}

fn join(parts: Vec<Survey>, most: usize) -> Survey {
    let mut all = Survey::default();
    for part in parts {
        all.streams += part.streams;
        all.lag_bytes = all.lag_bytes.max(part.lag_bytes);
        all.lagging += part.lagging;
        all.most.extend(part.most);
    }
    all.most.sort_by(|a, b| {
        (Reverse(a.lag_bytes), a.since, &a.id).cmp(&(Reverse(b.lag_bytes), b.since, &b.id))
    });
    all.most.truncate(most);
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidings_engine::Selector;

    /// A stream for each lag, which began at its number.
    fn survey(lags: &[u64], most: usize) -> Survey {
        let streams = (0..).zip(lags).map(|(n, lag)| (n, *lag, Timestamp(n)));
        take_survey(streams, most, |n, lag_bytes| {
            let carried = Carried {
                peer: None,
                transport: Transport::Http(Version::HTTP_2),
                secure: true,
                since: Timestamp(n),
                own: None,
                given: 0,
            };
            Some(carried.told(n.to_string(), &Selection::everything(), lag_bytes))
        })
    }

    fn check(parts: &[&[u64]], most: usize, lags: &[u64]) {
        let all = join(parts.iter().map(|lags| survey(lags, most)).collect(), most);
        let told: Vec<_> = all.most.iter().map(|own| own.lag_bytes).collect();
        assert_eq!(told, lags, "{parts:?} {most}");
        let each: Vec<u64> = parts.concat();
        assert_eq!(all.streams, each.len());
        assert_eq!(all.lagging, each.iter().filter(|lag| **lag > 0).count());
        assert_eq!(all.lag_bytes, each.iter().copied().max().unwrap_or(0));
    }

    #[test]
    fn those_who_lag_most_come_first() {
        check(&[], 3, &[]);
        check(&[&[], &[0]], 3, &[0]);
        check(&[&[5, 0, 7], &[6]], 3, &[7, 6, 5]);
        check(&[&[1, 9, 3, 2], &[8, 4, 0]], 3, &[9, 8, 4]);
        check(&[&[1, 9], &[8]], 0, &[]);
    }

    #[test]
    fn of_those_who_dont_lag_the_oldest_are_told() {
        let told = survey(&[0, 0, 0, 0], 2).most;
        let mut ids: Vec<_> = told.iter().map(|own| &*own.id).collect();
        ids.sort_unstable();
        assert_eq!(ids, ["0", "1"]);
    }

    #[test]
    fn a_stream_tells_its_first_topics() {
        let selection = |texts: &[&str]| {
            Selection::new(
                texts
                    .iter()
                    .map(|text| Selector::new(text).unwrap())
                    .collect(),
            )
        };
        let log = selection(&["b", "a", "d/*"]);
        let own = selection(&["$sys/**", "$sys/stats"]);
        let (told, more) = topics(&log, Some(&own));
        assert_eq!(
            (told, more),
            (vec!["a".into(), "b".into(), "d/*".into()], 2)
        );
        let (told, more) = topics(&selection(&[]), Some(&own));
        assert_eq!(
            (told, more),
            (vec!["$sys/stats".into(), "$sys/**".into()], 0)
        );
    }

    #[test]
    fn a_stream_is_told_as_json() {
        let told = survey(&[3], 1).most.remove(0);
        let text = serde_json::to_string(&told).unwrap();
        assert_eq!(
            text,
            r#"{"id":"0","peer":null,"transport":"h2","secure":true,"since":0,"topics":["**"],"more_topics":0,"lag_bytes":3,"given":0}"#
        );
    }
}

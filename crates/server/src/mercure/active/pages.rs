//! Documents, made as they are sent: a collection of a crowd is never in memory
//! as a whole.

use super::registry::View;
use super::subscriber::Subscriber;
use bytes::Bytes;
use std::sync::Arc;
use tidings_mercure::document::subscription::Collection;
use tidings_mercure::document::{Active, Route};
use tidings_mercure::{Base, Dialect};
use tokio::sync::OwnedSemaphorePermit;

/// A piece of a document ends behind the subscription with which it has so many
/// bytes.
const PIECE_BYTES: usize = 16 * 1024;
/// How many streams are looked at for one piece, if few are named.
const LOOKED_AT: usize = 4096;

/// Which document is asked for.
#[derive(Debug, Clone)]
pub struct Shape {
    /// The subscriptions that its path names.
    pub route: Route,
    /// Whose shape it has.
    pub dialect: Dialect,
    /// Of the last event that it takes into account.
    pub last_event_id: Box<str>,
}

/// A document that is being sent.
pub struct Pages {
    base: Arc<Base>,
    shape: Shape,
    subscribers: std::vec::IntoIter<Arc<Subscriber>>,
    state: State,
    /// Says that the peer has to take what it was given, until that is dropped.
    owe: Option<Owe>,
    owed: Option<Bytes>,
    /// Its place among what all pages may take.
    _permit: OwnedSemaphorePermit,
}

/// Makes a peer owe.
pub type Owe = Box<dyn Fn() -> Bytes + Send>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Begins,
    Lists {
        /// There are subscriptions in it already.
        some: bool,
    },
    Ended,
}

impl Pages {
    /// What `view` shows in that shape.
    pub fn new(base: Arc<Base>, shape: Shape, view: View, permit: OwnedSemaphorePermit) -> Self {
        Self {
            base,
            shape,
            subscribers: view.subscribers.into_iter(),
            state: State::Begins,
            owe: None,
            owed: None,
            _permit: permit,
        }
    }

    /// The peer has to take each piece in time: it holds what all pages share.
    pub fn owe(&mut self, owe: Owe) {
        self.owe = Some(owe);
    }

    /// The document of the one subscription that is named; `None` if there is none.
    pub fn one(&mut self) -> Option<Bytes> {
        let Shape {
            route,
            dialect,
            last_event_id,
        } = &self.shape;
        self.subscribers.find_map(|subscriber| {
            let mut named = subscriptions(&subscriber, route, &self.base);
            let document =
                named.find_map(|active| active.document(*dialect, Some(last_event_id), &self.base));
            document.map(Bytes::from)
        })
    }

    /// The next piece of the collection; `None` at its end.
    pub fn next(&mut self) -> Option<Bytes> {
        let mut piece = String::new();
        // An empty piece would say nothing; some take it for the end.
        while piece.is_empty() && self.state != State::Ended {
            self.go_on(&mut piece);
        }
        self.owed = self.owe.as_ref().map(|owe| owe());
        (!piece.is_empty()).then(|| piece.into())
    }

    fn go_on(&mut self, piece: &mut String) {
        let Shape {
            route,
            dialect,
            last_event_id,
        } = &self.shape;
        let around = Collection::new(route, *dialect, last_event_id, &self.base);
        if self.state == State::Begins {
            piece.push_str(around.begin());
            self.state = State::Lists { some: false };
        }
        for _ in 0..LOOKED_AT {
            let Some(subscriber) = self.subscribers.next() else {
                piece.push_str(around.end());
                self.state = State::Ended;
                return;
            };
            let named = subscriptions(&subscriber, route, &self.base);
            for item in named.filter_map(|active| active.item(*dialect, &self.base)) {
                if self.state == (State::Lists { some: true }) {
                    piece.push(',');
                }
                piece.push_str(&item);
                self.state = State::Lists { some: true };
            }
            if piece.len() >= PIECE_BYTES {
                return;
            }
        }
    }
}

fn subscriptions<'a>(
    subscriber: &'a Subscriber,
    route: &'a Route,
    base: &'a Base,
) -> impl Iterator<Item = Active<'a>> {
    let all = subscriber.subscriptions(true, base);
    all.filter(move |active| route.selects(active))
}

#[cfg(test)]
mod tests {
    use super::super::subscriber::Terms;
    use super::*;
    use serde_json::Value;
    use tidings_engine::Position;
    use tidings_mercure::Matcher;
    use tokio::sync::Semaphore;

    /// The collection that `path` names of a crowd, each of which watches `a` and
    /// every hundredth `b` too; and how many pieces it came in.
    async fn check(path: &str, dialect: Dialect, crowd: usize, expect: usize) -> usize {
        let base = Arc::new(Base::new("https://hub.example").unwrap());
        let terms = Terms {
            base: &base,
            event_bytes: usize::MAX,
        };
        let subscriber = |n: usize| {
            let matchers = [Matcher::exact("a"), Matcher::exact("b")];
            let some = if n.is_multiple_of(100) {
                &matchers[..]
            } else {
                &matchers[..1]
            };
            let own = Subscriber::new(n as u128, some, None, &terms, &Arc::default());
            Arc::new(own.unwrap())
        };
        let view = View {
            subscribers: (0..crowd).map(subscriber).collect(),
            at: Position(1),
        };
        let route = Route::parse(&format!("{}{path}", base.hub().path()), &base).unwrap();
        let shape = Shape {
            route,
            dialect,
            last_event_id: "x".into(),
        };
        let permit = Arc::new(Semaphore::new(1)).acquire_owned().await.unwrap();
        let mut pages = Pages::new(Arc::clone(&base), shape, view, permit);
        let (mut whole, mut pieces) = (Vec::new(), 0);
        while let Some(piece) = pages.next() {
            assert!(!piece.is_empty());
            assert!(piece.len() < PIECE_BYTES + 1024, "{}", piece.len());
            whole.extend_from_slice(&piece);
            pieces += 1;
        }
        assert!(pages.next().is_none());
        let whole: Value = serde_json::from_slice(&whole).unwrap();
        let listed = whole["subscriptions"].as_array().unwrap();
        let mut ids: Vec<_> = listed.iter().map(|own| own["id"].to_string()).collect();
        ids.sort();
        ids.dedup();
        assert_eq!((listed.len(), ids.len()), (expect, expect), "{path}");
        pieces
    }

    #[tokio::test]
    async fn a_collection_comes_in_pieces() {
        for dialect in [Dialect::V0, Dialect::V1] {
            assert_eq!(check("/subscriptions", dialect, 0, 0).await, 1);
            assert_eq!(check("/subscriptions", dialect, 1, 2).await, 1);
            assert!(check("/subscriptions", dialect, 2000, 2020).await > 20);
        }
        let path = "/subscriptions/exact/b";
        assert_eq!(check(path, Dialect::V1, 5000, 50).await, 2);
        assert_eq!(check("/subscriptions/b", Dialect::V0, 9000, 90).await, 3);
        assert_eq!(
            check("/subscriptions/nobody", Dialect::V0, 9000, 0).await,
            2
        );
    }
}

//! What is asked of presence: by a stream that begins, and by `GET /presence`.

use crate::auth::Who;
use crate::http::query::Query;
use crate::http::{Code, Problem, Reply, respond};
use crate::hub::Hub;
use http::{Method, StatusCode, request};
use std::sync::Arc;
use tidings_engine::{Selection, Selector, Topic};

/// The longest `as`, in bytes.
const CALLED_BYTES: usize = 128;
/// The most topics of one page.
const TOPICS: usize = 100;
/// What the lists of one page may take together, in bytes. Topics behind them are
/// shown as crowds are.
const PAGE_BYTES: usize = 1 << 20;
/// What a topic takes on a page beside its list, and beside its text twice.
const TOPIC_BYTES: usize = 256;

/// What a stream asks of presence.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attendance {
    /// What its watcher wants to be called.
    pub called: Option<Box<str>>,
    /// Whether it wants to be told who is there.
    pub listens: bool,
}

impl Attendance {
    /// Whether its watcher says anything of presence.
    pub fn is_asked_for(&self) -> bool {
        self.listens || self.called.is_some()
    }

    /// Reads `presence` and `as` of the query of a stream that watches `watched`.
    ///
    /// # Errors
    /// `400` for what they can't be, and where nobody can be present.
    pub fn read(hub: &Hub, query: &Query, watched: &Selection) -> Result<Self, Problem> {
        let bad = |detail: &'static str| Err(Problem::new(Code::BadRequest, detail));
        let listens = match query.one("presence")? {
            None => false,
            Some("1") => true,
            Some(_) => return bad("'presence' can only be '1'"),
        };
        let called = query.one("as")?;
        if called.is_some() && !hub.auth().is_open() {
            return bad("'as' is for hubs without keys; here tokens say who somebody is");
        }
        let is_name = |text: &str| {
            (1..=CALLED_BYTES).contains(&text.len()) && !text.chars().any(char::is_control)
        };
        if called.is_some_and(|text| !is_name(text)) {
            return bad("'as' is 1 to 128 bytes of text without control characters");
        }
        if listens || called.is_some() {
            check_topics(hub, watched)?;
        }
        Ok(Self {
            called: called.map(Into::into),
            listens,
        })
    }

    /// What is watched, with that on which it is told who is there, if that is asked
    /// for: it is decided upon with the rest.
    pub fn with_accounts(&self, watched: Selection) -> Selection {
        if !self.listens {
            return watched;
        }
        let told = watched.selectors().iter().filter_map(|own| match own {
            Selector::Exact(topic) => super::told_at(topic).map(Selector::Exact),
            Selector::Pattern(_) | Selector::Mercure(_) => None,
        });
        let told: Vec<_> = told.collect();
        Selection::new([watched.selectors(), &told].concat())
    }
}

/// Whoever asks for presence has to get it for everything they watch.
fn check_topics(hub: &Hub, watched: &Selection) -> Result<(), Problem> {
    for selector in watched.selectors() {
        match selector {
            Selector::Exact(topic) => check_kept(hub, topic)?,
            Selector::Pattern(_) | Selector::Mercure(_) => {
                let detail = "'presence' and 'as' are for topics, not for patterns: nobody is \
                              present at a pattern";
                return Err(Problem::new(Code::InvalidTopic, detail));
            }
        }
    }
    Ok(())
}

fn check_kept(hub: &Hub, topic: &Topic) -> Result<(), Problem> {
    if hub.presence().is_kept(topic) {
        return Ok(());
    }
    let detail = "no presence is kept of this topic: it is the hub's own, left out by \
                  presence.topics, or too long";
    Err(Problem::new(Code::InvalidTopic, detail))
}

/// `GET /presence?topic=…`: who is at a topic, or at several.
///
/// # Errors
/// The problem to answer with.
pub async fn answer(hub: &Arc<Hub>, head: &request::Parts, who: &Who) -> Result<Reply, Problem> {
    let query = Query::parse(head.uri.query(), hub.settings().limits.query_bytes)?;
    let topics: Arc<[Topic]> = topics(hub, &query)?.into();
    hub.auth().may_see_present(who, &topics)?;
    if head.method == Method::HEAD {
        let mut reply = respond::whole(StatusCode::OK, "application/json", "");
        respond::vary(&mut reply, hub.auth().is_open());
        return Ok(reply);
    }
    let texts: usize = topics.iter().map(|topic| 2 * topic.as_str().len()).sum();
    let most = PAGE_BYTES + texts + TOPIC_BYTES * topics.len();
    let permit = hub.reserve_page(most).await?;
    let watchers = hub.live().watching(Arc::clone(&topics)).await;
    let body = body(hub, &topics, watchers.as_deref());
    // Again: on it may be who came after a revocation was answered.
    hub.auth().may_see_present(who, &topics)?;
    let body = respond::held(body, permit);
    let mut reply = respond::whole(StatusCode::OK, "application/json", body);
    respond::vary(&mut reply, hub.auth().is_open());
    Ok(reply)
}

fn topics(hub: &Hub, query: &Query) -> Result<Vec<Topic>, Problem> {
    let mut topics = Vec::new();
    for text in query.all("topic") {
        let topic = Topic::new(text)
            .map_err(|reason| Problem::new(Code::InvalidTopic, reason.to_string()))?;
        check_kept(hub, &topic)?;
        if !topics.contains(&topic) {
            topics.push(topic);
        }
        if topics.len() > TOPICS {
            let detail = format!("ask for at most {TOPICS} topics at once");
            return Err(Problem::new(Code::InvalidTopic, detail));
        }
    }
    match topics.is_empty() {
        false => Ok(topics),
        true => {
            let detail = "name at least one topic: /presence?topic=news";
            Err(Problem::new(Code::InvalidTopic, detail))
        }
    }
}

/// The document of one topic, or of several as `{"topics":[…]}`.
fn body(hub: &Hub, topics: &[Topic], watchers: Option<&[usize]>) -> String {
    let (mut out, mut room) = (String::new(), PAGE_BYTES);
    for (at, topic) in topics.iter().enumerate() {
        let mut snapshot = hub.presence().members(topic);
        let watchers = watchers.and_then(|all| all.get(at).copied());
        let mut document = snapshot.to_page(watchers);
        if document.len() > room {
            snapshot.members = None;
            document = snapshot.to_page(watchers);
        }
        room = room.saturating_sub(document.len());
        out.push_str(if at > 0 { "," } else { "" });
        out.push_str(&document);
    }
    match topics {
        [_] => out + "\n",
        _ => format!("{{\"topics\":[{out}]}}\n"),
    }
}

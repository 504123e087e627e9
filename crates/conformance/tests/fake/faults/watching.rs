//! What is watched, and how it arrives.

use super::*;

pub const FAULTS: &[Fault] = &[
    ("endpoint-1", "it is elsewhere", Answer(gone)),
    ("endpoint-2", "it is elsewhere", Answer(gone)),
    (
        "endpoint-3",
        "no HEAD",
        Answer(|asked, reply| {
            if asked.method == "HEAD" {
                reply.status = 405;
            }
        }),
    ),
    (
        "subscribe-1",
        "one topic",
        Request(|asked| edit_query(asked, |q| q.truncate(1))),
    ),
    (
        "subscribe-2",
        "nothing is everything",
        Request(|asked| {
            if asked.method == "GET" && !asked.path.contains("topic=") {
                edit_query(asked, |q| q.push(pair("topic", "*")));
            }
        }),
    ),
    (
        "subscribe-3",
        "* is a word",
        Request(|asked| watched(asked, "*", "x")),
    ),
    (
        "subscribe-4",
        "templates match no text",
        Request(|asked| watched(asked, "{id}", "{i}{d}")),
    ),
    (
        "subscribe-5",
        "templates match all",
        Request(|asked| {
            edit_query(asked, |q| {
                q.iter_mut()
                    .filter(|(_, v)| v.contains('{'))
                    .for_each(|f| f.1 = "*".into())
            });
        }),
    ),
    (
        "subscribe-6",
        "no explode modifier",
        Request(|asked| watched(asked, "*}", "}")),
    ),
    (
        "subscribe-7",
        "topics are normalised",
        Request(|asked| sent(asked, "topic", "%61", "a")),
    ),
    (
        "subscribe-7",
        "schemes are normalised",
        Request(|asked| sent(asked, "topic", "HTTPS:", "https:")),
    ),
    (
        "subscribe-8",
        "case is ignored",
        Request(|asked| sent(asked, "topic", "/Books/", "/books/")),
    ),
    (
        "subscribe-8",
        "a group takes slashes",
        Request(|asked| watched(asked, "/:id", "/*")),
    ),
    (
        "subscribe-9",
        "relative patterns stay so",
        Request(|asked| {
            edit_query(asked, |q| {
                q.iter_mut()
                    .filter(|(n, _)| n == "match_urlpattern")
                    .for_each(|f| f.1.insert_str(0, "https://elsewhere.example"))
            });
        }),
    ),
    (
        "subscribe-10",
        "patterns match what is no URL",
        Request(|asked| watched(asked, "*://*/*", "*")),
    ),
    (
        "subscribe-11",
        "* is a pattern",
        Request(|asked| {
            edit_query(asked, |q| q.retain(|(n, _)| n != "match_urlpattern"));
            if !asked.path.contains('=') {
                edit_query(asked, |q| q.push(pair("match", "x")));
            }
        }),
    ),
    (
        "subscribe-12",
        "other names are ignored",
        Request(|asked| {
            edit_query(asked, |q| q.retain(|(n, _)| n == "match"));
        }),
    ),
    (
        "subscribe-12",
        "case of names is ignored",
        Request(|asked| {
            asked.path = asked.path.replace("Match=", "match=");
        }),
    ),
    (
        "subscribe-13",
        "format characters are taken",
        Request(|asked| {
            asked.path = asked.path.replace("%E2%80%8D", "");
        }),
    ),
    (
        "subscribe-13",
        "DEL is taken",
        Request(|asked| asked.path = asked.path.replace("%7F", "")),
    ),
    (
        "subscribe-14",
        "the compiler's words are shown",
        Answer(|_, reply| {
            reply.body = "Regex parse error: unclosed group".into();
        }),
    ),
    (
        "subscribe-15",
        "no bound on matchers",
        Request(|asked| edit_query(asked, |q| q.truncate(9))),
    ),
    (
        "subscribe-16",
        "a pattern keeps it busy",
        Request(|asked| {
            if asked.method == "POST" && asked.body.len() > 4_000 {
                std::thread::sleep(Duration::from_secs(3));
            }
        }),
    ),
    ("subscribe-17", "503 when full", Hub(Switch::ThreeStreams)),
    (
        "subscribe-18",
        "case of names is ignored",
        Request(|asked| {
            edit_query(asked, |q| {
                q.iter_mut()
                    .filter(|(n, _)| n == "Topic")
                    .for_each(|f| f.0 = "match".into())
            });
        }),
    ),
    ("subscribe-19", "alternates are dropped", Request(one_topic)),
    (
        "subscribe-20",
        "once for each matcher",
        Block(|block| *block = block.repeat(2)),
    ),
    (
        "subscribe-21",
        "the body is not read",
        Request(|asked| {
            if asked.path.contains("match=") {
                asked.body.clear();
            }
        }),
    ),
    ("subscribe-22", "any type is a form", Request(any_type)),
    (
        "subscribe-23",
        "Accept is not read",
        Request(|asked| drop_header(asked, "accept")),
    ),
    (
        "stream-1",
        "the type is another",
        Answer(|_, reply| {
            if reply.is_stream() {
                reply.set("content-type", Some("text/plain"));
            }
        }),
    ),
    (
        "stream-2",
        "no ids",
        Block(|block| drop_line(block, "id: ")),
    ),
    (
        "stream-2",
        "ids of its own",
        Block(|block| *block = block.replace("id: urn:x:", "id: urn:y:")),
    ),
    (
        "stream-3",
        "no types",
        Block(|block| drop_line(block, "event: ")),
    ),
    (
        "stream-3",
        "no reconnection times",
        Block(|block| drop_line(block, "retry: ")),
    ),
    (
        "stream-4",
        "blank lines are lost",
        Block(|block| *block = block.replace("data: \n", "")),
    ),
    (
        "stream-4",
        "blanks in front are lost",
        Block(|block| *block = block.replace("data:   ", "data: ")),
    ),
    ("stream-5", "no heartbeat", Hub(Switch::NoHeartbeat)),
    (
        "stream-6",
        "proxies may buffer",
        Answer(|_, reply| reply.set("x-accel-buffering", None)),
    ),
    (
        "stream-6",
        "caches may keep it",
        Answer(|_, reply| reply.set("cache-control", None)),
    ),
    (
        "stream-7",
        "every second event before the first",
        Hub(Switch::InPairs),
    ),
    (
        "cursor-1",
        "the header is not read",
        Request(|asked| drop_header(asked, "last-event-id")),
    ),
    (
        "cursor-2",
        "one of the names is not known",
        Request(|asked| {
            asked.path = asked.path.replace("Last-Event-ID=", "other=");
        }),
    ),
    (
        "cursor-3",
        "the name is not known",
        Request(|asked| {
            asked.path = asked.path.replace("last_event_id=", "other=");
        }),
    ),
    (
        "cursor-3",
        "the body's is not read",
        Request(|asked| {
            edit_form(asked, |q| q.retain(|(n, _)| n != "last_event_id"));
        }),
    ),
    (
        "cursor-4",
        "the query goes first",
        Request(|asked| {
            if asked.path.contains("vent") {
                drop_header(asked, "last-event-id");
            }
        }),
    ),
    (
        "cursor-5",
        "earliest is an id",
        Request(|asked| watched(asked, "earliest", "urn:none")),
    ),
    ("cursor-6", "earliest always", Answer(always_earliest)),
    ("cursor-7", "earliest always", Answer(always_earliest)),
    (
        "cursor-7",
        "nothing for an empty cursor",
        Answer(|asked, reply| {
            if asked.path.ends_with("last_event_id=") {
                reply.set("mercure-last-event-id", None);
            }
        }),
    ),
    (
        "cursor-8",
        "what was asked for",
        Answer(|asked, reply| {
            if asked.path.contains("urn%3Ax") {
                reply.set("last-event-id", Some("urn:x:y"));
                reply.set("mercure-last-event-id", Some("urn:x:y"));
            }
        }),
    ),
    ("cursor-9", "replay shows all", Hub(Switch::ReplayShowsAll)),
    ("cursor-10", "the last of doubles", Hub(Switch::LastDouble)),
    (
        "cursor-11",
        "hidden events are found",
        Hub(Switch::HiddenCursors),
    ),
    ("cursor-12", "one is lost between", Hub(Switch::Lossy)),
];

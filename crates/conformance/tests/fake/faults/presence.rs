//! Who watches, and how clients find out about the hub.

use super::*;

pub const FAULTS: &[Fault] = &[
    (
        "presence-1",
        "nobody ends",
        Block(|block| *block = block.replace("\"active\":false", "\"active\":true")),
    ),
    (
        "presence-1",
        "names in 0.x",
        Block(|block| block.insert_str(0, "event: x\n")),
    ),
    (
        "presence-2",
        "no name",
        Block(|block| drop_line(block, "event: ")),
    ),
    (
        "presence-3",
        "one matcher is told",
        Request(|asked| edit_query(asked, |q| q.truncate(1))),
    ),
    (
        "presence-4",
        "another type",
        Block(|block| *block = block.replace("\"Subscription\"", "\"x\"")),
    ),
    (
        "presence-4",
        "no context",
        Block(|block| *block = block.replace("@context", "context")),
    ),
    (
        "presence-5",
        "no match_type",
        Block(|block| *block = block.replace("match_type", "type_of")),
    ),
    (
        "presence-6",
        "encoded twice",
        Block(|block| *block = block.replace("%3A", "%253A")),
    ),
    ("presence-7", "anybody is told", Hub(Switch::PublicPresence)),
    (
        "presence-8",
        "plain JSON",
        Answer(|_, reply| reply.set("content-type", Some("application/json"))),
    ),
    (
        "presence-8",
        "another id",
        Answer(|_, reply| reply.body = reply.body.replace("\"id\":\"", "\"id\":\"x")),
    ),
    (
        "presence-9",
        "no JSON",
        Answer(|_, reply| {
            if !reply.is_stream() {
                reply.set("content-type", Some("text/plain"));
            }
        }),
    ),
    (
        "presence-10",
        "no lastEventID",
        Answer(|_, reply| reply.body = reply.body.replace("lastEventID", "last")),
    ),
    (
        "presence-11",
        "no Link",
        Answer(|_, reply| reply.set("link", None)),
    ),
    (
        "presence-11",
        "a cursor that isn't known",
        Answer(|_, reply| {
            reply
                .headers
                .iter_mut()
                .filter(|(n, _)| *n == "link")
                .for_each(|h| h.1 = h.1.replace("urn:uuid:", "urn:x:"));
        }),
    ),
    ("presence-12", "any token will do", Request(any_token)),
    (
        "presence-13",
        "200 for what isn't there",
        Answer(|_, reply| {
            if reply.status == 404 {
                reply.status = 200;
            }
        }),
    ),
    (
        "presence-14",
        "one subscriber",
        Block(|block| mask(block, "\"subscriber\":\"")),
    ),
    (
        "presence-15",
        "no payload",
        Block(|block| *block = block.replace("payload", "load")),
    ),
    (
        "presence-16",
        "no payload",
        Block(|block| *block = block.replace("payload", "load")),
    ),
    (
        "presence-17",
        "nothing is fresh",
        Request(|asked| drop_header(asked, "if-none-match")),
    ),
    (
        "presence-17",
        "everything is fresh",
        Request(|asked| {
            if asked.header("if-none-match").is_some() {
                drop_header(asked, "if-none-match");
                asked.headers.push(("if-none-match".into(), "*".into()));
            }
        }),
    ),
    (
        "discovery-1",
        "another resource",
        Answer(|_, reply| reply.body = reply.body.replace("/.well", "/x")),
    ),
    (
        "discovery-2",
        "no cookie",
        Answer(|_, reply| reply.body = reply.body.replace("mercure_cookie", "x")),
    ),
    (
        "discovery-3",
        "an error",
        Answer(|asked, reply| {
            if asked.path.contains("oauth") {
                reply.status = 500;
            }
        }),
    ),
    (
        "discovery-4",
        "nothing is exposed",
        Answer(|_, reply| reply.set("access-control-expose-headers", None)),
    ),
    (
        "discovery-5",
        "any page with credentials",
        Answer(|_, reply| {
            reply.set("access-control-allow-origin", Some("https://evil.example"));
            reply.set("access-control-allow-credentials", Some("true"));
        }),
    ),
];

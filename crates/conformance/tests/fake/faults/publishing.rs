//! What is published, and the rows of the public suite.

use super::*;

pub const FAULTS: &[Fault] = &[
    (
        "publish-1",
        "the type is another",
        Answer(|_, reply| {
            if !reply.is_stream() {
                reply.set("content-type", Some("application/json"));
            }
        }),
    ),
    ("publish-1", "the id is another", Answer(another_id)),
    (
        "publish-2",
        "no topic is one",
        Request(|asked| {
            if asked.method == "POST" && !asked.body.starts_with(b"topic") {
                edit_form(asked, |q| q.push(pair("topic", "x")));
            }
        }),
    ),
    ("publish-3", "alternates are dropped", Request(one_topic)),
    (
        "publish-4",
        "off is not private",
        Request(|asked| {
            edit_form(asked, |q| q.retain(|(n, v)| n != "private" || v == "on"));
        }),
    ),
    ("publish-5", "the id is another", Answer(another_id)),
    (
        "publish-6",
        "# is taken",
        Request(|asked| sent(asked, "id", "#", "")),
    ),
    (
        "publish-7",
        "earliest is taken",
        Request(|asked| sent(asked, "id", "earliest", "")),
    ),
    (
        "publish-8",
        "* is a topic",
        Request(|asked| sent(asked, "topic", "*", "star")),
    ),
    (
        "publish-9",
        "line ends in ids",
        Request(|asked| sent(asked, "id", "\r", " ")),
    ),
    (
        "publish-9",
        "line ends in types",
        Request(|asked| sent(asked, "type", "\n", "")),
    ),
    (
        "publish-10",
        "format characters are taken",
        Request(|asked| {
            sent(asked, "type", "\u{200d}", "");
        }),
    ),
    (
        "publish-10",
        "bad UTF-8 is mended",
        Request(|asked| edit_form(asked, |_| {})),
    ),
    (
        "publish-11",
        "mercure is a type",
        Request(|asked| sent(asked, "type", "mercure", "x")),
    ),
    (
        "publish-12",
        "numbers in other ways",
        Request(|asked| sent(asked, "retry", "1e3", "1000")),
    ),
    (
        "publish-12",
        "no retry at all",
        Request(|asked| sent(asked, "retry", "1000", "x")),
    ),
    (
        "publish-13",
        "its own topics are open",
        Request(|asked| {
            sent(asked, "topic", "/.well-known/mercure", "/x");
        }),
    ),
    (
        "publish-14",
        "on other hosts they are open",
        Request(|asked| {
            sent(
                asked,
                "topic",
                "https://other.example/",
                "https://other.example/x",
            );
        }),
    ),
    (
        "publish-14",
        "encoded they are open",
        Request(|asked| sent(asked, "topic", "%6D", "x")),
    ),
    (
        "publish-15",
        "500 for what is large",
        Answer(|_, reply| {
            if reply.status == 413 {
                reply.status = 500;
            }
        }),
    ),
    (
        "publish-16",
        "any number of topics",
        Request(|asked| edit_form(asked, |q| q.truncate(9))),
    ),
    (
        "publish-17",
        "unknown fields are refused",
        Request(|asked| {
            edit_form(asked, |q| {
                if q.iter().any(|(n, _)| n == "future") {
                    q.clear();
                }
            });
        }),
    ),
    (
        "publish-18",
        "an empty type is one",
        Request(|asked| {
            edit_form(asked, |q| {
                q.iter_mut()
                    .filter(|(n, v)| n == "type" && v.is_empty())
                    .for_each(|f| f.1 = "message".into())
            });
        }),
    ),
    ("publish-19", "any type is a form", Request(any_type)),
    (
        "row-1",
        "blanks are lost",
        Block(|block| *block = block.replace("data:   ", "data: ")),
    ),
    ("row-2", "alternates are dropped", Request(one_topic)),
    (
        "row-3",
        "one matcher",
        Request(|asked| edit_query(asked, |q| q.truncate(1))),
    ),
    ("row-4", "the id is another", Answer(another_id)),
    (
        "row-5",
        "no patterns",
        Request(|asked| {
            watched(asked, "{id}", "id");
            watched(asked, ":id", "id");
        }),
    ),
    ("row-6", "all is watched", Request(everything)),
    ("row-7", "all is watched", Request(everything)),
    ("row-8", "all is watched", Request(everything)),
    ("row-9", "private is public", Request(no_privacy)),
    ("row-10", "private is public", Request(no_privacy)),
    ("row-11", "private is public", Request(no_privacy)),
];

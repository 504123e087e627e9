//! What a page wants a server to do, as the query of its URL says it.
//!
//! The pairs of the query are done in their order:
//!
//! | pair | what happens |
//! | --- | --- |
//! | `status=N` | the status, 200 unless set |
//! | `header=NAME:VALUE` | one more header; no `Content-Type` comes by itself |
//! | `allow=1` | CORS headers for the origin that asks, with credentials |
//! | `body=BYTES` | a chunk of the body, in a write of its own |
//! | `echo=NAME` | an event whose data is that header of the request, or `(none)` |
//! | `wait=NAME` | nothing, until `/release?name=NAME` was asked for |
//! | `hold=1` | nothing, until the other side closes; noted under `/log` |
//! | `cut=1` | the connection ends here, in the middle of the response |
//! | `drop=1` | the connection ends without a response |
//! | `key=NAME` | requests are counted and logged under this name |
//! | `next=1` | what follows is for the next request with this key |

use percent_encoding::percent_decode_str;

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Status(u16),
    Header(Vec<u8>),
    Allow,
    Body(Vec<u8>),
    Echo(String),
    Wait(String),
    Hold,
    Cut,
    Drop,
}

/// What the query of a URL asks for: one list of steps per request.
#[derive(Debug, Default)]
pub struct Script {
    /// The name under which requests are counted.
    pub key: Option<String>,
    requests: Vec<Vec<Step>>,
}

impl Script {
    /// # Panics
    /// If the query says what no step is: the page's fault.
    pub fn parse(query: &str) -> Self {
        let mut script = Self {
            key: None,
            requests: vec![Vec::new()],
        };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let bytes: Vec<u8> = percent_decode_str(value).collect();
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let step = match name {
                "key" => {
                    script.key = Some(text);
                    continue;
                }
                "next" => {
                    script.requests.push(Vec::new());
                    continue;
                }
                "status" => Step::Status(text.parse().expect("a status")),
                "header" => Step::Header(bytes),
                "allow" => Step::Allow,
                "body" => Step::Body(bytes),
                "echo" => Step::Echo(text),
                "wait" => Step::Wait(text),
                "hold" => Step::Hold,
                "cut" => Step::Cut,
                "drop" => Step::Drop,
                _ => panic!("no such step: {name}"),
            };
            script.requests.last_mut().expect("one").push(step);
        }
        script
    }

    /// What to do for the request with this number, counted from 0; the last
    /// goes on for ever.
    pub fn of(&self, number: usize) -> &[Step] {
        let at = number.min(self.requests.len() - 1);
        &self.requests[at]
    }
}

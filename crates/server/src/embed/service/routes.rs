//! Which of the hub's paths a service answers.

use crate::http::{Code, Problem};
use http::Method;
use std::ops::BitOr;

/// Parts of the hub's interface over HTTP, to be joined with `|`. Whoever asks
/// needs the right as well, which the application decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Routes(u16);

impl Routes {
    /// `GET /t/{topic}` and `GET /events`: streams and pages of history.
    pub const WATCH: Self = Self(1);
    /// `POST /t/{topic}`, `PUT /t/{topic}`, `DELETE /t/{topic}`, `POST /events`.
    pub const PUBLISH: Self = Self(1 << 1);
    /// `GET /presence`.
    pub const PRESENCE: Self = Self(1 << 2);
    /// `/.well-known/mercure` and what belongs to it.
    pub const MERCURE: Self = Self(1 << 3);
    /// `/metrics` and `/admin/…`, for operators ([`Access::admin`](super::Access::admin)).
    pub const ADMIN: Self = Self(1 << 4);
    /// `/livez`, `/readyz` and `/healthz`, for everybody.
    pub const HEALTH: Self = Self(1 << 5);
    /// `/` and `/console/`: pages, which need the other routes.
    pub const PAGES: Self = Self(1 << 6);

    /// Whether all of `other` is among these.
    pub fn contain(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Lets a request pass that is for one of these.
    pub(super) fn check(self, method: &Method, path: &str) -> Result<(), Problem> {
        let reads = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
        let is_topics = path.starts_with("/t/") || path == "/events";
        let asked = match path {
            _ if is_topics && reads => Self::WATCH,
            _ if is_topics => Self::PUBLISH,
            "/presence" => Self::PRESENCE,
            "/metrics" => Self::ADMIN,
            "/livez" | "/readyz" | "/healthz" => Self::HEALTH,
            "/" | "/console" => Self::PAGES,
            _ if path.starts_with("/console/") => Self::PAGES,
            _ if path.starts_with("/admin/") => Self::ADMIN,
            _ if path.starts_with("/.well-known/") => Self::MERCURE,
            _ => Self(0),
        };
        if asked != Self(0) && self.contain(asked) {
            return Ok(());
        }
        Err(match is_topics {
            true if reads && self.contain(Self::PUBLISH) => {
                Problem::method_not_allowed("POST, PUT, DELETE")
            }
            true if !reads && self.contain(Self::WATCH) => Problem::method_not_allowed("GET, HEAD"),
            _ => Problem::new(Code::NotFound, "the application serves nothing here"),
        })
    }
}

/// [`Routes::WATCH`], [`Routes::PUBLISH`] and [`Routes::PRESENCE`].
impl Default for Routes {
    fn default() -> Self {
        Self::WATCH | Self::PUBLISH | Self::PRESENCE
    }
}

impl BitOr for Routes {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(routes: Routes, method: Method, path: &str, expected: Option<u16>) {
        let checked = routes.check(&method, path).err();
        let status = checked.map(|problem| problem.status().as_u16());
        assert_eq!(status, expected, "{method} {path} by {routes:?}");
    }

    #[test]
    fn only_what_is_mounted_is_answered() {
        check(Routes::WATCH, Method::GET, "/t/a", None);
        check(Routes::WATCH, Method::HEAD, "/events", None);
        check(Routes::WATCH, Method::POST, "/t/a", Some(405));
        check(Routes::WATCH, Method::DELETE, "/t/a", Some(405));
        check(Routes::PUBLISH, Method::GET, "/t/a", Some(405));
        check(Routes::HEALTH, Method::GET, "/t/a", Some(404));
        check(Routes::default(), Method::GET, "/presence", None);
        for path in [
            "/metrics",
            "/admin/topics",
            "/",
            "/console/",
            "/livez",
            "/tickets",
        ] {
            check(Routes::default(), Method::GET, path, Some(404));
        }
        check(Routes::MERCURE, Method::POST, "/.well-known/mercure", None);
        let all = Routes::ADMIN | Routes::HEALTH | Routes::PAGES;
        for path in ["/metrics", "/admin/topics", "/", "/console/x.js", "/livez"] {
            check(all, Method::GET, path, None);
        }
        check(all, Method::GET, "/connections/1/token", Some(404));
    }
}

//! One attempt: a request and those that redirects make of it.

use super::cors::Taint;
use super::request::without_user;
use super::{Head, Options, Request, redirect};
use crate::{Error, RedirectError};
use http::header::ORIGIN;

/// Where an attempt stands in its chain of requests.
#[derive(Debug)]
pub(super) struct Attempt {
    /// The last request that went out.
    request: Request,
    taint: Taint,
    redirects: u8,
}

impl Attempt {
    /// An attempt that begins at the original URL (R6): what redirects said
    /// before, permanent ones included, is forgotten.
    pub(super) fn new(options: &Options, last_event_id: &str) -> Self {
        let request = Request::first(options, last_event_id);
        Self::of(request, options)
    }

    /// An attempt that begins with `request`.
    pub(super) fn of(request: Request, options: &Options) -> Self {
        let cors = options.cors.as_ref();
        Self {
            taint: cors.map_or_else(Taint::default, |cors| cors.taint(&request.url)),
            request,
            redirects: 0,
        }
    }

    pub(super) fn request(&self) -> &Request {
        &self.request
    }

    /// Whether the page may see that `head` (R9): of the last response as of
    /// each redirect.
    pub(super) fn is_allowed(&self, head: &Head, options: &Options) -> bool {
        let cors = options.cors.as_ref();
        cors.is_none_or(|cors| cors.allows(self.taint, &head.headers))
    }

    /// Goes where `head`, a redirect, leads (R7).
    pub(super) fn follow(&mut self, head: &Head, options: &Options) -> Result<(), Error> {
        if self.redirects >= options.policy.max_redirects {
            return Err(Error::Redirect(RedirectError::TooMany));
        }
        let from = self.request.url.clone();
        let target = redirect::target(&from, &head.headers, &options.policy)?;
        let (url, user) = without_user(&target);
        let leaves = url.origin() != from.origin();
        if let Some(cors) = &options.cors {
            self.taint = cors.taint_after(self.taint, &from, &url);
        }
        // For another origin, or after one, a server could make us log in
        // somewhere as somebody.
        if user.is_some() && (leaves || self.taint.cors) {
            return Err(Error::Redirect(RedirectError::InvalidLocation));
        }
        let request = &mut self.request;
        redirect::redirect_request(
            head.status,
            &mut request.method,
            &mut request.headers,
            &mut request.body,
        );
        if leaves {
            redirect::drop_credentials(&mut request.headers);
        }
        if let Some(cors) = &options.cors {
            request.cookies = cors.sends_credentials(self.taint);
            if let Some(origin) = cors.origin_header(self.taint) {
                request.headers.insert(ORIGIN, origin);
            }
        }
        request.url = url;
        request.authorize(user);
        self.redirects += 1;
        Ok(())
    }
}

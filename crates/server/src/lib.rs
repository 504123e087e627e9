//! The Tidings hub: publish by HTTP POST, watch by `EventSource`; durable
//! history, resume. [`Hub`] is one inside an application (`docs/library.md`);
//! [`serve`] runs a whole one from a [`config::Config`].

mod always;
mod auth;
mod close;
pub mod config;
mod connection;
mod drain;
mod embed;
mod files;
mod health;
mod http;
pub mod http1;
mod hub;
mod lanes;
mod listener;
mod live;
mod mercure;
mod metrics;
mod native;
pub mod occasional;
mod own;
mod places;
mod presence;
mod pulled;
mod serve;
mod start;
mod store;
mod sys;
#[cfg(test)]
mod testing;
mod ticks;
mod tls;
mod tokens;
mod watch;

/// The examples of the guide's page.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/library.md")]
mod guide {}

pub use embed::{
    Access, Answering, Body, Builder, Decided, Event, HistoryError, Hub, Keep, Later, Member,
    OpenError, Page, Presence, PresenceChanges, PresenceError, PublishError, Received, Recorded,
    Routes, Service, ServiceBuilder, SubscribeError, Subscription, Undecided,
};
pub use native::{InvalidEvent, InvalidKey};
pub use tidings_codec::EventId;
pub use tidings_engine::control::GapReason;
pub use tidings_engine::since::{InvalidSince, Since};
pub use tidings_engine::topic::InvalidTopic;
pub use tidings_engine::{InvalidSelector, Limits, SlowPolicy};

pub use auth::check as check_auth;
pub use serve::{Address, ServeError, serve};
pub use tls::check as check_tls;

//! All settings of the hub.

use super::auth::AuthKey;
use super::key::{Key, settings};
use super::mercure::Notes;
use super::topics::{TopicRetention, TopicStream};
use super::value::{
    ByteSize, CookieName, HostName, Limit, LogFormat, LogLevel, Name, OrAuto, Origin, PublicUrl,
    StoreKind,
};
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;
use tidings_engine::Selector;
use tidings_engine::slow::SlowPolicy;

settings! {
    /// The configuration of a hub. [`Config::load`](super::Config::load) makes
    /// it from a file, the environment and flags.
    Config, table "" at config => config, {
        /// Where the hub listens: an IP address and a port, or several. Port 0
        /// takes a free one. An address that isn't loopback needs keys ([auth]), or
        /// `open = true`.
        listen: Vec<SocketAddr> = "127.0.0.1:8080";

        /// The directory of the log. It is made if it is missing, and used by
        /// one hub at a time.
        data: PathBuf = "./tidings-data";

        /// "disk": an event is acknowledged once it would survive a power cut.
        /// "memory": nothing is written; a restart begins a new log.
        store: StoreKind = "disk";

        /// Where the hub is reached from outside: what the URLs of its topics begin
        /// with, what the aud of tokens calls it, and the origin of its own pages. "":
        /// http://localhost with the port it listens on.
        public_url: Option<PublicUrl> = "";

        /// Lets everyone who reaches the hub publish and watch, on every address
        /// and through proxies. Without it a hub without keys serves this machine
        /// alone. With keys it can't be set.
        open: bool = "false";

        /// Further names by which the hub may be asked on a loopback address,
        /// besides localhost, 127.0.0.1, [::1] and the host of public_url: what a
        /// request's Host says, with a port only if it isn't the hub's own.
        hosts: Vec<HostName> = "";
    }
    tables {
        /// HTTPS.
        tls: Tls,
        /// Who may publish and watch.
        auth: Auth,
        /// The Mercure face.
        mercure: Mercure,
        /// Pages of other sites.
        cors: Cors,
        /// What watchers get.
        stream: Stream,
        /// Who is connected.
        presence: Presence,
        /// How events are taken in.
        publish: Publish,
        /// Bounds, so that nobody can take more than their part.
        limits: Limits,
        /// How long history is kept.
        retention: Retention,
        /// How the hub stops.
        drain: Drain,
        /// Log lines, on standard error.
        log: Log,
        /// What the environment of a Mercure hub asks for in vain.
        notes: Notes,
    }
}

settings! {
    /// `[tls]`: HTTPS. All three of its settings are given, or none.
    Tls, table "tls" at config => config.tls, {
        /// Where the hub listens for HTTPS, besides the addresses of listen,
        /// which are for HTTP; listen = [] leaves HTTPS alone.
        listen: Vec<SocketAddr> = "";

        /// A file with the certificate chain as PEM: the hub's own certificate
        /// first, then those that vouch for it. SIGHUP has it read again.
        certificate: Option<PathBuf> = "";

        /// A file with the private key of the certificate as PEM. SIGHUP has it
        /// read again.
        key: Option<PathBuf> = "";
    }
}

settings! {
    /// `[auth]`: who may publish and watch. A hub with keys is closed on every
    /// address, this machine included.
    Auth, table "auth" at config => config.auth, {
        /// Topics and patterns that may be watched without a token.
        anonymous: Vec<Selector> = "";

        /// Names by which the aud of a token may call the hub, besides public_url and
        /// that with /.well-known/mercure.
        audiences: Vec<Name> = "";

        /// How far the clocks of the hub and of those who issue tokens may differ.
        leeway: Duration = "0s" from "0s" to "5m";

        /// Cookies that may hold a token. The first that a request has counts.
        cookies: Vec<CookieName> = "mercureAuthorization,__Secure-mercure_access_token";

        /// Origins whose pages may publish by cookie, besides that of public_url.
        origins: Vec<Origin> = "";

        /// Keys that tokens are verified with. SIGHUP has their files read again.
        keys: Vec<AuthKey> = "";
    }
}

settings! {
    /// `[mercure]`: the Mercure face, /.well-known/mercure.
    Mercure, table "mercure" at config => config.mercure, {
        /// Whoever has no token may watch there, and gets public events.
        anonymous: bool = "false";

        /// Who watches can be seen: the subscription API and its events.
        subscriptions: bool = "false";

        /// How long a stream there lives at most; then it is resumed. "none": no bound.
        lifetime: Limit<Duration> = "none";
    }
}

settings! {
    /// `[cors]`: pages of other sites.
    Cors, table "cors" at config => config.cors, {
        /// Origins whose pages may watch and publish, with credentials (to publish by
        /// cookie takes [auth] origins), exactly as browsers write them:
        /// "https://app.example". "*" can't be given.
        origins: Vec<Origin> = "";
    }
}

settings! {
    /// `[stream]`: what watchers get.
    Stream, table "stream" at config => config.stream, {
        /// How long a browser waits before it reconnects. Each connection is
        /// told its own time, from this to three times this, so that they don't
        /// all come back at once.
        retry: Duration = "2s" from "100ms" to "20m";

        /// A comment goes to each watcher after so much silence, so that proxies
        /// keep the connection and a dead peer is noticed.
        heartbeat: Duration = "15s" from "1s" to "1h";

        /// What is known of the readers and proxies out there: they give a stream
        /// up after so much silence. Only checked: the heartbeat must come before.
        idle_timeout: Duration = "45s" from "2s" to "1d";

        /// What becomes of a watcher that falls limits.lag behind, or takes nothing
        /// for limits.stall. "disconnect": its stream ends, and it resumes where it
        /// was. "gap": it goes on with what is new and is told that events are
        /// missing. "latest": it gets the newest event of each topic.
        slow: SlowPolicy = "disconnect";

        /// The same for some topics. The first whose selector matches holds.
        topics: Vec<TopicStream> = "";
    }
}

settings! {
    /// `[presence]`: who is connected to a topic.
    Presence, table "presence" at config => config.presence, {
        /// Topics and patterns of which it is kept. On others nobody is present. An
        /// empty list keeps none at all.
        topics: Vec<Selector> = "**";

        /// Who has no stream any more stays for so long: whoever comes back within
        /// has never left.
        grace: Duration = "10s" from "0s" to "10m";

        /// Up to so many members are listed. Of a topic that has more, or whose list
        /// is longer than 64 KiB, only their number is told.
        list: usize = "100" from "0" to "1000";

        /// The number is told at most once in so much time.
        interval: Duration = "1s" from "100ms" to "1h";
    }
}

settings! {
    /// `[publish]`: how events are taken in.
    Publish, table "publish" at config => config.publish, {
        /// How long a publisher waits for the disk before it gets 503.
        timeout: Duration = "5s" from "10ms" to "1h";

        /// How long an Idempotency-Key is remembered.
        idempotency_age: Duration = "10m" from "1s" to "7d";

        /// How many Idempotency-Keys are remembered; the oldest go first.
        idempotency_count: usize = "100000" from "0" to "10000000";

        /// A request whose body is a stream of events ends after so much silence.
        body_idle: Duration = "5m" from "1s" to "1d";
    }
}

settings! {
    /// `[limits]`: bounds, so that nobody can take more than their part.
    /// `tidings config check` prints what they come to together.
    Limits, table "limits" at config => config.limits, {
        /// Data of one event, as the publisher sent it.
        event_data_bytes: ByteSize = "1MiB" from "1B" to "64MiB";

        /// One event as it stands on the wire, where each line of data costs 7
        /// bytes more than its text.
        event_wire_bytes: ByteSize = "2MiB" from "1KiB" to "256MiB";

        /// Line of an NDJSON body. JSON escapes make a line longer than its data.
        line_bytes: ByteSize = "4MiB" from "1KiB" to "1GiB";

        /// Events in one POST /events.
        batch_events: usize = "1000" from "1" to "1000000";

        /// Body of one POST /events that isn't a stream.
        batch_bytes: ByteSize = "8MiB" from "1KiB" to "8GiB";

        /// Events taken in that the log hasn't written yet, all publishers
        /// together; what has no room is refused with 503.
        publish_queue_bytes: ByteSize = "64MiB" from "1KiB" to "64GiB";

        /// Bodies of publish requests that are being read, all publishers
        /// together.
        publish_body_bytes: ByteSize = "64MiB" from "1KiB" to "64GiB";

        /// Bodies of publish requests that are being received at once, streams of
        /// events among them; one more is refused with 503.
        publish_bodies: usize = "1024" from "1" to "1000000";

        /// Memory for the newest events, from which live watchers are served.
        /// A watcher that falls farther behind reads from the store.
        tail_bytes: ByteSize = "32MiB" from "1KiB" to "64GiB";

        /// Connections at once. "auto": as many as the limit of open files and
        /// memory_bytes leave room for. 64 of them never watch, so that a hub full
        /// of watchers can be published to.
        connections: OrAuto<NonZeroUsize> = "auto";

        /// Streams at once. "auto": as many as there may be connections that watch.
        /// One connection of HTTP/2 can carry many.
        subscriptions: OrAuto<NonZeroUsize> = "auto";

        /// Streams at once of one address that isn't loopback; of IPv6, of one /64.
        /// "auto": half of all, so that nobody alone can keep everybody else out.
        /// "none" is for a hub behind a proxy on another machine, whose watchers all
        /// have the proxy's address.
        subscriptions_per_address: OrAuto<Limit<NonZeroUsize>> = "auto";

        /// Topics and patterns that one stream may ask for.
        selectors_per_subscription: usize = "1000" from "1" to "100000";

        /// What the URI templates and URL patterns of Mercure's subscribers may take
        /// together, compiled.
        pattern_bytes: ByteSize = "64MiB" from "64KiB" to "64GiB";

        /// What those who are present may take: each topic about 800 bytes, each member
        /// of it 500, and what their token shows of them. Beyond it, streams that would
        /// have one are told to come back later.
        presence_bytes: ByteSize = "64MiB" from "64KiB" to "64GiB";

        /// Query part of a request.
        query_bytes: ByteSize = "60KiB" from "1KiB" to "60KiB";

        /// What one stream has read and not yet written. A single event may be
        /// larger.
        subscription_buffer_bytes: ByteSize = "32KiB" from "1KiB" to "1GiB";

        /// How far a watcher may fall behind what is published for it; then it is
        /// slow, and stream.slow holds. Replaying history doesn't count.
        lag: ByteSize = "8MiB" from "1KiB" to "64GiB";

        /// How long a watcher may take no byte while some wait for it; then it is
        /// slow too.
        stall: Duration = "30s" from "1s" to "1h";

        /// What all of these may come to in memory at worst; the hub refuses to
        /// start if they come to more. "none": that isn't checked.
        memory_bytes: Limit<ByteSize> = "none";
    }
}

settings! {
    /// `[retention]`: how long history is kept. Whichever bound is reached first
    /// counts; whole segments of the log go at once.
    Retention, table "retention" at config => config.retention, {
        /// Events older than this go. "none": no bound.
        age: Limit<Duration> = "7d";

        /// The oldest events go when the log is larger than this on disk.
        /// What the bounds for some topics allow comes on top.
        bytes: Limit<ByteSize> = "1GiB";

        /// The oldest events go when there are more than this.
        events: Limit<u64> = "none";

        /// Bounds for some topics. The first whose selector matches holds.
        topics: Vec<TopicRetention> = "";
    }
}

settings! {
    /// `[drain]`: how the hub stops.
    Drain, table "drain" at config => config.drain, {
        /// After SIGTERM the streams end one by one over this time, so that their
        /// watchers don't all reconnect at once. A second signal ends them at once.
        window: Duration = "20s" from "0s" to "1h";
    }
}

settings! {
    /// `[log]`: log lines, on standard error. Never payloads.
    Log, table "log" at config => config.log, {
        /// "text", "json", or "auto": text on a terminal, JSON otherwise.
        format: LogFormat = "auto";

        /// "error", "warn", "info", "debug" or "trace".
        level: LogLevel = "info";
    }
}

/// The tables of the file and what they are for, in the order in which they are
/// printed.
pub(super) const TABLES: &[(&str, &str, &[Key])] = &[
    ("", "The hub.", Config::KEYS),
    (
        "tls",
        "HTTPS. All three of its settings are given, or none.",
        Tls::KEYS,
    ),
    (
        "auth",
        "Who may publish and watch. A hub with keys is closed, on this machine too.",
        Auth::KEYS,
    ),
    (
        "mercure",
        "The Mercure face, /.well-known/mercure.",
        Mercure::KEYS,
    ),
    ("cors", "Pages of other sites.", Cors::KEYS),
    ("stream", "What watchers get.", Stream::KEYS),
    ("presence", "Who is connected to a topic.", Presence::KEYS),
    ("publish", "How events are taken in.", Publish::KEYS),
    (
        "limits",
        "Bounds, so that nobody can take more than their part.",
        Limits::KEYS,
    ),
    ("retention", "How long history is kept.", Retention::KEYS),
    ("drain", "How the hub stops.", Drain::KEYS),
    (
        "log",
        "Log lines, on standard error. Never payloads.",
        Log::KEYS,
    ),
];

/// All settings.
pub(super) fn keys() -> impl Iterator<Item = &'static Key> {
    TABLES.iter().flat_map(|(_, _, keys)| keys.iter())
}

/// The path of a setting of `[limits]`.
pub(super) fn limit_path(name: &str) -> Option<&'static str> {
    let key = Limits::KEYS.iter().find(|key| key.name == name)?;
    Some(key.path)
}

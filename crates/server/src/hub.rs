//! The hub: the log and everyone at it.

use crate::always::always;
use crate::auth::{Auth, Over, Refused, Who};
use crate::drain::Drain;
use crate::http::{Code, Problem};
use crate::lanes::Lanes;
use crate::live::Live;
use crate::mercure::active::ActiveSubscriptions;
use crate::metrics::Metrics;
use crate::native::NoPlaceLines;
use crate::own::Own;
use crate::places::Places;
use crate::presence::{self, Presence};
use crate::pulled;
use crate::sys::{self, Counting};
use prometheus_client::metrics::counter::Counter;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use tidings_engine::limits::{PAGES_BYTES, QUERY_BODIES, RETRY_SPREAD};
use tidings_engine::slow::{SlowPolicy, SlowRules};
use tidings_engine::stream::Terms;
use tidings_engine::{Budget, Entry, Limits, LogId, Position, Selection, Timestamp, WireId};
use tidings_store::{AppendError, Appended, Reader, Store, Writer};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

const KIB: usize = 1024;
/// How many threads read the store for streams at once.
const STORE_READS: usize = 8;
/// The shortest reconnection time, in milliseconds, for a stream whose rights
/// have ended.
const RETRY_WITHOUT_RIGHTS: u64 = 5000;
/// How soon damage that was found is reported.
const FINDINGS_INTERVAL: Duration = Duration::from_secs(1);

/// How a hub behaves; what it keeps is the store's business.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long a publisher waits for the disk at most.
    pub publish_timeout: Duration,
    /// Over which time streams end when the hub does.
    pub drain_window: Duration,
    /// Whether everyone who reaches the hub may use it. Only told; listeners
    /// decide.
    pub open: bool,
    /// What becomes of watchers that can't keep up.
    pub slow: SlowRules,
    /// Lanes for HTTP/1.1 streams; none where all streams are pulled.
    pub lanes: usize,
    /// Of which topics presence is kept, and how.
    pub presence: presence::Settings,
    /// Bounds on what is taken in and kept in memory.
    pub limits: Limits,
}

/// One log, its publishers and its watchers.
pub struct Hub {
    settings: Settings,
    auth: Auth,
    log: LogId,
    live: Arc<Live>,
    reader: Reader,
    writer: Writer,
    drain: Drain,
    metrics: Metrics,
    /// Room for the bodies of publish requests, in KiB.
    bodies: Semaphore,
    /// How many more bodies may be received at once.
    receiving: Semaphore,
    /// How many more bodies of watchers may be.
    queries: Semaphore,
    /// Places for connections and streams.
    places: Arc<Places>,
    no_place_lines: NoPlaceLines,
    /// Room for pages of history, in KiB.
    pages: Arc<Semaphore>,
    /// Hands that read the store for streams.
    store_reads: Semaphore,
    active: ActiveSubscriptions,
    /// What runs for as long as the hub lives.
    tasks: Mutex<JoinSet<()>>,
    presence: Presence,
    /// What is published where, while somebody wants to know.
    counting: Arc<Counting>,
    started: Instant,
}

/// Why events were not taken in.
#[derive(Debug)]
pub enum PublishError {
    /// Too much waits for the disk already.
    Busy,
    /// The disk didn't answer in time; whether the events are kept is unknown.
    Unknown,
    /// Who publishes them may not any more.
    NotGranted(Refused),
    /// The store refused.
    Refused(AppendError),
}

/// Entries that the writer has.
pub struct Submitted {
    answer: oneshot::Receiver<Result<Vec<Appended>, AppendError>>,
    deadline: Instant,
}

impl Submitted {
    /// Where they stand, once they are durable.
    ///
    /// # Errors
    /// [`PublishError`]; only after `Unknown` can they be in the log.
    pub async fn done(self) -> Result<Vec<Appended>, PublishError> {
        match timeout_at(self.deadline, self.answer).await {
            Ok(Ok(result)) => result.map_err(PublishError::Refused),
            Ok(Err(_)) | Err(_) => Err(PublishError::Unknown),
        }
    }
}

impl Hub {
    /// Starts the writer and the lanes. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// If the system has no thread to give.
    pub fn start(store: Store, settings: Settings, auth: Auth) -> io::Result<Arc<Self>> {
        let (log, reader) = (store.log_id(), store.reader());
        let end = reader.last();
        let (lanes, idle) = Lanes::new(settings.lanes)?;
        let live = Arc::new(Live::new(settings.limits.tail_bytes, end, lanes, threads()));
        let mut tasks = JoinSet::new();
        for number in 0..live.sets().len() {
            let live = Arc::clone(&live);
            // Without it all streams of the set would end without a word.
            let begin = move || pulled::follow(Arc::clone(&live), number);
            tasks.spawn(always("following the log", begin));
        }
        let metrics = Metrics::new(&auth);
        let counting = Arc::<Counting>::default();
        let deliver = {
            let (live, published) = (Arc::clone(&live), metrics.published.clone());
            let counting = Arc::clone(&counting);
            move |frames: &[Arc<tidings_engine::Frame>]| {
                live.deliver(frames);
                counting.count(frames);
                published.inc_by(frames.len() as u64);
            }
        };
        let writer = Writer::spawn(store, now, deliver)?;
        let places = Places::new(&settings.limits);
        let bodies = Semaphore::new(settings.limits.publish_body_bytes.div_ceil(KIB));
        let receiving = Semaphore::new(settings.limits.publish_bodies);
        tasks.spawn(report_findings(reader.clone(), metrics.findings.clone()));
        let drain = Drain::new(settings.drain_window);
        let active = match auth.mercure().subscriptions {
            true => ActiveSubscriptions::new(auth.base(), &live, settings.limits.event_wire_bytes),
            false => ActiveSubscriptions::default(),
        };
        let (presence, telling) = Presence::new(&settings, live.own());
        tasks.spawn(telling);
        let hub = Arc::new(Self {
            settings,
            auth,
            log,
            live,
            reader,
            writer,
            drain,
            metrics,
            bodies,
            receiving,
            queries: Semaphore::new(QUERY_BODIES),
            places,
            no_place_lines: NoPlaceLines::default(),
            pages: Arc::new(Semaphore::new(Self::page_permits(PAGES_BYTES))),
            store_reads: Semaphore::new(STORE_READS),
            active,
            tasks: Mutex::new(tasks),
            presence,
            counting,
            started: Instant::now(),
        });
        hub.active.tell(&hub);
        hub.run(sys::tell(Arc::downgrade(&hub), hub.own().begun()));
        Lanes::run(idle, &Arc::downgrade(&hub))?;
        Ok(hub)
    }

    /// Runs a task for as long as the hub lives. It must not hold the hub, which
    /// would then live for ever. Must be called within a tokio runtime.
    pub fn run(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.spawn(task);
    }

    /// Ends what runs, and waits for that.
    pub async fn stop_tasks(&self) {
        let mut tasks = {
            let mut own = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *own)
        };
        tasks.shutdown().await;
    }

    /// Makes entries durable, all or none, and answers where they stand.
    ///
    /// # Errors
    /// [`PublishError`]; only after `Unknown` can they be in the log.
    pub async fn publish(
        &self,
        entries: Vec<Entry>,
        who: &Who,
    ) -> Result<Vec<Appended>, PublishError> {
        self.submit(entries, who).await?.done().await
    }

    /// Gives entries to the writer, which takes them in the order in which this
    /// resolves, once those who watch have kept up. That `who` may publish them was
    /// asked before; it is again if that took time.
    ///
    /// # Errors
    /// [`PublishError::Busy`], [`PublishError::NotGranted`].
    pub async fn submit(&self, entries: Vec<Entry>, who: &Who) -> Result<Submitted, PublishError> {
        if !self.live.has_room() {
            let patience = self.settings.publish_timeout;
            let room = timeout(patience, self.live.room()).await;
            room.map_err(|_| PublishError::Busy)?;
            let may = |entry: &Entry| self.auth.may_publish_entry(who, entry);
            entries
                .iter()
                .try_for_each(may)
                .map_err(PublishError::NotGranted)?;
        }
        let (done, answer) = oneshot::channel();
        let done = Box::new(move |result| {
            // A publisher that has gone away needs no answer.
            let _ = done.send(result);
        });
        self.writer
            .append(entries, done)
            .map_err(|_| PublishError::Busy)?;
        let deadline = Instant::now() + self.settings.publish_timeout;
        Ok(Submitted { answer, deadline })
    }

    /// A place among the bodies that are being received.
    ///
    /// # Errors
    /// `503` if there is none: waiting for one would leave what has come of the
    /// body in the window of HTTP/2, where nothing bounds it.
    pub fn receive_body(&self) -> Result<SemaphorePermit<'_>, Problem> {
        self.receiving.try_acquire().map_err(|_| {
            let detail = "as many bodies are being received as limits.publish_bodies allows; \
                          publish again later";
            Problem::new(Code::Busy, detail).closing()
        })
    }

    /// A place among the watchers whose `QUERY` is being received. Publishers
    /// have places of their own: where everyone may watch, nobody can take those.
    ///
    /// # Errors
    /// `503` if there is none.
    pub fn receive_query(&self) -> Result<SemaphorePermit<'_>, Problem> {
        self.queries.try_acquire().map_err(|_| {
            let detail = "too many QUERY bodies are being received; ask again later";
            Problem::new(Code::Busy, detail).closing()
        })
    }

    /// Room for `bytes` of a body, within what all bodies together may hold.
    ///
    /// # Errors
    /// `503` if there is none for a while.
    pub async fn reserve_body(&self, bytes: usize) -> Result<SemaphorePermit<'_>, Problem> {
        let room = self.settings.limits.publish_body_bytes.div_ceil(KIB);
        let wanted = bytes.div_ceil(KIB).min(room) as u32;
        match timeout(
            self.settings.publish_timeout,
            self.bodies.acquire_many(wanted),
        )
        .await
        {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(Problem::new(
                Code::Busy,
                "too many bodies are being received; publish again later",
            )
            .closing()),
        }
    }

    /// Room for a page of history of at most `bytes`, within what all pages may
    /// take.
    ///
    /// # Errors
    /// `503` if there is none for a while.
    pub async fn reserve_page(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Problem> {
        let wanted = Self::page_permits(bytes.min(PAGES_BYTES)) as u32;
        let room = Arc::clone(&self.pages).acquire_many_owned(wanted);
        match timeout(self.settings.publish_timeout, room).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(Problem::new(
                Code::Busy,
                "too many pages of history are being read; ask again later",
            )),
        }
    }

    /// How many permits stand for so many bytes of pages.
    pub fn page_permits(bytes: usize) -> usize {
        bytes.div_ceil(KIB)
    }

    /// What a stream may be given at once, and how far its reader may lag.
    pub fn terms(&self) -> Terms {
        Terms {
            budget: Budget {
                frames: usize::MAX,
                bytes: self.settings.limits.subscription_buffer_bytes,
            },
            lag_bytes: self.settings.limits.lag_bytes as u64,
        }
    }

    /// For how long a socket may take nothing before its stream ends.
    pub fn stall(&self) -> Duration {
        self.settings.limits.stall
    }

    /// What becomes of a reader of `selection` that is too slow.
    pub fn slow_policy(&self, selection: &Selection) -> SlowPolicy {
        self.settings.slow.policy(selection)
    }

    /// Who may read the store for streams at once.
    pub fn store_reads(&self) -> &Semaphore {
        &self.store_reads
    }

    /// Lets streams end and refuses new ones softly.
    pub fn begin_drain(&self) {
        self.drain.begin();
        self.live.wake_all();
    }

    /// A reconnection time for one stream, in milliseconds: random, because
    /// browsers add no jitter and would all come back at once.
    pub fn jittered_retry(&self) -> u64 {
        let base = self.settings.limits.retry.as_millis() as u64;
        fastrand::u64(base..=base.saturating_mul(RETRY_SPREAD.into()))
    }

    /// A reconnection time for a stream that ended because it is over: whoever
    /// needs another token first should not ask again at once.
    pub fn retry_after(&self, over: Over) -> u64 {
        let usual = self.jittered_retry();
        match over {
            Over::Lifetime => usual,
            Over::Rights => {
                let spread = RETRY_WITHOUT_RIGHTS.saturating_mul(RETRY_SPREAD.into());
                usual.max(fastrand::u64(RETRY_WITHOUT_RIGHTS..=spread))
            }
        }
    }

    /// The log's identity.
    pub fn log_id(&self) -> LogId {
        self.log
    }

    /// The hub's id for a position.
    pub fn wire_id(&self, position: Position) -> WireId {
        WireId {
            log: self.log,
            position,
        }
    }

    /// The tail and the lanes.
    pub fn live(&self) -> &Arc<Live> {
        &self.live
    }

    /// What the hub says of itself and of who is there, live and never stored.
    pub fn own(&self) -> &Arc<Own> {
        self.live.own()
    }

    /// The log on disk.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// The thread that appends.
    pub fn writer(&self) -> &Writer {
        &self.writer
    }

    /// Whether the hub is ending.
    pub fn drain(&self) -> &Drain {
        &self.drain
    }

    /// How the hub behaves.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Who may do what.
    pub fn auth(&self) -> &Auth {
        &self.auth
    }

    /// Places for connections and streams.
    pub fn places(&self) -> &Arc<Places> {
        &self.places
    }

    /// What the log says of watchers for whom there is no place.
    pub fn no_place_lines(&self) -> &NoPlaceLines {
        &self.no_place_lines
    }

    /// The active subscriptions of the Mercure face.
    pub fn active(&self) -> &ActiveSubscriptions {
        &self.active
    }

    /// Who is connected to which topics.
    pub fn presence(&self) -> &Presence {
        &self.presence
    }

    /// What is published where, while somebody wants to know.
    pub fn counting(&self) -> &Counting {
        &self.counting
    }

    /// For how long it has been there.
    pub fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    /// What is counted.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        // Its tasks end with it; the thread that appends has to be told.
        self.writer.close();
    }
}

/// How many threads this machine runs at once.
pub fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Tells people what readers find damaged, for as long as the hub lives.
async fn report_findings(reader: Reader, counter: Counter) {
    loop {
        for finding in reader.take_findings() {
            tracing::error!(%finding, "the log is damaged; watchers are told of a gap");
            counter.inc();
        }
        tokio::time::sleep(FINDINGS_INTERVAL).await;
    }
}

/// The wall clock: for people and for retention by age, never for order.
pub fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Timestamp(since_epoch.map_or(0, |duration| duration.as_millis() as u64))
}

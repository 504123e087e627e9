//! What the realm's functions and the tasks behind them share: the way into the
//! realm, and what is pending.

use crate::native::output::err;
use crate::net::Network;
use crate::timers::Timers;
use rquickjs::function::{Args, IntoArgs};
use rquickjs::{Context, Ctx, Function};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use tokio::sync::Notify;

/// The world around the realm.
pub struct Host {
    /// Where requests go.
    pub network: Network,
    timers: Mutex<Timers>,
    /// Set once the realm stands.
    context: OnceLock<Context>,
    pending: AtomicUsize,
    changed: Notify,
    uncaught: AtomicBool,
}

/// Something is on its way that will enter the realm: the shell goes on as long
/// as one of these exists.
pub struct Pending(Arc<Host>);

impl Host {
    /// A world whose realm is still to be [connected](Self::connect).
    pub fn new(network: Network) -> Arc<Self> {
        Arc::new(Self {
            network,
            timers: Mutex::default(),
            context: OnceLock::new(),
            pending: AtomicUsize::new(0),
            changed: Notify::new(),
            uncaught: AtomicBool::new(false),
        })
    }

    /// `context` is the realm, `enter` the way in: `realm.enter` of `js/boot.js`.
    pub fn connect<'js>(&self, context: &Context, ctx: &Ctx<'js>, enter: Function<'js>) {
        let _ = self.context.set(context.clone());
        // Refused only while it is being looked at.
        let _ = ctx.store_userdata(enter);
    }

    /// Enters the realm from the event loop: calls the handlers of `kind` with
    /// what `args` makes, and then whatever waits to run behind it.
    ///
    /// Must not be called from within the realm.
    pub fn enter<F>(&self, kind: &str, args: F)
    where
        F: for<'js> FnOnce(&Ctx<'js>, &mut Args<'js>) -> rquickjs::Result<()>,
    {
        let Some(context) = self.context.get() else {
            return;
        };
        context.with(|ctx| {
            let mut all = Args::new_unsized(ctx.clone());
            let pushed = all.push_arg(kind).and_then(|()| args(&ctx, &mut all));
            let result = pushed.and_then(|()| Self::entry(&ctx)?.call_arg::<()>(all));
            self.settle(&ctx, result);
        });
    }

    /// The same from within the realm, where what waits goes on waiting.
    pub fn tell<'js, A: IntoArgs<'js>>(&self, ctx: &Ctx<'js>, args: A) -> rquickjs::Result<()> {
        Self::entry(ctx)?.call::<_, ()>(args)
    }

    /// Runs the microtasks, and tells of rejections that are unhandled by then.
    pub fn settle(&self, ctx: &Ctx<'_>, result: rquickjs::Result<()>) {
        self.check(ctx, result);
        while ctx.execute_pending_job() {}
        let rejections = self.tell(ctx, ("rejections",));
        self.check(ctx, rejections);
        while ctx.execute_pending_job() {}
    }

    /// Reports the exception that `result` may stand for.
    pub fn check(&self, ctx: &Ctx<'_>, result: rquickjs::Result<()>) {
        match result {
            Err(rquickjs::Error::Exception) => {
                let exception = ctx.catch();
                // An exception here is the timeout's interrupt.
                let _ = self.tell(ctx, ("report", exception));
            }
            Err(error) => self.report(&format!("jsshell: {error}")),
            Ok(()) => {}
        }
    }

    /// Says on standard error what nothing in the realm caught.
    pub fn report(&self, text: &str) {
        self.uncaught.store(true, Ordering::Relaxed);
        err(text.trim_end());
    }

    /// Whether anything was reported.
    pub fn has_uncaught(&self) -> bool {
        self.uncaught.load(Ordering::Relaxed)
    }

    /// The timers.
    pub fn timers(&self) -> MutexGuard<'_, Timers> {
        lock(&self.timers)
    }

    /// Has the event loop look at what is pending.
    pub fn wake(&self) {
        self.changed.notify_one();
    }

    /// Keeps the shell going until it is dropped.
    pub fn pending(self: &Arc<Self>) -> Pending {
        self.pending.fetch_add(1, Ordering::Relaxed);
        Pending(Arc::clone(self))
    }

    /// Whether nothing will enter the realm but timers.
    pub fn is_quiet(&self) -> bool {
        self.pending.load(Ordering::Relaxed) == 0
    }

    /// Resolves when the event loop was [woken](Self::wake).
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    fn entry<'js>(ctx: &Ctx<'js>) -> rquickjs::Result<Function<'js>> {
        let enter = ctx.userdata::<Function<'js>>();
        enter
            .map(|enter| enter.clone())
            .ok_or(rquickjs::Error::Unknown)
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.0.pending.fetch_sub(1, Ordering::Relaxed);
        self.0.wake();
    }
}

/// A panic elsewhere leaves nothing half done behind these locks.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

use super::Notice;
use crate::driver::{Driver, INPUTS_PER_POLL, Told};
use crate::duplicates::Duplicates;
use crate::protocol;
use crate::resume::Resume;
use crate::{Error, Event, GapReason, Handle};
use std::sync::Arc;
use std::task::{Context, Poll};

/// A driver, and what all faces over it have in common.
pub(crate) struct Reader {
    driver: Driver,
    options: Options,
    over: bool,
}

/// What of a stream is no concern of the protocol.
pub(super) struct Options {
    /// The data of the event that ends the stream.
    pub(super) end_marker: Option<Box<str>>,
    pub(super) duplicates: Option<Duplicates>,
    pub(super) resume: Option<Arc<Resume>>,
}

impl Reader {
    pub(super) fn new(driver: Driver, options: Options) -> Self {
        Self {
            driver,
            options,
            over: false,
        }
    }

    pub(super) fn handle(&self) -> Handle {
        self.driver
            .handle()
            .with_resume(self.options.resume.clone())
    }

    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    /// The next notice that `pick` makes something of. What it passes over is
    /// bounded like what the driver passes over: others have their turn.
    pub(super) fn poll_picked<T>(
        &mut self,
        cx: &mut Context<'_>,
        pick: impl Fn(Notice) -> Option<T>,
    ) -> Poll<Option<Result<T, Error>>> {
        if self.over {
            return Poll::Ready(None);
        }
        if let Some(resume) = &self.options.resume
            && let Err(error) = resume.asked(self.driver.last_event_id())
        {
            return Poll::Ready(Some(Err(error)));
        }
        for _ in 0..INPUTS_PER_POLL {
            let Poll::Ready(told) = self.driver.poll_told(cx) else {
                return self.pending();
            };
            let Some(told) = told else {
                return self.end();
            };
            let Some(item) = self.item(told) else {
                continue;
            };
            self.over = matches!(&item, Err(error) if !error.is_passing());
            if let Some(picked) = item.map(&pick).transpose() {
                return Poll::Ready(Some(picked));
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// All that came is told: so far is the stream.
    fn pending<T>(&mut self) -> Poll<Option<Result<T, Error>>> {
        match self.save_reached() {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Some(Err(error))),
        }
    }

    fn end<T>(&mut self) -> Poll<Option<Result<T, Error>>> {
        self.over = true;
        let saved = self
            .save_reached()
            .and_then(|()| match &self.options.resume {
                Some(resume) => resume.flush(),
                None => Ok(()),
            });
        Poll::Ready(saved.err().map(Err))
    }

    fn save_reached(&self) -> Result<(), Error> {
        match &self.options.resume {
            Some(resume) => resume.reach(self.driver.last_event_id()),
            None => Ok(()),
        }
    }

    /// What is given for it, if anything.
    fn item(&mut self, told: Told) -> Option<Result<Notice, Error>> {
        Some(match told {
            Told::Event(event) => return self.event(event).map(Notice::Event).map(Ok),
            Told::Retry(time) => Ok(Notice::Retry(time)),
            Told::Comment(text) => Ok(Notice::Comment(text)),
            Told::TooLarge(excess) => Err(Error::TooLarge(excess)),
            Told::Notice(protocol::Notice::Open { url }) => Ok(Notice::Open { url }),
            Told::Notice(protocol::Notice::Reconnecting { cause, wait }) => {
                Ok(Notice::Reconnecting { cause, wait })
            }
            Told::Notice(protocol::Notice::Failed(error)) => Err(error),
            // Who waits for an end marker has seen only part of the answer.
            Told::Notice(protocol::Notice::Complete) => {
                self.options.end_marker.as_ref()?;
                Err(Error::Ended)
            }
        })
    }

    fn event(&mut self, event: Event) -> Option<Event> {
        let options = &mut self.options;
        if options.end_marker.as_deref() == Some(&*event.data) {
            // It ends the stream: the driver has nothing more to tell.
            self.driver.close();
            return None;
        }
        let gap = event.gap_reason();
        if let Some(duplicates) = &mut options.duplicates {
            if matches!(gap, Some(GapReason::Foreign | GapReason::Unknown)) {
                // Another history, whose IDs may be those of the one before.
                duplicates.forget();
            }
            // What a hub says of a gap is news whatever ID it stands at.
            if duplicates.has_seen(&event) && gap.is_none() {
                return None;
            }
        }
        if let Some(resume) = &options.resume {
            resume.give(&event);
        }
        Some(event)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let Some(resume) = &self.options.resume {
            // There is nobody left to tell.
            let _ = resume.flush();
        }
    }
}

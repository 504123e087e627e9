use super::Notice;
use crate::driver::{Driver, Told};
use crate::protocol;
use crate::{Error, Handle};
use std::task::{Context, Poll, ready};

/// A driver, and what all faces over it have in common.
pub(crate) struct Reader {
    driver: Driver,
    end_marker: Option<Box<str>>,
    over: bool,
}

impl Reader {
    pub(super) fn new(driver: Driver, end_marker: Option<Box<str>>) -> Self {
        Self {
            driver,
            end_marker,
            over: false,
        }
    }

    pub(super) fn handle(&self) -> Handle {
        self.driver.handle()
    }

    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    pub(super) fn poll_notice(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Notice, Error>>> {
        if self.over {
            return Poll::Ready(None);
        }
        let told = ready!(self.driver.poll_told(cx));
        let item = told.and_then(|told| self.item(told));
        self.over = match &item {
            None => true,
            Some(Err(error)) => !error.is_passing(),
            Some(Ok(_)) => false,
        };
        Poll::Ready(item)
    }

    fn item(&mut self, told: Told) -> Option<Result<Notice, Error>> {
        Some(match told {
            Told::Event(event) => {
                if self.end_marker.as_deref() == Some(&*event.data) {
                    self.driver.close();
                    return None;
                }
                Ok(Notice::Event(event))
            }
            Told::Retry(time) => Ok(Notice::Retry(time)),
            Told::Comment(text) => Ok(Notice::Comment(text)),
            Told::TooLarge(excess) => Err(Error::TooLarge(excess)),
            Told::Notice(protocol::Notice::Open { url }) => Ok(Notice::Open { url }),
            Told::Notice(protocol::Notice::Reconnecting { cause, wait }) => {
                Ok(Notice::Reconnecting { cause, wait })
            }
            Told::Notice(protocol::Notice::Failed(error)) => Err(error),
            // Who waits for an end marker has seen only part of the answer.
            Told::Notice(protocol::Notice::Complete) if self.end_marker.is_some() => {
                Err(Error::Ended)
            }
            Told::Notice(protocol::Notice::Complete) => return None,
        })
    }
}

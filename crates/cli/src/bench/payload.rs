//! What a published event holds: who sent it, its number and when, behind a
//! mark that is found again whatever the server wraps around it.

use memchr::memmem;

/// Writes and reads the events of one run.
#[derive(Debug, Clone)]
pub struct Payload {
    mark: String,
    size: usize,
}

/// What an event says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// Which publisher sent it.
    pub publisher: usize,
    /// Its number among that publisher's, from 0.
    pub number: u64,
    /// When, in nanoseconds since the run began.
    pub sent: u64,
}

impl Payload {
    /// Events of `size` bytes (more if what they have to say is longer), told
    /// apart from those of other runs by `run`.
    pub fn new(run: u32, size: usize) -> Self {
        Self {
            mark: format!("tidings-bench {run:08x} "),
            size,
        }
    }

    /// An event's data.
    pub fn write(&self, told: Told) -> String {
        let Told {
            publisher,
            number,
            sent,
        } = told;
        let mut text = format!("{}{publisher} {number} {sent} ", self.mark);
        while text.len() < self.size {
            text.push('x');
        }
        text
    }

    /// What an event's data tells; `None` for an event of somebody else.
    pub fn read(&self, data: &str) -> Option<Told> {
        // Most servers wrap nothing around it, and the search costs more than the rest.
        let behind = data.strip_prefix(&*self.mark).or_else(|| {
            let at = memmem::find(data.as_bytes(), self.mark.as_bytes())?;
            Some(&data[at + self.mark.len()..])
        })?;
        let mut numbers = behind.split(' ');
        let mut number = || numbers.next()?.parse().ok();
        Some(Told {
            publisher: usize::try_from(number()?).ok()?,
            number: number()?,
            sent: number()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_even_when_it_is_wrapped() {
        let payload = Payload::new(0xbeef, 120);
        for told in [(0, 0, 0), (63, u64::MAX, u64::MAX)] {
            let (publisher, number, sent) = told;
            let told = Told {
                publisher,
                number,
                sent,
            };
            let data = payload.write(told);
            assert_eq!(data.len(), 120);
            assert_eq!(payload.read(&data), Some(told));
            let wrapped = format!("{{\"data\":\"{data}\"}}");
            assert_eq!(payload.read(&wrapped), Some(told));
            assert_eq!(Payload::new(1, 120).read(&data), None);
        }
        for other in ["", "tidings-bench 0000beef ", "tidings-bench 0000beef 1 2"] {
            assert_eq!(payload.read(other), None);
        }
    }
}

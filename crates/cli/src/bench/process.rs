//! What the server's process uses, as Linux tells it.

use std::fs;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A process and those it has started.
#[derive(Debug, Clone, Copy)]
pub struct Process(pub u32);

/// What it has used so far, and holds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// Processor time.
    pub cpu: Duration,
    /// Memory of its own (`RssAnon`), in bytes: neither files nor the kernel's
    /// socket buffers.
    pub memory: u64,
}

/// The most memory that a process was seen with.
#[derive(Debug, Default)]
pub struct Most {
    bytes: AtomicU64,
}

impl Most {
    /// Looks at `process`, if it is there.
    pub fn look(&self, process: Process) {
        let usage = process.usage().unwrap_or_default();
        self.bytes.fetch_max(usage.memory, Ordering::Relaxed);
    }

    /// In bytes; 0 if none was looked at.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

impl Process {
    /// Reads what it uses now, with its children: nginx serves in them.
    ///
    /// # Errors
    /// If there is no such process, or no `/proc`.
    pub fn usage(self) -> io::Result<Usage> {
        let mut usage = self.own()?;
        for child in self.children() {
            // One may end meanwhile.
            let other = Self(child).usage().unwrap_or_default();
            usage.cpu += other.cpu;
            usage.memory += other.memory;
        }
        Ok(usage)
    }

    /// The processor time of this process so far; none where there is no `/proc`.
    pub fn own_cpu() -> Duration {
        let own = Self(std::process::id()).own();
        own.map_or(Duration::ZERO, |usage| usage.cpu)
    }

    fn own(self) -> io::Result<Usage> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0))?;
        let status = fs::read_to_string(format!("/proc/{}/status", self.0))?;
        Ok(Usage {
            cpu: cpu(&stat).ok_or(io::ErrorKind::InvalidData)?,
            memory: anonymous(&status).ok_or(io::ErrorKind::InvalidData)?,
        })
    }

    /// Each thread has those it started.
    fn children(self) -> Vec<u32> {
        let Ok(threads) = fs::read_dir(format!("/proc/{}/task", self.0)) else {
            return Vec::new();
        };
        let lists = threads.filter_map(|thread| {
            let path = thread.ok()?.path().join("children");
            fs::read_to_string(path).ok()
        });
        lists
            .flat_map(|list| {
                let pids = list.split_whitespace().map(str::parse);
                pids.filter_map(Result::ok).collect::<Vec<u32>>()
            })
            .collect()
    }
}

/// Fields 14 and 15 of proc_pid_stat(5), in ticks.
fn cpu(stat: &str) -> Option<Duration> {
    // The name before may hold spaces and brackets.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    let ticks = rustix::param::clock_ticks_per_second();
    Some(Duration::from_secs_f64(
        (user + system) as f64 / ticks as f64,
    ))
}

fn anonymous(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_something() {
        let process = Process(std::process::id());
        let before = process.usage().expect("there is /proc");
        assert!(before.memory > 0);
        let mut sum = 0u64;
        while process.usage().expect("still there").cpu <= before.cpu {
            sum = std::hint::black_box(sum + 1);
        }
        assert!(sum > 0);
        let most = Most::default();
        most.look(process);
        let seen = most.bytes();
        most.look(Process(u32::MAX));
        assert!(seen > 0 && most.bytes() == seen);
    }

    #[test]
    fn a_name_with_brackets_is_no_field() {
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 0 1 2 3 4 100 50 0 0 20 0";
        let ticks = rustix::param::clock_ticks_per_second() as f64;
        let expect = Duration::from_secs_f64(150.0 / ticks);
        assert_eq!(cpu(stat), Some(expect));
        assert_eq!(cpu("7 (a"), None);
    }
}

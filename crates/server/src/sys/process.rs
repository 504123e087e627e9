//! What the system says of this process. `None` where it can't say.

use std::fs;

/// Ticks of a second in which Linux tells processor time to programs (USER_HZ), on
/// every architecture that the hub runs on.
const TICKS: f64 = 100.0;

/// Memory that is in use, in bytes.
pub fn rss_bytes() -> Option<u64> {
    rss_of(&fs::read_to_string("/proc/self/status").ok()?)
}

/// Processor time used so far, in seconds.
pub fn cpu_seconds() -> Option<f64> {
    cpu_of(&fs::read_to_string("/proc/self/stat").ok()?)
}

/// Out of `/proc/[pid]/status`.
fn rss_of(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// Out of `/proc/[pid]/stat`, in which a name in parentheses may hold anything.
fn cpu_of(stat: &str) -> Option<f64> {
    let (_, behind) = stat.rsplit_once(')')?;
    // utime and stime are fields 14 and 15, the first behind the name is the third.
    let mut fields = behind.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    let (user, system) = (ticks()?, ticks()?);
    Some((user + system) as f64 / TICKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_writes_is_read() {
        let status = "Name:\ttidings\nVmPeak:\t  200 kB\nVmRSS:\t   10240 kB\nThreads:\t9\n";
        assert_eq!(rss_of(status), Some(10_240 * 1024));
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194560 8 0 0 0 150 25 0 0 20 0 9 0 5 6 7";
        assert_eq!(cpu_of(stat), Some(1.75));
        for nothing in ["", "VmRSS:\tmuch\n", "VmRSS:\t7 MB\n"] {
            assert_eq!(rss_of(nothing), None);
        }
        for nothing in ["", "7 (a) S 1", "7 (a) S 1 7 7 0 -1 4194560 8 0 0 0 x 25"] {
            assert_eq!(cpu_of(nothing), None);
        }
    }
}

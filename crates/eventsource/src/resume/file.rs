use super::IdStore;
use crate::BoxError;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Keeps the last event ID of one stream in a file of its own.
///
/// The file is replaced as a whole: a temporary file beside it is written,
/// synced and renamed over it, and the directory is synced, so that after a
/// crash or a power cut the old ID is there or the new one. The file is JSON,
/// `{"format":1,"last_event_id":"…"}`; one that is damaged or can't be read is an
/// error that names it, never a silent start from nowhere.
///
/// A thread of its own does the writing: at once if the last write is long
/// enough ago (200 ms unless [`FileIds::interval`] says otherwise), else when
/// that time is over, and then only the last ID. So a process that is killed may
/// be given the events of that time again. The end of the stream, and dropping
/// it, wait until the last ID is written.
///
/// An ID that can't be written is tried again when that time is over, at least
/// 1 s later, unless another has come meanwhile; and once more at the end of the
/// stream, and when it is dropped.
///
/// Each stream needs a file of its own: two that share one overwrite each other.
#[derive(Debug)]
pub struct FileIds {
    path: PathBuf,
    interval: Duration,
    sync: bool,
    writer: Option<(Arc<Slot>, JoinHandle<()>)>,
}

/// Why the file of a [`FileIds`] can't be used.
#[derive(Debug)]
pub struct FileIdsError {
    path: PathBuf,
    what: What,
}

#[derive(Debug)]
enum What {
    Read(io::Error),
    Write(io::Error),
    Damaged,
    Thread(io::Error),
}

#[derive(Serialize, Deserialize)]
struct Content {
    format: u32,
    last_event_id: String,
}

const FORMAT: u32 = 1;

/// How long is waited at least after a write that failed.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// The most that is read: an ID of 64 KiB in which JSON escapes each byte.
const MAX_LEN: u64 = 1 << 20;

impl FileIds {
    /// Keeps the ID in the file at `path`, which need not exist yet; its
    /// directory must. Nothing is touched before the stream is opened.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            interval: Duration::from_millis(200),
            sync: true,
            writer: None,
        }
    }

    /// Writes at most once in this time.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Whether to sync, which is the default. Without it an ID survives the end
    /// of the process at any moment, but a power cut may leave an older one, or
    /// on some file systems a file that is damaged.
    #[must_use]
    pub fn sync(mut self, sync: bool) -> Self {
        self.sync = sync;
        self
    }

    fn error(&self, what: What) -> FileIdsError {
        FileIdsError {
            path: self.path.clone(),
            what,
        }
    }

    fn slot(&mut self) -> Result<&Slot, FileIdsError> {
        if self.writer.is_none() {
            let slot = Arc::new(Slot::default());
            let writer = Writer {
                slot: slot.clone(),
                path: self.path.clone(),
                interval: self.interval,
                sync: self.sync,
            };
            let thread = std::thread::Builder::new()
                .name("last-event-id".to_owned())
                .spawn(move || writer.run())
                .map_err(|error| self.error(What::Thread(error)))?;
            self.writer = Some((slot, thread));
        }
        Ok(&self.writer.as_ref().expect("made above").0)
    }
}

impl IdStore for FileIds {
    fn load(&mut self) -> Result<Option<String>, BoxError> {
        let text = match read(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(self.error(What::Damaged).into());
            }
            Err(error) => return Err(self.error(What::Read(error)).into()),
        };
        match serde_json::from_str(&text) {
            Ok(Content {
                format: FORMAT,
                last_event_id,
            }) if tidings_codec::EventId::new(&*last_event_id).is_ok() => Ok(Some(last_event_id)),
            _ => Err(self.error(What::Damaged).into()),
        }
    }

    fn save(&mut self, id: &str) -> Result<(), BoxError> {
        let slot = self.slot()?;
        let mut state = slot.lock();
        state.waiting = Some(id.to_owned());
        slot.changed.notify_all();
        let failed = state.failed.take();
        drop(state);
        self.told(failed)
    }

    fn flush(&mut self) -> Result<(), BoxError> {
        let Some((slot, _)) = &self.writer else {
            return Ok(());
        };
        let mut state = slot.lock();
        state.urgent = true;
        slot.changed.notify_all();
        let mut state = slot.wait_while(state, |state| {
            state.writing || (state.urgent && state.waiting.is_some())
        });
        state.urgent = false;
        let failed = state.failed.take();
        drop(state);
        self.told(failed)
    }
}

impl FileIds {
    fn told(&self, failed: Option<io::Error>) -> Result<(), BoxError> {
        match failed {
            Some(error) => Err(self.error(What::Write(error)).into()),
            None => Ok(()),
        }
    }
}

impl Drop for FileIds {
    fn drop(&mut self) {
        if let Some((slot, thread)) = self.writer.take() {
            slot.lock().over = true;
            slot.changed.notify_all();
            // It writes what waits first, and nothing in it panics.
            let _ = thread.join();
        }
    }
}

/// What the writing thread is told, and tells.
#[derive(Debug, Default)]
struct Slot {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// What isn't written yet, be it because that has failed.
    waiting: Option<String>,
    writing: bool,
    /// Whether somebody waits for the next write, until it begins.
    urgent: bool,
    over: bool,
    failed: Option<io::Error>,
}

impl Slot {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_while<'a>(
        &self,
        state: MutexGuard<'a, State>,
        condition: impl FnMut(&mut State) -> bool,
    ) -> MutexGuard<'a, State> {
        self.changed
            .wait_while(state, condition)
            .unwrap_or_else(PoisonError::into_inner)
    }
}

struct Writer {
    slot: Arc<Slot>,
    path: PathBuf,
    interval: Duration,
    sync: bool,
}

impl Writer {
    fn run(self) {
        let mut next = None;
        loop {
            let state = self.slot.lock();
            let state = self
                .slot
                .wait_while(state, |state| state.waiting.is_none() && !state.over);
            let mut state = self.wait_for_turn(state, next);
            let Some(id) = state.waiting.take() else {
                return;
            };
            state.writing = true;
            state.urgent = false;
            let is_last = state.over;
            drop(state);
            let failed = self.write(&id).err();
            let mut wait = self.interval;
            let mut state = self.slot.lock();
            state.writing = false;
            if failed.is_some() {
                if is_last {
                    return;
                }
                state.waiting.get_or_insert(id);
                wait = wait.max(AFTER_FAILURE);
            }
            state.failed = failed;
            next = Instant::now().checked_add(wait);
            self.slot.changed.notify_all();
        }
    }

    /// Until `next`, unless there is a hurry.
    fn wait_for_turn<'a>(
        &self,
        mut state: MutexGuard<'a, State>,
        next: Option<Instant>,
    ) -> MutexGuard<'a, State> {
        while let Some(wait) = next.and_then(|next| next.checked_duration_since(Instant::now()))
            && !wait.is_zero()
            && !state.urgent
            && !state.over
        {
            state = self
                .slot
                .changed
                .wait_timeout(state, wait)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        state
    }

    fn write(&self, id: &str) -> io::Result<()> {
        let content = Content {
            format: FORMAT,
            last_event_id: id.to_owned(),
        };
        let mut text = serde_json::to_vec(&content)?;
        text.push(b'\n');
        let name = self.path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let mut temporary = std::ffi::OsString::from(".");
        temporary.push(name);
        temporary.push(".new");
        let temporary = self.path.with_file_name(temporary);
        let mut file = File::create(&temporary)?;
        file.write_all(&text)?;
        if self.sync {
            file.sync_all()?;
        }
        drop(file);
        fs::rename(&temporary, &self.path)?;
        if self.sync && cfg!(unix) {
            let directory = self.path.parent().filter(|path| *path != Path::new(""));
            File::open(directory.unwrap_or(Path::new(".")))?.sync_all()?;
        }
        Ok(())
    }
}

/// The text of a regular file of a sane size.
fn read(path: &Path) -> io::Result<String> {
    // Looked at before it is opened: opening a pipe would wait for its writer.
    if !fs::metadata(path)?.is_file() {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut text = String::new();
    File::open(path)?
        .take(MAX_LEN + 1)
        .read_to_string(&mut text)?;
    if text.len() as u64 > MAX_LEN {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok(text)
}

impl fmt::Display for FileIdsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.what {
            What::Read(error) => write!(f, "{path} can't be read: {error}"),
            What::Write(error) => write!(f, "{path} can't be written: {error}"),
            What::Damaged => write!(
                f,
                "{path} is not a file with a last event ID, or is damaged; \
                 remove it to begin anew"
            ),
            What::Thread(error) => write!(f, "no thread to write {path}: {error}"),
        }
    }
}

impl std::error::Error for FileIdsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.what {
            What::Read(error) | What::Write(error) | What::Thread(error) => Some(error),
            What::Damaged => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory() -> tempfile::TempDir {
        tempfile::tempdir().expect("a directory")
    }

    /// What a file with this content is loaded as; an error as text, without
    /// its path.
    fn check(content: &[u8], expected: Result<&str, &str>) {
        let directory = directory();
        let path = directory.path().join("ids");
        fs::write(&path, content).unwrap();
        match (FileIds::new(&path).load(), expected) {
            (Ok(Some(id)), Ok(expected)) => assert_eq!(id, expected),
            (Err(error), Err(expected)) => {
                let text = error.to_string();
                assert!(text.contains(path.to_str().unwrap()), "{text}");
                assert!(text.contains(expected), "{text}");
            }
            (loaded, _) => panic!("{loaded:?}, not {expected:?}"),
        }
        assert_eq!(fs::read(&path).unwrap(), content, "it is left as it was");
    }

    #[test]
    fn what_was_saved_is_loaded() {
        let directory = directory();
        let path = directory.path().join("ids");
        for id in ["1", "", "…🦀\u{1}\"\\", &"x".repeat(64 << 10)] {
            let mut ids = FileIds::new(&path).sync(false);
            ids.save("overwritten").unwrap();
            ids.save(id).unwrap();
            drop(ids);
            assert_eq!(FileIds::new(&path).load().unwrap().unwrap(), id);
        }
        let names: Vec<_> = fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(names, ["ids"], "nothing else is left behind");
    }

    #[test]
    fn no_file_is_no_id() {
        let directory = directory();
        let mut ids = FileIds::new(directory.path().join("ids"));
        assert_eq!(ids.load().unwrap(), None);
        ids.flush().unwrap();
        drop(ids);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn flush_waits_until_it_is_written_and_synced() {
        let directory = directory();
        let path = directory.path().join("ids");
        let mut ids = FileIds::new(&path).interval(Duration::from_secs(3600));
        for id in ["1", "2", "3"] {
            ids.save(id).unwrap();
            ids.flush().unwrap();
            assert_eq!(FileIds::new(&path).load().unwrap().unwrap(), id);
        }
        // Within the interval only a hurry makes it write.
        ids.save("4").unwrap();
        ids.save("5").unwrap();
        drop(ids);
        assert_eq!(FileIds::new(&path).load().unwrap().unwrap(), "5");
    }

    #[test]
    fn a_damaged_file_is_an_error_that_names_it() {
        let whole = br#"{"format":1,"last_event_id":"td-7"}"#;
        check(whole, Ok("td-7"));
        for len in 0..whole.len() {
            check(&whole[..len], Err("damaged"));
        }
        check(br#"{"format":2,"last_event_id":"td-7"}"#, Err("damaged"));
        check(br#"{"format":1,"last_event_id":"a\nb"}"#, Err("damaged"));
        check(b"\xff\xfe", Err("damaged"));
        check(&vec![b' '; MAX_LEN as usize + 1], Err("damaged"));
    }

    #[test]
    fn what_is_no_file_is_an_error_that_names_it() {
        let directory = directory();
        let error = FileIds::new(directory.path()).load().unwrap_err();
        assert!(error.to_string().contains("damaged"), "{error}");
        let path = directory.path().join("missing").join("ids");
        let mut ids = FileIds::new(&path);
        assert_eq!(ids.load().unwrap(), None);
        ids.save("1").unwrap();
        let error = ids.flush().unwrap_err();
        assert!(error.to_string().contains("can't be written"), "{error}");
        assert!(error.to_string().contains("missing"), "{error}");
    }

    /// An ID that couldn't be written because its directory was missing is
    /// there once `then` has been done with the directory there again.
    #[track_caller]
    fn check_written_later(interval: Duration, then: impl FnOnce(FileIds, &Path)) {
        let directory = directory();
        let path = directory.path().join("missing").join("ids");
        let mut ids = FileIds::new(&path).interval(interval);
        ids.save("1").unwrap();
        for _ in 0..2 {
            let error = ids.flush().expect_err("there is no directory");
            assert!(error.to_string().contains("missing"), "{error}");
        }
        fs::create_dir(path.parent().unwrap()).unwrap();
        then(ids, &path);
        assert_eq!(FileIds::new(&path).load().unwrap().unwrap(), "1");
    }

    #[test]
    fn what_could_not_be_written_is_written_when_that_is_possible() {
        let never = Duration::from_secs(3600);
        check_written_later(never, |mut ids, _| ids.flush().unwrap());
        check_written_later(never, |ids, _| drop(ids));
        check_written_later(Duration::ZERO, |_ids, path| {
            while !path.exists() {
                std::thread::park_timeout(Duration::from_millis(5));
            }
        });
    }

    #[test]
    fn what_can_never_be_written_holds_nobody_up() {
        let directory = directory();
        let mut ids = FileIds::new(directory.path().join("missing").join("ids"));
        ids.save("1").unwrap();
        ids.flush().expect_err("there is no directory");
        ids.save("2").unwrap();
        drop(ids);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}

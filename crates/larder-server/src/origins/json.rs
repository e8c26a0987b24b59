//! A JSON file: one object, whose members are the rows by id.
//!
//! The file is read again when it changes. If the new version is not valid, the rows of the old one
//! stay in force and the error is reported.

use super::source::Source;
use bytes::Bytes;
use larder_core::BoxFuture;
use rustix::fs::{Mode, OFlags};
use serde_json::Value;
use std::{
    collections::HashMap,
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};
use tokio::{task::spawn_blocking, time::sleep};

/// Maximum size of a file.
const FILE_BYTES_MAX: u64 = 1 << 30;
/// How often the file is checked for changes.
const POLL_PERIOD: Duration = Duration::from_millis(500);

/// See the [module](self).
pub(super) struct JsonFile {
    /// The origin's name, for the log.
    origin: String,
    path: PathBuf,
    state: Mutex<State>,
}

struct State {
    rows: Arc<Rows>,
    version: Option<FileVersion>,
    problem: Option<String>,
}

/// Rows by id, each as compact JSON.
type Rows = HashMap<Box<str>, Bytes>;

/// Metadata that differs between two versions of a file. `cp -p` and `rsync -t` set the time of the
/// modification, but nothing can set that of the status change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileVersion {
    modified: SystemTime,
    status_changed: (i64, i64),
    bytes: u64,
    device: u64,
    inode: u64,
}

impl JsonFile {
    /// Reads the file. An error says what is wrong with it.
    pub(super) async fn open(origin: &str, path: PathBuf) -> Result<Self, String> {
        let (version, rows) = read(path.clone()).await?;
        let state = State { rows: Arc::new(rows), version: Some(version), problem: None };
        Ok(Self { origin: origin.to_owned(), path, state: Mutex::new(state) })
    }

    fn rows(&self) -> Arc<Rows> {
        Arc::clone(&self.state().rows)
    }

    /// Reads the file again if its metadata has changed. Returns the ids of rows that were added,
    /// removed or changed.
    async fn reload_if_changed(&self) -> Vec<Box<str>> {
        let version = fs::metadata(&self.path).and_then(|meta| FileVersion::of(&meta));
        if version.as_ref().ok() == self.state().version.as_ref() {
            return Vec::new();
        }
        match read(self.path.clone()).await {
            Ok((version, rows)) => self.replace(version, rows),
            Err(problem) => {
                self.report(version.ok(), &problem);
                Vec::new()
            }
        }
    }

    fn replace(&self, version: FileVersion, rows: Rows) -> Vec<Box<str>> {
        let rows = Arc::new(rows);
        let mut state = self.state();
        let before = std::mem::replace(&mut state.rows, Arc::clone(&rows));
        state.version = Some(version);
        state.problem = None;
        drop(state);
        let changed = changed(&before, &rows);
        tracing::info!(
            origin = self.origin,
            rows = rows.len(),
            changed = changed.len(),
            "origin file reloaded"
        );
        changed
    }

    /// Remembers a problem, and logs it if it is a new one.
    fn report(&self, version: Option<FileVersion>, problem: &str) {
        let mut state = self.state();
        state.version = version;
        let is_new = state.problem.as_deref() != Some(problem);
        state.problem = Some(problem.to_owned());
        drop(state);
        if is_new {
            tracing::warn!(
                origin = self.origin,
                problem,
                "cannot reload the origin file; the rows read before stay in force"
            );
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Source for JsonFile {
    fn find<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, String>> {
        Box::pin(async move { Ok(self.rows().get(id).cloned()) })
    }

    fn changes(&self) -> BoxFuture<'_, Vec<Box<str>>> {
        Box::pin(async move {
            loop {
                sleep(POLL_PERIOD).await;
                let changed = self.reload_if_changed().await;
                if !changed.is_empty() {
                    return changed;
                }
            }
        })
    }

    fn problem(&self) -> Option<String> {
        self.state().problem.clone()
    }

    fn rows(&self) -> Option<usize> {
        Some(self.rows().len())
    }

    /// Returns the first row in the order of numbers, then of letters.
    fn example(&self) -> Option<(String, Bytes)> {
        let rows = self.rows();
        let first = rows.iter().min_by_key(|(id, _)| (id.len(), *id));
        first.map(|(id, row)| (id.to_string(), row.clone()))
    }
}

impl FileVersion {
    fn of(meta: &fs::Metadata) -> io::Result<Self> {
        use std::os::unix::fs::MetadataExt;
        Ok(Self {
            modified: meta.modified()?,
            status_changed: (meta.ctime(), meta.ctime_nsec()),
            bytes: meta.len(),
            device: meta.dev(),
            inode: meta.ino(),
        })
    }
}

/// Reads a file without keeping its rows. An error says what is wrong with it.
pub(super) fn check(path: &Path) -> Result<(), String> {
    read_now(path).map(drop)
}

async fn read(path: PathBuf) -> Result<(FileVersion, Rows), String> {
    let read = spawn_blocking(move || read_now(&path)).await;
    read.unwrap_or_else(|_| Err("reading the file was interrupted".into()))
}

/// Takes the metadata before the text, so that a change during the read is noticed at the next
/// poll.
fn read_now(path: &Path) -> Result<(FileVersion, Rows), String> {
    let show = path.display();
    let cannot = |error: io::Error| format!("cannot read {show}: {error}");
    let not_regular = || format!("{show} is not a regular file");
    let too_large = || format!("{show} is larger than {FILE_BYTES_MAX} bytes");
    // To open a device or a named pipe could change its state.
    if !fs::metadata(path).map_err(cannot)?.is_file() {
        return Err(not_regular());
    }
    let (file, meta) = open_regular(path).map_err(cannot)?.ok_or_else(not_regular)?;
    if meta.len() > FILE_BYTES_MAX {
        return Err(too_large());
    }
    let version = FileVersion::of(&meta).map_err(cannot)?;
    let mut text = Vec::new();
    // The file may grow meanwhile.
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut text).map_err(cannot)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(too_large());
    }
    let rows = parse(&text).map_err(|reason| format!("{show}: {reason}"))?;
    Ok((version, rows))
}

/// Opens a file. Returns `None` if it is not a regular one: it may have been replaced since it was
/// last looked at. Never waits for a writer, as opening a named pipe otherwise does.
fn open_regular(path: &Path) -> io::Result<Option<(fs::File, fs::Metadata)>> {
    let flags = OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = fs::File::from(rustix::fs::open(path, flags, Mode::empty())?);
    let meta = file.metadata()?;
    Ok(meta.is_file().then_some((file, meta)))
}

fn parse(text: &[u8]) -> Result<Rows, String> {
    let table: serde_json::Map<String, Value> = serde_json::from_slice(text)
        .map_err(|error| format!("not a JSON object of rows by id: {error}"))?;
    table
        .into_iter()
        .map(|(id, row)| match row {
            Value::Object(_) => Ok((id.into_boxed_str(), Bytes::from(row.to_string()))),
            other => Err(format!("the row with id {id:?} is {}, not an object", kind(&other))),
        })
        .collect()
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// Returns the ids of rows that were added, removed or changed.
fn changed(before: &Rows, after: &Rows) -> Vec<Box<str>> {
    let added_or_changed = after.iter().filter(|(id, row)| before.get(*id) != Some(*row));
    let removed = before.iter().filter(|(id, _)| !after.contains_key(*id));
    added_or_changed.chain(removed).map(|(id, _)| id.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::FileType;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn rows_keep_their_order_and_their_numbers() {
        let rows = parse(br#"{"1": {"z": 1.10, "a": 123456789012345678901234567890}}"#).unwrap();
        assert_eq!(rows["1"], r#"{"z":1.10,"a":123456789012345678901234567890}"#);
    }

    #[test]
    fn a_file_of_another_form_is_refused_with_a_reason() {
        let why = |text: &[u8]| parse(text).unwrap_err();
        assert!(why(b"[]").contains("not a JSON object of rows by id"));
        assert!(why(b"{\"7\": [1]}").contains("the row with id \"7\" is an array"));
        assert!(
            why(b"{\n\"7\": {\n").contains("line 2") || why(b"{\n\"7\": {\n").contains("line 3")
        );
    }

    fn make_pipe(path: &Path) {
        rustix::fs::mknodat(rustix::fs::CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)
            .unwrap();
    }

    #[test]
    fn a_named_pipe_is_refused_without_waiting_for_a_writer() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("users.json");
        make_pipe(&path);
        assert!(read_now(&path).unwrap_err().contains("is not a regular file"));
        // It may take the place of the file between the check and the opening.
        assert!(open_regular(&path).unwrap().is_none());
    }

    #[tokio::test]
    async fn a_replacement_of_the_same_size_and_time_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let (path, other) = (dir.path().join("users.json"), dir.path().join("new.json"));
        fs::write(&path, r#"{"1": {"a": 1}}"#).unwrap();
        let modified = fs::metadata(&path).unwrap().modified().unwrap();
        let file = JsonFile::open("t", path.clone()).await.unwrap();
        let keep_time = |path: &Path| {
            fs::File::options().append(true).open(path).unwrap().set_modified(modified).unwrap();
        };

        fs::write(&other, r#"{"1": {"a": 2}}"#).unwrap();
        keep_time(&other);
        fs::rename(&other, &path).unwrap();
        assert_eq!(file.reload_if_changed().await, ["1".into()], "as mv does");

        // The clock of the file system is coarse.
        let before = fs::metadata(&path).unwrap().ctime_nsec();
        while fs::metadata(&path).unwrap().ctime_nsec() == before {
            fs::write(&path, r#"{"1": {"a": 3}}"#).unwrap();
            keep_time(&path);
        }
        assert_eq!(file.reload_if_changed().await, ["1".into()], "as cp -p does");
    }

    #[tokio::test]
    async fn a_change_returns_the_ids_and_a_broken_file_leaves_the_rows() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("users.json");
        let write = |text: &str| {
            // Another length each time: two writes may share one time stamp.
            fs::write(&path, text).unwrap();
        };
        write(r#"{"1": {"a": 1}, "2": {"a": 2}}"#);
        let file = JsonFile::open("t", path.clone()).await.unwrap();
        assert!(file.reload_if_changed().await.is_empty(), "nothing changed");

        write(r#"{"1": {"a": 1}, "2": {"a": 22}, "3": {}}"#);
        let mut changed = file.reload_if_changed().await;
        changed.sort();
        assert_eq!(changed, ["2".into(), Box::<str>::from("3")]);

        write("{ broken");
        assert!(file.reload_if_changed().await.is_empty());
        assert!(file.problem().unwrap().contains("users.json"));
        assert_eq!(file.rows()["2"], r#"{"a":22}"#);

        fs::remove_file(&path).unwrap();
        file.reload_if_changed().await;
        assert!(file.problem().unwrap().contains("cannot read"));

        fs::create_dir(&path).unwrap();
        file.reload_if_changed().await;
        assert!(file.problem().unwrap().contains("is not a regular file"));
        fs::remove_dir(&path).unwrap();

        write(r#"{"2": {"a": 22}}"#);
        let mut changed = file.reload_if_changed().await;
        changed.sort();
        assert_eq!(changed, ["1".into(), Box::<str>::from("3")]);
        assert_eq!(file.problem(), None);
    }
}

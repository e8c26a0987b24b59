//! A JSON file: one object, whose members are the rows by id. Read again when it changes; a broken
//! new version keeps the old one and says so.

use bytes::Bytes;
use serde_json::Value;
use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};
use tokio::task::spawn_blocking;

/// Bytes that a file may have.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// See the [module](self).
pub(super) struct JsonFile {
    path: PathBuf,
    state: Mutex<State>,
}

struct State {
    rows: Arc<Rows>,
    seen: Option<Stamp>,
    problem: Option<String>,
}

/// Rows by id, each as compact JSON.
type Rows = HashMap<Box<str>, Bytes>;

/// What tells one version of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    modified: SystemTime,
    bytes: u64,
    file: u64,
}

impl JsonFile {
    /// Reads the file, or says what is wrong with it.
    pub(super) async fn open(path: PathBuf) -> Result<Self, String> {
        let (seen, rows) = read(path.clone()).await?;
        let state = State { rows: Arc::new(rows), seen: Some(seen), problem: None };
        Ok(Self { path, state: Mutex::new(state) })
    }

    pub(super) fn row(&self, id: &str) -> Option<Bytes> {
        let rows = Arc::clone(&self.state().rows);
        rows.get(id).cloned()
    }

    pub(super) fn rows(&self) -> usize {
        self.state().rows.len()
    }

    /// The first id in the order of numbers, then of letters.
    pub(super) fn example_id(&self) -> Option<String> {
        let rows = Arc::clone(&self.state().rows);
        rows.keys().min_by_key(|id| (id.len(), *id)).map(ToString::to_string)
    }

    pub(super) fn problem(&self) -> Option<String> {
        self.state().problem.clone()
    }

    /// Looks at the file and reads it when it is another than last time. Gives the ids whose rows
    /// came, went or changed.
    pub(super) async fn reload_if_changed(&self, name: &str) -> Vec<Box<str>> {
        let stamp = fs::metadata(&self.path).and_then(|meta| Stamp::of(&meta));
        if stamp.as_ref().ok() == self.state().seen.as_ref() {
            return Vec::new();
        }
        match read(self.path.clone()).await {
            Ok((seen, rows)) => {
                let rows = Arc::new(rows);
                let mut state = self.state();
                let before = std::mem::replace(&mut state.rows, Arc::clone(&rows));
                state.seen = Some(seen);
                state.problem = None;
                drop(state);
                let changed = changed(&before, &rows);
                tracing::info!(
                    origin = name,
                    rows = rows.len(),
                    changed = changed.len(),
                    "file read again"
                );
                changed
            }
            Err(why) => {
                let mut state = self.state();
                state.seen = stamp.ok();
                let news = state.problem.as_ref() != Some(&why);
                state.problem = Some(why.clone());
                drop(state);
                if news {
                    tracing::warn!(origin = name, why, "the rows read before are kept");
                }
                Vec::new()
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stamp {
    fn of(meta: &fs::Metadata) -> io::Result<Self> {
        use std::os::unix::fs::MetadataExt;
        Ok(Self { modified: meta.modified()?, bytes: meta.len(), file: meta.ino() })
    }
}

async fn read(path: PathBuf) -> Result<(Stamp, Rows), String> {
    let read = spawn_blocking(move || read_now(&path)).await;
    read.unwrap_or_else(|_| Err("reading it was broken off".into()))
}

/// The stamp is taken first: a change while the file is read is seen at the next look.
fn read_now(path: &Path) -> Result<(Stamp, Rows), String> {
    let show = path.display();
    let cannot = |error: io::Error| format!("cannot read {show}: {error}");
    let meta = fs::metadata(path).map_err(cannot)?;
    if meta.len() > FILE_BYTES_MAX {
        return Err(format!("{show} is larger than {FILE_BYTES_MAX} bytes"));
    }
    let stamp = Stamp::of(&meta).map_err(cannot)?;
    let text = fs::read(path).map_err(cannot)?;
    let rows = parse(&text).map_err(|why| format!("{show}: {why}"))?;
    Ok((stamp, rows))
}

fn parse(text: &[u8]) -> Result<Rows, String> {
    let table: serde_json::Map<String, Value> = serde_json::from_slice(text)
        .map_err(|error| format!("not an object of rows by id: {error}"))?;
    table
        .into_iter()
        .map(|(id, row)| match row {
            Value::Object(_) => Ok((id.into_boxed_str(), Bytes::from(row.to_string()))),
            other => Err(format!("the row of id {id:?} is {}, not an object", kind(&other))),
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

fn changed(before: &Rows, after: &Rows) -> Vec<Box<str>> {
    let came_or_changed = after.iter().filter(|(id, row)| before.get(*id) != Some(*row));
    let went = before.iter().filter(|(id, _)| !after.contains_key(*id));
    came_or_changed.chain(went).map(|(id, _)| id.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_keep_their_order_and_their_numbers() {
        let rows = parse(br#"{"1": {"z": 1.10, "a": 123456789012345678901234567890}}"#).unwrap();
        assert_eq!(rows["1"], r#"{"z":1.10,"a":123456789012345678901234567890}"#);
    }

    #[test]
    fn what_is_no_table_of_rows_is_named() {
        let why = |text: &[u8]| parse(text).unwrap_err();
        assert!(why(b"[]").contains("not an object of rows by id"));
        assert!(why(b"{\"7\": [1]}").contains("the row of id \"7\" is an array"));
        assert!(
            why(b"{\n\"7\": {\n").contains("line 2") || why(b"{\n\"7\": {\n").contains("line 3")
        );
    }

    #[tokio::test]
    async fn a_change_names_the_rows_and_a_broken_file_keeps_them() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("users.json");
        let write = |text: &str| {
            // Another length each time: two writes may share one time stamp.
            fs::write(&path, text).unwrap();
        };
        write(r#"{"1": {"a": 1}, "2": {"a": 2}}"#);
        let file = JsonFile::open(path.clone()).await.unwrap();
        assert!(file.reload_if_changed("t").await.is_empty(), "nothing changed");

        write(r#"{"1": {"a": 1}, "2": {"a": 22}, "3": {}}"#);
        let mut changed = file.reload_if_changed("t").await;
        changed.sort();
        assert_eq!(changed, ["2".into(), Box::<str>::from("3")]);

        write("{ broken");
        assert!(file.reload_if_changed("t").await.is_empty());
        assert!(file.problem().unwrap().contains("users.json"));
        assert_eq!(file.row("2").unwrap(), r#"{"a":22}"#);

        fs::remove_file(&path).unwrap();
        file.reload_if_changed("t").await;
        assert!(file.problem().unwrap().contains("cannot read"));

        write(r#"{"2": {"a": 22}}"#);
        let mut changed = file.reload_if_changed("t").await;
        changed.sort();
        assert_eq!(changed, ["1".into(), Box::<str>::from("3")]);
        assert_eq!(file.problem(), None);
    }
}

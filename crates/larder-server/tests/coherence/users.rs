//! A JSON file of users as an origin, which tests change while it is in use.

use std::path::PathBuf;

use larder_testkit::{Larder, http};
use tempfile::TempDir;

pub(crate) struct Users {
    folder: TempDir,
}

impl Users {
    /// Creates a file with these rows.
    pub(crate) fn new(rows: &str) -> Self {
        let users = Self { folder: tempfile::tempdir().unwrap() };
        users.replace(rows);
        users
    }

    /// Replaces the whole file atomically.
    pub(crate) fn replace(&self, rows: &str) {
        let draft = self.folder.path().join("draft");
        std::fs::write(&draft, rows).unwrap();
        std::fs::rename(draft, self.file()).unwrap();
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("users.json")
    }

    /// Returns the settings that declare it: `GET /users/{id}`, cached under `users:{id}`.
    pub(crate) fn config(&self, ttls: &str) -> String {
        format!(
            "[[origin]]\nname = 'users'\nkind = 'json'\nfile = '{}'\nkey = 'users:{{id}}'\n\
             path = '/users/{{id}}'\n{ttls}\n",
            self.file().display()
        )
    }
}

/// Returns how often the origin was queried.
pub(crate) fn loads(larder: &Larder) -> u64 {
    let metrics = http::get(&larder.url("/metrics"), &[]).text();
    let start = "larder_origin_load_duration_seconds_count{origin=\"users\"} ";
    let mut counts = metrics.lines().filter_map(|line| line.strip_prefix(start));
    counts.next().unwrap_or_else(|| panic!("{metrics}")).parse().unwrap()
}

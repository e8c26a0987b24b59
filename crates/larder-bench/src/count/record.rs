//! Compares counts with those of an earlier version of the program.

use std::collections::BTreeMap;
use std::fs::read;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::report::plain_table;

/// Instructions per operation, by name.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Counts {
    /// The number of instructions.
    pub instructions: BTreeMap<String, f64>,
}

impl Counts {
    /// Reads saved counts. Returns no counts if the file does not exist.
    pub fn load(path: &Path) -> io::Result<Self> {
        match read(path) {
            Ok(json) => Ok(serde_json::from_slice(&json)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error),
        }
    }

    /// Drops the fractions, which carry no information.
    #[must_use]
    pub fn rounded(&self) -> Self {
        let whole = |(name, count): (&String, &f64)| (name.clone(), count.round());
        Self { instructions: self.instructions.iter().map(whole).collect() }
    }

    /// Lists the counts that have grown by more than `percent` since `old`, and by how much.
    pub fn grown(&self, old: &Self, percent: f64) -> Vec<String> {
        let grown = self.instructions.iter().filter_map(|(name, new)| {
            let change = change(*old.instructions.get(name)?, *new);
            (change > percent).then(|| format!("{name}: {change:+.1} %"))
        });
        grown.collect()
    }
}

/// Formats a table of the old counts, the new ones, and the change.
pub fn report(old: &Counts, new: &Counts) -> String {
    let rows = new.instructions.iter().map(|(name, count)| {
        let old = old.instructions.get(name);
        let shown = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        [
            name.clone(),
            shown(old.map(|old| format!("{old:.0}"))),
            format!("{count:.0}"),
            shown(old.map(|old| format!("{:+.1} %", change(*old, *count)))),
        ]
    });
    plain_table(&["instructions per", "old", "new", "change"], rows)
}

/// Returns the change in percent.
fn change(old: f64, new: f64) -> f64 {
    (new / old - 1.0) * 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(figures: &[(&str, f64)]) -> Counts {
        let instructions = figures.iter().map(|(name, count)| ((*name).to_owned(), *count));
        Counts { instructions: instructions.collect() }
    }

    #[test]
    fn growth_beyond_the_tolerance_is_listed() {
        let old = counts(&[("a", 100.0), ("b", 100.0), ("c", 100.0)]);
        let new = counts(&[("a", 102.9), ("b", 103.1), ("c", 50.0), ("d", 1.0)]);
        assert_eq!(new.grown(&old, 3.0), ["b: +3.1 %"]);
        let text = report(&old, &new);
        assert!(text.contains("| c                | 100 |  50 | -50.0 % |"), "{text}");
        assert!(text.contains("| d                |   - |   1 |       - |"), "{text}");
    }

    #[test]
    fn a_missing_record_is_empty() {
        assert_eq!(Counts::load(Path::new("/nowhere")).unwrap(), Counts::default());
    }
}

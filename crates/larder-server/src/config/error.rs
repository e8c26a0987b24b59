//! Errors in the configuration: all of them at once, each with its source.

use std::fmt;

/// Where a value came from, in the order in which errors are reported.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    /// A flag, without its `--`.
    Flag(&'static str),
    /// An environment variable, by name.
    Variable(String),
    /// A line of the file, counted from 1.
    File { path: String, line: usize },
    /// No layer has set it.
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => write!(f, "--{name}"),
            Self::Variable(name) => f.write_str(name),
            Self::File { path, line } => write!(f, "{path}:{line}"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// One error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConfigError {
    pub(crate) source: Source,
    /// What is wrong and what would be right. Contains no secret.
    pub(crate) text: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.source, self.text)
    }
}

/// Every error: flags first, then the environment, then the file line by line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(Vec<ConfigError>);

impl ConfigErrors {
    pub(crate) fn of(mut all: Vec<ConfigError>) -> Self {
        all.sort_by(|one, other| one.source.cmp(&other.source));
        Self(all)
    }
}

impl fmt::Display for ConfigErrors {
    /// Writes one line for each error, after a line that counts them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => write!(f, "larder: 1 error in the configuration")?,
            many => write!(f, "larder: {many} errors in the configuration")?,
        }
        self.0.iter().try_for_each(|error| write!(f, "\n  {error}"))
    }
}

impl std::error::Error for ConfigErrors {}

/// Returns `; did you mean X?` for the candidate closest to `word`, or nothing if none is close.
pub(crate) fn did_you_mean<S: AsRef<str>>(
    word: &str,
    candidates: impl IntoIterator<Item = S>,
) -> String {
    let word = word.to_ascii_lowercase();
    let distance_max = (word.len() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| {
            let lower = candidate.as_ref().to_ascii_lowercase();
            (strsim::damerau_levenshtein(&word, &lower), candidate)
        })
        .filter(|(distance, _)| *distance <= distance_max)
        .min_by_key(|(distance, _)| *distance)
        .map_or_else(String::new, |(_, name)| format!("; did you mean {}?", name.as_ref()))
}

//! An invocation of Larder: its command line, environment and configuration file.

use std::ffi::OsString;
use std::path::PathBuf;

use larder_server::cli::{self, Output};
use larder_server::config::{Config, Environment};
use tempfile::TempDir;

pub(crate) struct Invocation {
    args: Vec<OsString>,
    environment: Environment,
    folder: TempDir,
}

pub(crate) fn larder() -> Invocation {
    let folder = TempDir::new().unwrap();
    Invocation { args: vec!["larder".into()], environment: Environment::new(), folder }
}

impl Invocation {
    /// Appends the words of a text to the command line.
    pub(crate) fn args(mut self, words: &str) -> Self {
        self.args.extend(words.split_whitespace().map(OsString::from));
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.into());
        self
    }

    /// Sets a variable to the path of a new file with this text.
    pub(crate) fn env_file(self, name: &str, text: &str) -> Self {
        let path = self.write(name, text);
        self.env(name, path.to_str().unwrap())
    }

    /// Writes the configuration file, `larder.toml`.
    pub(crate) fn config_text(self, toml: &str) -> Self {
        let path = self.write("larder.toml", toml);
        self.env("LARDER_CONFIG", path.to_str().unwrap())
    }

    /// Writes a file next to the configuration file.
    pub(crate) fn with_file(self, name: &str, text: &str) -> Self {
        self.write(name, text);
        self
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    pub(crate) fn config(&self) -> Config {
        match self.parse() {
            Ok(config) => *config,
            Err(output) => panic!("invalid: {output:?}"),
        }
    }

    /// Returns the reported errors, one a line, with paths relative to the folder.
    pub(crate) fn errors(&self) -> Vec<String> {
        match self.parse() {
            Err(Output::InvalidConfig(errors)) => {
                let text = self.relative(&errors.to_string());
                text.lines().skip(1).map(|line| line.trim_start().to_owned()).collect()
            }
            other => panic!("no errors were reported: {other:?}"),
        }
    }

    /// Returns the lines that `check-config` prints, with one space between columns.
    pub(crate) fn output_lines(&self) -> Vec<String> {
        match self.parse() {
            Err(Output::Text(text)) => {
                let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
                self.relative(&text).lines().map(words).collect()
            }
            other => panic!("nothing was printed: {other:?}"),
        }
    }

    pub(crate) fn parse(&self) -> Result<Box<Config>, Output> {
        cli::parse(self.args.clone(), &self.environment)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn relative(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.folder.path().display()), "")
    }
}

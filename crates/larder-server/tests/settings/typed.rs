//! A command line, an environment and a file, as a person would type them.

use std::ffi::OsString;
use std::path::PathBuf;

use larder_server::cli::{self, Output};
use larder_server::config::{Config, Environment};
use tempfile::TempDir;

pub(crate) struct Typed {
    args: Vec<OsString>,
    environment: Environment,
    folder: TempDir,
}

pub(crate) fn larder() -> Typed {
    let folder = TempDir::new().unwrap();
    Typed { args: vec!["larder".into()], environment: Environment::new(), folder }
}

impl Typed {
    /// Words of the command line, separated by spaces.
    pub(crate) fn args(mut self, words: &str) -> Self {
        self.args.extend(words.split_whitespace().map(OsString::from));
        self
    }

    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.into());
        self
    }

    /// A variable that holds the path of a file with this text.
    pub(crate) fn variable_to_file(self, name: &str, text: &str) -> Self {
        let path = self.beside(name, text);
        self.variable(name, path.to_str().unwrap())
    }

    /// The configuration file, `larder.toml`.
    pub(crate) fn file(self, toml: &str) -> Self {
        let path = self.beside("larder.toml", toml);
        self.variable("LARDER_CONFIG", path.to_str().unwrap())
    }

    /// A file in the folder of the configuration file.
    pub(crate) fn with(self, name: &str, text: &str) -> Self {
        self.beside(name, text);
        self
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    pub(crate) fn config(&self) -> Config {
        match self.parse() {
            Ok(config) => *config,
            Err(reply) => panic!("no plan: {reply:?}"),
        }
    }

    /// The report's lines, paths relative to the folder, without the head line.
    pub(crate) fn mistakes(&self) -> Vec<String> {
        match self.parse() {
            Err(Output::InvalidConfig(mistakes)) => {
                let text = self.relative(&mistakes.to_string());
                text.lines().skip(1).map(|line| line.trim_start().to_owned()).collect()
            }
            other => panic!("no mistakes: {other:?}"),
        }
    }

    /// What `check-config` shows, columns separated by one space.
    pub(crate) fn shown(&self) -> Vec<String> {
        match self.parse() {
            Err(Output::Text(text)) => {
                let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
                self.relative(&text).lines().map(words).collect()
            }
            other => panic!("nothing shown: {other:?}"),
        }
    }

    pub(crate) fn parse(&self) -> Result<Box<Config>, Output> {
        cli::parse(self.args.clone(), &self.environment)
    }

    fn beside(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn relative(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.folder.path().display()), "")
    }
}

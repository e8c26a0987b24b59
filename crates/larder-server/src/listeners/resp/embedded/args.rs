//! The arguments of a command.

use super::{command_error::CommandError, number};
use larder_resp::request::Command;

/// A command's arguments; its name has index 0. An argument that is missing reads as empty.
#[derive(Clone, Copy)]
pub(super) struct Args<'a>(Command<'a>);

impl<'a> Args<'a> {
    pub(super) fn of(command: Command<'a>) -> Self {
        Self(command)
    }

    pub(super) fn command(self) -> Command<'a> {
        self.0
    }

    pub(super) fn len(self) -> usize {
        self.0.args().len()
    }

    pub(super) fn get(self, at: usize) -> &'a [u8] {
        self.0.arg(at).unwrap_or_default()
    }

    /// Returns the arguments from index `at` on.
    pub(super) fn from(self, at: usize) -> impl ExactSizeIterator<Item = &'a [u8]> + Clone {
        self.0.args().skip(at)
    }

    /// Returns pairs of a name and a value, from index 1 on.
    pub(super) fn pairs(self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        (1..self.len()).step_by(2).map(move |at| (self.get(at), self.get(at + 1)))
    }

    /// Returns whether an argument is this word, ignoring case.
    pub(super) fn is(self, at: usize, word: &str) -> bool {
        self.get(at).eq_ignore_ascii_case(word.as_bytes())
    }

    pub(super) fn integer(self, at: usize) -> Result<i64, CommandError> {
        number::integer(self.get(at)).ok_or(CommandError::NOT_AN_INTEGER)
    }
}

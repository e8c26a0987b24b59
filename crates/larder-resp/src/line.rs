//! The end of a line, looked for while its bytes arrive, each byte once.

use crate::ProtocolError;

/// A line that may not be there in full yet.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LineSearch {
    /// The offset of its first byte.
    start: usize,
    /// Its carriage return is not before this offset.
    searched: usize,
}

impl LineSearch {
    pub(crate) fn at(start: usize) -> Self {
        Self { start, searched: start }
    }

    /// The offset behind the line and its end; while that is not found, the least it can be.
    pub(crate) fn after(&self) -> usize {
        self.searched.saturating_add(2)
    }

    /// The line up to its carriage return, and the byte behind that; `None` until both are there.
    pub(crate) fn find<'b>(
        &mut self,
        buf: &'b [u8],
        bytes_max: usize,
        too_big: ProtocolError,
    ) -> Result<Option<(&'b [u8], u8)>, ProtocolError> {
        let unseen = buf.get(self.searched..).unwrap_or_default();
        let found = unseen.iter().position(|byte| *byte == b'\r');
        self.searched += found.unwrap_or(unseen.len());
        if self.searched - self.start > bytes_max {
            return Err(too_big);
        }
        let line = buf.get(self.start..self.searched);
        Ok(line.zip(buf.get(self.searched + 1).copied()))
    }
}

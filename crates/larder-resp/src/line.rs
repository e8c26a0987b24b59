//! Finds the end of a line while its bytes arrive, looking at each byte once.

use crate::error::ProtocolError;

/// The search for the end of a line that may be incomplete.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LineSearch {
    /// The offset of the line's first byte.
    start: usize,
    /// There is no carriage return before this offset.
    searched: usize,
}

impl LineSearch {
    pub(crate) fn at(start: usize) -> Self {
        Self { start, searched: start }
    }

    /// Returns the offset behind the line's CRLF or, until that is found, the lowest it can be.
    pub(crate) fn after(&self) -> usize {
        self.searched.saturating_add(2)
    }

    /// Returns the line up to its carriage return, and the byte after it. `None` until both have
    /// arrived.
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

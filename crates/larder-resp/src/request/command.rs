//! A command that was read: its arguments, which are parts of a buffer.

use super::write::write_args;
use bytes::{BufMut, BytesMut};

/// Where an argument lies in its buffer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
}

/// One command and its arguments, of which there is at least one: the name.
#[derive(Clone, Copy, Debug)]
pub struct Command<'a> {
    pub(super) encoding: Encoding<'a>,
    pub(super) spans: &'a [Span],
}

/// How it was sent, with the buffer that the spans are of.
#[derive(Clone, Copy, Debug)]
pub(super) enum Encoding<'a> {
    /// An array of bulk strings: its bytes, all of them.
    Multibulk(&'a [u8]),
    /// A line: the words in it, unquoted.
    Inline(&'a [u8]),
}

impl<'a> Command<'a> {
    /// The first argument, spelled as the client spelled it.
    #[inline]
    pub fn name(&self) -> &'a [u8] {
        self.arg(0).unwrap_or_default()
    }

    /// The argument at `index`; the name is at 0.
    #[inline]
    pub fn arg(&self, index: usize) -> Option<&'a [u8]> {
        self.encoding.bytes(*self.spans.get(index)?)
    }

    /// All arguments, the name first.
    #[inline]
    pub fn args(&self) -> Args<'a> {
        Args { encoding: self.encoding, spans: self.spans.iter() }
    }

    /// Writes the command such that any server reads the same arguments.
    ///
    /// An array is copied as it came. A line is written as an array: what a server makes of a
    /// line, it has in its own hand.
    pub fn write_to(&self, out: &mut BytesMut) {
        match self.encoding {
            Encoding::Multibulk(raw) => out.put_slice(raw),
            Encoding::Inline(_) => write_args(out, self.args()),
        }
    }
}

impl<'a> Encoding<'a> {
    #[inline]
    fn bytes(self, span: Span) -> Option<&'a [u8]> {
        let (Self::Multibulk(buf) | Self::Inline(buf)) = self;
        buf.get(span.start..span.end)
    }
}

/// The arguments of a [`Command`], in order.
#[derive(Clone, Debug)]
pub struct Args<'a> {
    encoding: Encoding<'a>,
    spans: std::slice::Iter<'a, Span>,
}

impl<'a> Iterator for Args<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        self.encoding.bytes(*self.spans.next()?)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.spans.size_hint()
    }
}

impl ExactSizeIterator for Args<'_> {}

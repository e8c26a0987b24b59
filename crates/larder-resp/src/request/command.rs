//! A parsed command: its arguments, as spans of a buffer.

use super::write::write_args;
use bytes::{BufMut, BytesMut};

/// The position of an argument in its buffer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
}

/// One command and its arguments: at least one, the name.
#[derive(Clone, Copy, Debug)]
pub struct Command<'a> {
    pub(super) encoding: Encoding<'a>,
    pub(super) spans: &'a [Span],
}

/// How the command was sent, and the buffer that the spans refer to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Encoding<'a> {
    /// As an array of bulk strings: all its bytes.
    Multibulk(&'a [u8]),
    /// As a line: its words, unquoted.
    Inline(&'a [u8]),
}

impl<'a> Command<'a> {
    /// Returns the first argument, in the case that the client used.
    #[inline]
    pub fn name(&self) -> &'a [u8] {
        self.arg(0).unwrap_or_default()
    }

    /// Returns the argument at `index`; the name is at 0.
    #[inline]
    pub fn arg(&self, index: usize) -> Option<&'a [u8]> {
        self.encoding.bytes(*self.spans.get(index)?)
    }

    /// Returns all arguments, the name first.
    #[inline]
    pub fn args(&self) -> Args<'a> {
        Args { encoding: self.encoding, spans: self.spans.iter() }
    }

    /// Writes the command so that every server parses the same arguments.
    ///
    /// An array is copied unchanged. An inline command is written as an array, because servers may
    /// split a line differently.
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

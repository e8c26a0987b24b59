//! A TLS session without a socket: rustls, with ciphertext in and plaintext out, and the reverse.

use super::error;
use bytes::{Buf, BytesMut};
use rustls::Connection;
use std::{
    cell::RefCell,
    io::{self, BufRead, Write},
};

/// Maximum ciphertext that one read takes from a socket.
const INPUT_BYTES: usize = 64 << 10;
/// Maximum ciphertext waiting for the socket. While it is reached, no more plaintext is encrypted.
const OUTPUT_BYTES_MAX: usize = 64 << 10;

thread_local! {
    /// Holds ciphertext while it is decrypted. No connection leaves anything in it, so all
    /// connections of a thread share one.
    static CIPHERTEXT: RefCell<Box<[u8]>> = RefCell::new(vec![0; INPUT_BYTES].into());
}

pub(super) struct TlsSession {
    rustls: Connection,
    /// Plaintext that arrived in one piece with the end of the handshake. All other plaintext is
    /// returned by the read that decrypts it.
    early_plaintext: BytesMut,
    peer_closed: bool,
    write_failed: bool,
}

impl TlsSession {
    pub(super) fn new(mut rustls: Connection) -> Self {
        rustls.set_buffer_limit(Some(OUTPUT_BYTES_MAX));
        Self { rustls, early_plaintext: BytesMut::new(), peer_closed: false, write_failed: false }
    }

    pub(super) fn is_handshaking(&self) -> bool {
        self.rustls.is_handshaking()
    }

    /// Returns whether a read succeeds without the socket: with plaintext, or with the end.
    pub(super) fn has_input(&self) -> bool {
        self.peer_closed || !self.early_plaintext.is_empty()
    }

    /// Returns whether ciphertext is waiting for the socket.
    pub(super) fn has_output(&self) -> bool {
        !self.write_failed && self.rustls.wants_write()
    }

    /// Appends plaintext to `into`, decrypting what `receive` returns until there is some: at least
    /// one byte, or 0 at the end. All that was received is decrypted and returned, because the
    /// socket would not signal what is left in here.
    pub(super) fn read(
        &mut self,
        into: &mut BytesMut,
        mut receive: impl FnMut(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let before = into.len();
        if !self.early_plaintext.is_empty() {
            into.unsplit(std::mem::take(&mut self.early_plaintext));
        }
        while into.len() == before && !self.peer_closed {
            self.decrypt(into, &mut receive)?;
        }
        Ok(into.len() - before)
    }

    /// Continues a handshake with what one call of `receive` returns.
    pub(super) fn handshake(
        &mut self,
        mut receive: impl FnMut(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<()> {
        let mut early_plaintext = std::mem::take(&mut self.early_plaintext);
        let decrypted = self.decrypt(&mut early_plaintext, &mut receive);
        self.early_plaintext = early_plaintext;
        decrypted?;
        match self.peer_closed && self.is_handshaking() {
            true => Err(error::closed_during_handshake()),
            false => Ok(()),
        }
    }

    /// Encrypts as much of `plaintext` as the limit on waiting ciphertext allows. Returns false when
    /// that was nothing.
    pub(super) fn encrypt(&mut self, plaintext: &mut BytesMut) -> io::Result<bool> {
        let taken = self.rustls.writer().write(plaintext)?;
        plaintext.advance(taken);
        Ok(taken > 0)
    }

    /// Writes ciphertext to `socket` until it would block. Returns true when none is left.
    pub(super) fn send(&mut self, socket: &mut impl Write) -> io::Result<bool> {
        if self.write_failed {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        while self.rustls.wants_write() {
            match self.rustls.write_tls(socket) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => {
                    self.write_failed = true;
                    return Err(error);
                }
            }
        }
        Ok(true)
    }

    /// Queues the alert that ends the session's output.
    pub(super) fn send_close_notify(&mut self) {
        self.rustls.send_close_notify();
    }

    fn decrypt(
        &mut self,
        into: &mut BytesMut,
        receive: &mut impl FnMut(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<()> {
        CIPHERTEXT.with_borrow_mut(|buf| {
            let count = receive(buf)?;
            let mut ciphertext = buf.get(..count).unwrap_or_default();
            // The end of the stream without a close_notify is accepted: in RESP, a truncated reply
            // is recognized as one.
            self.peer_closed |= count == 0;
            while !self.peer_closed && !ciphertext.is_empty() {
                self.rustls.read_tls(&mut ciphertext)?;
                let state = self.rustls.process_new_packets();
                self.drain_plaintext(into)?;
                let state = state.map_err(|e| error::to_io_error(&self.rustls, &e))?;
                self.peer_closed |= state.peer_has_closed();
            }
            Ok(())
        })
    }

    fn drain_plaintext(&mut self, into: &mut BytesMut) -> io::Result<()> {
        let mut reader = self.rustls.reader();
        loop {
            let count = match reader.fill_buf() {
                Ok(piece) => {
                    into.extend_from_slice(piece);
                    piece.len()
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            if count == 0 {
                return Ok(());
            }
            reader.consume(count);
        }
    }
}

#[cfg(test)]
mod tests;

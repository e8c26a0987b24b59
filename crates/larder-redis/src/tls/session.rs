//! A TLS session without its socket: ciphertext in, plaintext out, and the other way round.

use super::error;
use bytes::{Buf, BytesMut};
use rustls::Connection;
use std::{
    cell::RefCell,
    io::{self, BufRead, Write},
};

/// Ciphertext that one read takes from a socket.
const INPUT_BYTES: usize = 64 << 10;
/// Ciphertext that may wait for its socket; more plaintext is not taken meanwhile.
const OUTPUT_BYTES_MAX: usize = 64 << 10;

thread_local! {
    /// Where ciphertext lies while it is decrypted: one for all connections of a thread, as none
    /// keeps anything here.
    static CIPHERTEXT: RefCell<Box<[u8]>> = RefCell::new(vec![0; INPUT_BYTES].into());
}

pub(super) struct TlsSession {
    rustls: Connection,
    /// What came right behind the handshake. Nothing else is decrypted without being handed on.
    early_plaintext: BytesMut,
    /// The other side will send no more.
    peer_closed: bool,
    /// The socket takes nothing any more.
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

    /// Whether reading gives something, or the end, whatever the socket says.
    pub(super) fn has_input(&self) -> bool {
        self.peer_closed || !self.early_plaintext.is_empty()
    }

    /// Whether ciphertext waits for the socket.
    pub(super) fn has_output(&self) -> bool {
        !self.write_failed && self.rustls.wants_write()
    }

    /// Puts plaintext into `into`, decrypting what `receive` gives until there is some: at least
    /// one byte, or 0 at the end. All that was received is decrypted and handed on, so that
    /// nothing is left for which no socket would wake anybody.
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

    /// One step of a handshake, with what `receive` gives once.
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

    /// Encrypts from `plaintext` as much as may wait. False when there was nothing to take.
    pub(super) fn encrypt(&mut self, plaintext: &mut BytesMut) -> io::Result<bool> {
        let taken = self.rustls.writer().write(plaintext)?;
        plaintext.advance(taken);
        Ok(taken > 0)
    }

    /// Gives ciphertext to `socket` as far as that takes it. True when none is left.
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

    /// Says that nothing more will be sent.
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
            // An end without a goodbye is an end too: RESP tells whole from half by itself.
            self.peer_closed |= count == 0;
            while !self.peer_closed && !ciphertext.is_empty() {
                self.rustls.read_tls(&mut ciphertext)?;
                let state = self.rustls.process_new_packets();
                self.drain_plaintext(into)?;
                self.peer_closed |=
                    state.map_err(|e| error::to_io_error(&self.rustls, &e))?.peer_has_closed();
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

//! Writes commands.

use crate::reply::{array, bulk};
use bytes::BytesMut;

/// An upper bound on the bytes around an argument: the line with its length, and the CRLFs.
const OVERHEAD_BYTES: usize = 16;

/// Writes a command, its name first, as an array of bulk strings.
pub fn write_command(out: &mut BytesMut, args: &[&[u8]]) {
    write_args(out, args.iter().copied());
}

pub(super) fn write_args<'a>(
    out: &mut BytesMut,
    args: impl ExactSizeIterator<Item = &'a [u8]> + Clone,
) {
    out.reserve(OVERHEAD_BYTES + args.clone().map(|arg| OVERHEAD_BYTES + arg.len()).sum::<usize>());
    array(out, args.len());
    for arg in args {
        bulk(out, arg);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_an_array_of_bulk_strings() {
        let mut out = BytesMut::new();
        write_command(&mut out, &[b"SET", b"k", b""]);
        write_command(&mut out, &[b"PING"]);
        assert_eq!(out, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n*1\r\n$4\r\nPING\r\n");
    }
}

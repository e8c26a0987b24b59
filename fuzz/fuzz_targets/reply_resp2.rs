//! A converted reply is one reply, of types that RESP2 has. On an error nothing is written. The first
//! byte selects the layout.
#![no_main]

use bytes::BytesMut;
use larder_resp::Limits;
use larder_resp::reply::{Frame, Resp2Layout, Scanner, write_as_resp2};
use libfuzzer_sys::fuzz_target;

const LAYOUTS: [Resp2Layout; 3] =
    [Resp2Layout::Plain, Resp2Layout::NullArray, Resp2Layout::FlatPairs];
const BEFORE: &[u8] = b"+existing output\r\n";

fuzz_target!(|data: &[u8]| {
    let Some((&layout, reply)) = data.split_first() else { return };
    let mut out = BytesMut::from(BEFORE);
    let written = write_as_resp2(&mut out, LAYOUTS[usize::from(layout) % LAYOUTS.len()], reply);
    let resp2 = out.strip_prefix(BEFORE).expect("existing output is kept");
    if written.is_err() {
        assert!(resp2.is_empty());
        return;
    }
    if Frame::parse(reply).is_err() {
        // Only complete replies are cached; for other bytes it must only not panic.
        return;
    }
    let unlimited = Limits {
        bulk_bytes_max: usize::MAX,
        elements_max: usize::MAX,
        line_bytes_max: usize::MAX,
        depth_max: usize::MAX,
        ..Limits::default()
    };
    assert_eq!(Scanner::new(unlimited).scan(resp2), Ok(Some(resp2.len())));
    let frame = Frame::parse(resp2).expect("a reply");
    assert!(is_resp2(&frame), "{}", resp2.escape_ascii());
});

fn is_resp2(frame: &Frame<'_>) -> bool {
    match frame {
        Frame::Array(items) => items.clone().all(|item| is_resp2(&item)),
        Frame::Simple(_) | Frame::Error(_) | Frame::Integer(_) | Frame::Bulk(_) | Frame::Null => {
            true
        }
        _ => false,
    }
}

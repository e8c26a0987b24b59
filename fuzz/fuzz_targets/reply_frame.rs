//! A frame that parses can be visited to its last element, and scans to the same length.
#![no_main]

use larder_resp::Limits;
use larder_resp::reply::{Frame, Scanner};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(frame) = Frame::parse(data) else { return };
    visit(&frame);
    assert_eq!(frame, frame.clone());
    let unlimited =
        Limits { elements_max: usize::MAX, line_bytes_max: usize::MAX, ..Limits::default() };
    assert_eq!(Scanner::new(unlimited).scan(data), Ok(Some(data.len())));
});

/// Visits every element, and checks the number of elements of each aggregate.
fn visit(frame: &Frame<'_>) {
    let Some(items) = frame.items() else { return };
    let announced = items.len();
    assert_eq!(items.map(|item| visit(&item)).count(), announced);
}

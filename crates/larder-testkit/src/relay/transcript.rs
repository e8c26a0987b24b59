//! What a client has sent, by which filters tell connections apart.

use std::collections::HashMap;

/// Bytes recorded per connection. Handshakes come first; later bytes are not searched.
const BYTES_MAX: usize = 1 << 20;

#[derive(Default)]
pub(super) struct Transcript {
    bytes: Vec<u8>,
    /// Per text: how far it has been searched. The search ends when the text is found.
    searches: HashMap<&'static str, Search>,
}

#[derive(Default)]
struct Search {
    found: bool,
    searched_bytes: usize,
}

impl Transcript {
    pub(super) fn extend(&mut self, bytes: &[u8]) {
        let room = BYTES_MAX - self.bytes.len();
        self.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// Returns whether the text was sent. Searches each byte once per text, except for the overlap
    /// that finds a text split over two reads.
    pub(super) fn contains(&mut self, text: &'static str) -> bool {
        let search = self.searches.entry(text).or_default();
        if !search.found {
            let from = search.searched_bytes.saturating_sub(text.len());
            let mut windows = self.bytes[from..].windows(text.len());
            search.found = windows.any(|window| window == text.as_bytes());
            search.searched_bytes = self.bytes.len();
        }
        search.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_text_that_is_split_over_reads() {
        let mut sent = Transcript::default();
        sent.extend(b"CLIENT TRA");
        assert!(!sent.contains("TRACKING"));
        sent.extend(b"CKING ON");
        assert!(sent.contains("TRACKING"));
        assert!(!sent.contains("tracking"));
    }

    #[test]
    fn records_no_more_than_its_limit() {
        let mut sent = Transcript::default();
        sent.extend(&vec![b'x'; BYTES_MAX - 1]);
        sent.extend(b"xyz");
        assert_eq!(sent.bytes.len(), BYTES_MAX);
        assert!(!sent.contains("yz"));
    }
}

//! What an error reply means for the request that it answers.

use larder_core::StoreError;

/// Returns the error that a reply stands for.
pub(crate) fn store_error(reply: &[u8]) -> StoreError {
    let text = String::from_utf8_lossy(reply).into();
    if is_not_ready(reply) { StoreError::NotReady(text) } else { StoreError::Refused(text) }
}

/// Whether an error reply says that this node does not serve as a primary now.
pub fn is_not_ready(reply: &[u8]) -> bool {
    const CODES: [&[u8]; 4] = [b"LOADING", b"READONLY", b"MASTERDOWN", b"CLUSTERDOWN"];
    CODES.iter().any(|code| reply.starts_with(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_does_not_serve_is_told_from_a_refused_request() {
        let loading = store_error(b"LOADING Redis is loading the dataset in memory");
        assert!(matches!(&loading, StoreError::NotReady(text) if text.starts_with("LOADING")));
        assert!(loading.is_outage());
        let refused = store_error(b"WRONGTYPE Operation against a key");
        assert!(matches!(&refused, StoreError::Refused(text) if text.starts_with("WRONGTYPE")));
        assert!(!refused.is_outage());
    }
}

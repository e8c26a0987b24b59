//! What an error reply means for the request that it answers.

use larder_core::StoreError;

/// The reply that clients get in place of a redirect.
pub const OTHER_SERVER: &str = "-ERR this key is on another server: Larder uses only the one that \
    --store or REDIS_URL names\r\n";

/// Returns the error that a reply stands for.
pub(crate) fn store_error(reply: &[u8]) -> StoreError {
    if is_redirect(reply) {
        return StoreError::Refused(OTHER_SERVER.trim_start_matches('-').trim_end().into());
    }
    let text = String::from_utf8_lossy(reply).into();
    if is_not_ready(reply) { StoreError::NotReady(text) } else { StoreError::Refused(text) }
}

/// Whether an error reply says that this node does not serve as a primary now.
pub fn is_not_ready(reply: &[u8]) -> bool {
    const CODES: [&[u8]; 4] = [b"LOADING", b"READONLY", b"MASTERDOWN", b"CLUSTERDOWN"];
    CODES.iter().any(|code| reply.starts_with(code))
}

/// Returns whether an error reply sends the client to another server: a cluster node's, or that of
/// a Valkey during a failover. A client that followed it would bypass Larder.
pub fn is_redirect(reply: &[u8]) -> bool {
    const CODES: [&[u8]; 3] = [b"MOVED ", b"ASK ", b"REDIRECT "];
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

    #[test]
    fn an_error_that_names_another_server_is_replaced() {
        for reply in
            ["MOVED 3999 10.0.0.7:6381", "ASK 3999 10.0.0.7:6381", "REDIRECT 10.0.0.7:6379"]
        {
            let text = store_error(reply.as_bytes()).to_string();
            assert!(text.contains("REDIS_URL") && !text.contains("10.0.0.7"), "{text}");
        }
        assert!(!is_redirect(b"ASKING is no error"));
    }
}

//! The cryptography that rustls uses.

use rustls::crypto::CryptoProvider;
use std::sync::Arc;

/// Returns ring's. It is passed explicitly, so that a provider which another crate installs for the
/// process has no effect here.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

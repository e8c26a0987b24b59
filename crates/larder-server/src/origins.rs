//! Declared origins: the values that the store does not have.
//!
//! A new kind of origin is a file here that implements [`Source`], a variant of
//! [`OriginKind`] and an arm in [`open`] and in [`check`].

mod json;
mod source;

use crate::config::{OriginConfig, OriginKind};
use bytes::Bytes;
use json::JsonFile;
use larder_core::{BoxFuture, Load, Origin, OriginError};
use source::Source;

/// An origin with its declaration.
pub(crate) struct DeclaredOrigin {
    config: OriginConfig,
    source: Box<dyn Source>,
}

/// An origin that cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("origin {name}: {reason}")]
pub(crate) struct OpenError {
    name: String,
    reason: String,
}

/// Opens every declared origin.
pub(crate) async fn open(configs: &[OriginConfig]) -> Result<Vec<DeclaredOrigin>, OpenError> {
    let mut origins = Vec::with_capacity(configs.len());
    for config in configs {
        let source = match &config.kind {
            OriginKind::Json { file } => JsonFile::open(&config.name, file.clone()).await,
        };
        match source {
            Ok(source) => {
                origins.push(DeclaredOrigin { config: config.clone(), source: Box::new(source) });
            }
            Err(reason) => return Err(OpenError { name: config.name.clone(), reason }),
        }
    }
    Ok(origins)
}

/// Returns every origin that could not be opened now, without opening any.
pub(crate) fn check(configs: &[OriginConfig]) -> Vec<OpenError> {
    let check = |config: &OriginConfig| {
        let checked = match &config.kind {
            OriginKind::Json { file } => json::check(file),
        };
        checked.err().map(|reason| OpenError { name: config.name.clone(), reason })
    };
    configs.iter().filter_map(check).collect()
}

impl DeclaredOrigin {
    /// Returns the route that serves this origin, in OpenAPI's syntax.
    pub(crate) fn path(&self) -> &str {
        self.config.path.as_str()
    }

    /// Returns the id in a request's path, still percent-encoded, if the path is of this route.
    pub(crate) fn id_in<'a>(&self, path: &'a str) -> Option<&'a str> {
        self.config.path.id_in(path)
    }

    pub(crate) fn config(&self) -> &OriginConfig {
        &self.config
    }

    /// Returns the key of an id in the store.
    pub(crate) fn key(&self, id: &str) -> String {
        self.config.key.key(id)
    }

    /// Returns how to load an id through `origin`, which is this one or a wrapper of it.
    pub(crate) fn load_through<'a>(&self, origin: &'a dyn Origin, id: &'a str) -> Load<'a> {
        Load { origin, id, ttl: self.config.ttl, negative_ttl: self.config.negative_ttl }
    }

    /// Returns the number of rows, if the source knows it.
    pub(crate) fn rows(&self) -> Option<usize> {
        self.source.rows()
    }

    /// Returns a row that exists, with its id, if the source has one at hand.
    pub(crate) fn example(&self) -> Option<(String, Bytes)> {
        self.source.example()
    }

    /// Returns what does not work at the moment, for people.
    pub(crate) fn problem(&self) -> Option<String> {
        self.source.problem().map(|problem| format!("origin {}: {problem}", self.config.name))
    }

    /// Waits until rows change, and returns their keys in the store.
    pub(crate) async fn changed_keys(&self) -> Vec<String> {
        let changed = self.source.changes().await;
        changed.iter().map(|id| self.key(id)).collect()
    }
}

impl Origin for DeclaredOrigin {
    fn name(&self) -> &str {
        &self.config.name
    }

    fn load<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, OriginError>> {
        Box::pin(async move {
            self.source.find(id).await.map_err(|reason| OriginError {
                origin: self.config.name.as_str().into(),
                reason: reason.into(),
                cause: None,
            })
        })
    }
}

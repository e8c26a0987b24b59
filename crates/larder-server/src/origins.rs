//! Declared origins: what makes the values of some keys.

mod json;

use crate::config::{OriginConfig, OriginKind};
use bytes::Bytes;
use json::JsonFile;
use larder_core::{BoxFuture, Load, Origin, OriginError};
use std::fmt;

/// An origin together with what was declared of it.
pub(crate) struct DeclaredOrigin {
    config: OriginConfig,
    source: JsonFile,
}

/// Opens every declared origin, or says what is wrong with the first that does not open.
pub(crate) async fn open(plans: &[OriginConfig]) -> Result<Vec<DeclaredOrigin>, BadOrigin> {
    let mut origins = Vec::with_capacity(plans.len());
    for config in plans {
        let OriginKind::Json { file } = &config.kind;
        let source = JsonFile::open(file.clone())
            .await
            .map_err(|reason| BadOrigin { name: config.name.clone(), reason })?;
        origins.push(DeclaredOrigin { config: config.clone(), source });
    }
    Ok(origins)
}

impl DeclaredOrigin {
    /// The route that serves it, as OpenAPI writes it.
    pub(crate) fn path(&self) -> &str {
        self.config.path.as_str()
    }

    /// The id in the path of a request that is for this route, as it stands there.
    pub(crate) fn id_in<'a>(&self, path: &'a str) -> Option<&'a str> {
        self.config.path.id_in(path)
    }

    pub(crate) fn config(&self) -> &OriginConfig {
        &self.config
    }

    /// The key of an id.
    pub(crate) fn key(&self, id: &str) -> String {
        self.config.key.key(id)
    }

    /// How `through`, which stands for this origin, is asked for an id.
    pub(crate) fn load_of<'a>(&self, through: &'a dyn Origin, id: &'a str) -> Load<'a> {
        Load { origin: through, id, ttl: self.config.ttl, negative_ttl: self.config.negative_ttl }
    }

    /// Some ids and their number, for documentation and statistics.
    pub(crate) fn rows(&self) -> usize {
        self.source.rows()
    }

    /// A row that exists, for examples: its id and its JSON.
    pub(crate) fn example(&self) -> Option<(String, Bytes)> {
        let id = self.source.example_id()?;
        let row = self.source.row(&id)?;
        Some((id, row))
    }

    /// What is wrong with it, for people.
    pub(crate) fn problem(&self) -> Option<String> {
        self.source.problem().map(|why| format!("origin {}: {why}", self.config.name))
    }

    /// Reads it again when it changed. Gives the keys whose values are out of date by that.
    pub(crate) async fn reload_if_changed(&self) -> Vec<String> {
        let changed = self.source.reload_if_changed(&self.config.name).await;
        changed.iter().map(|id| self.key(id)).collect()
    }
}

impl Origin for DeclaredOrigin {
    fn name(&self) -> &str {
        &self.config.name
    }

    fn load<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, OriginError>> {
        Box::pin(async move { Ok(self.source.row(id)) })
    }
}

/// An origin that does not open.
#[derive(Debug)]
pub(crate) struct BadOrigin {
    name: String,
    reason: String,
}

impl fmt::Display for BadOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "origin {}: {}", self.name, self.reason)
    }
}

//! The paths of this listener: the one place that knows them.
//!
//! The fast path, the router and the OpenAPI description all start from a [`Route`]. To add a
//! route, add a variant here; the compiler then asks for its handler ([`super::router`]) and its
//! description ([`super::docs`]).

use crate::origins::DeclaredOrigin;
use std::sync::Arc;

const GET: &str = "/get/";
const SET: &str = "/set/";
const KEYS: &str = "/v1/keys/";
const SWITCH: &str = "/v1/passthrough/";
const DOCS: &str = "/docs/";

/// What the path of a request names. Keys, values and ids are still percent-encoded.
#[derive(Clone, Copy)]
pub(super) enum Route<'a> {
    Get { key: &'a str },
    Set { key_and_value: &'a str },
    Key { key: &'a str },
    Origin { origin: &'a Arc<DeclaredOrigin>, id: &'a str },
    Stats,
    Passthrough,
    SetPassthrough { switch: &'a str },
    Metrics,
    Livez,
    Readyz,
    OpenApi,
    Docs,
    DocsFile { name: &'a str },
}

impl<'a> Route<'a> {
    /// Returns the route of a path, or `None` if there is none. The routes that the fast path
    /// answers come first.
    #[inline]
    pub(super) fn parse(path: &'a str, origins: &'a [Arc<DeclaredOrigin>]) -> Option<Self> {
        if let Some(key) = path.strip_prefix(GET) {
            return Some(Self::Get { key });
        }
        if let Some(key) = path.strip_prefix(KEYS) {
            return Some(Self::Key { key });
        }
        let of_origin = |origin| Some(Self::Origin { origin, id: origin.id_in(path)? });
        origins.iter().find_map(of_origin).or_else(|| Self::parse_rest(path))
    }

    fn parse_rest(path: &'a str) -> Option<Self> {
        if let Some(key_and_value) = path.strip_prefix(SET) {
            return Some(Self::Set { key_and_value });
        }
        if let Some(switch) = path.strip_prefix(SWITCH) {
            let is_segment = !switch.is_empty() && !switch.contains('/');
            return is_segment.then_some(Self::SetPassthrough { switch });
        }
        if let Some(name) = path.strip_prefix(DOCS) {
            return Some(Self::DocsFile { name });
        }
        match path {
            "/v1/stats" => Some(Self::Stats),
            "/v1/passthrough" => Some(Self::Passthrough),
            "/metrics" => Some(Self::Metrics),
            "/livez" => Some(Self::Livez),
            "/readyz" => Some(Self::Readyz),
            "/openapi.json" => Some(Self::OpenApi),
            "/docs" => Some(Self::Docs),
            _ => None,
        }
    }

    /// Returns every route once, in the order of the documentation.
    pub(super) fn all(origins: &'a [Arc<DeclaredOrigin>]) -> impl Iterator<Item = Self> {
        origins.iter().map(|origin| Self::Origin { origin, id: "{id}" }).chain([
            Self::Get { key: "{key}" },
            Self::Set { key_and_value: "{key}/{value}" },
            Self::Key { key: "{key}" },
            Self::Stats,
            Self::Passthrough,
            Self::SetPassthrough { switch: "{switch}" },
            Self::Metrics,
            Self::Livez,
            Self::Readyz,
            Self::OpenApi,
            Self::Docs,
            Self::DocsFile { name: "{file}" },
        ])
    }

    /// Returns the path as OpenAPI writes it.
    pub(super) fn template(&self) -> &'a str {
        match self {
            Self::Get { .. } => "/get/{key}",
            Self::Set { .. } => "/set/{key}/{value}",
            Self::Key { .. } => "/v1/keys/{key}",
            Self::Origin { origin, .. } => origin.path(),
            Self::Stats => "/v1/stats",
            Self::Passthrough => "/v1/passthrough",
            Self::SetPassthrough { .. } => "/v1/passthrough/{switch}",
            Self::Metrics => "/metrics",
            Self::Livez => "/livez",
            Self::Readyz => "/readyz",
            Self::OpenApi => "/openapi.json",
            Self::Docs => "/docs",
            Self::DocsFile { .. } => "/docs/{file}",
        }
    }

    /// Returns the methods of the route as the value of an `Allow` header.
    pub(super) fn allow(&self) -> &'static str {
        match self {
            Self::Set { .. } => "PUT, POST",
            Self::Key { .. } => "GET,HEAD,PUT,DELETE",
            Self::Origin { .. } => "GET,HEAD,DELETE",
            Self::SetPassthrough { .. } => "PUT",
            Self::Livez | Self::Readyz => "GET,HEAD,OPTIONS",
            Self::Get { .. }
            | Self::Stats
            | Self::Passthrough
            | Self::Metrics
            | Self::OpenApi
            | Self::Docs
            | Self::DocsFile { .. } => "GET,HEAD",
        }
    }

    /// Returns whether the route reads or writes a value of the store or an origin.
    pub(super) fn is_value(&self) -> bool {
        match self {
            Self::Get { .. } | Self::Set { .. } | Self::Key { .. } | Self::Origin { .. } => true,
            Self::Stats
            | Self::Passthrough
            | Self::SetPassthrough { .. }
            | Self::Metrics
            | Self::Livez
            | Self::Readyz
            | Self::OpenApi
            | Self::Docs
            | Self::DocsFile { .. } => false,
        }
    }

    /// Returns whether load balancers read the route.
    pub(super) fn is_health(&self) -> bool {
        matches!(self, Self::Livez | Self::Readyz)
    }

    /// Returns whether the path ends where a key should begin.
    pub(super) fn lacks_key(&self) -> bool {
        matches!(
            self,
            Self::Get { key: "" } | Self::Key { key: "" } | Self::Set { key_and_value: "" }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::IdPath;
    use std::mem::discriminant;

    #[test]
    fn each_template_parses_to_its_own_route() {
        for route in Route::all(&[]) {
            let template = route.template();
            let parsed = Route::parse(template, &[]);
            let parsed = parsed.unwrap_or_else(|| panic!("{template} has no route"));
            assert_eq!(discriminant(&parsed), discriminant(&route), "{template}");
        }
    }

    #[test]
    fn an_origin_cannot_take_a_built_in_path() {
        for route in Route::all(&[]) {
            let first = route.template().split('/').nth(1).unwrap();
            assert!(IdPath::parse(&format!("/{first}/{{id}}")).is_err(), "{first}");
        }
    }

    #[test]
    fn other_paths_have_no_route() {
        for path in [
            "",
            "*",
            "/",
            "/get",
            "/set",
            "/v1",
            "/v1/",
            "/v1/keys",
            "/v1/stats/",
            "/v1/passthrough/",
            "/v1/passthrough/on/off",
            "/livez/",
            "//livez",
            "/GET/k",
        ] {
            assert!(Route::parse(path, &[]).is_none(), "{path}");
        }
    }
}

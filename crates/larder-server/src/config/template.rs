//! Templates with an `{id}`: the keys of an origin and its route.

use std::fmt;

const ID: &str = "{id}";

/// First segments of the server's own routes.
const BUILT_IN_SEGMENTS: [&str; 8] =
    ["get", "set", "v1", "metrics", "livez", "readyz", "openapi.json", "docs"];

/// A template of keys: `users:{id}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyTemplate {
    before: String,
    after: String,
}

impl KeyTemplate {
    /// Parses a text that contains `{id}` exactly once. The error says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.split_once(ID) {
            Some((before, after)) if !after.contains(ID) => {
                Ok(Self { before: before.to_owned(), after: after.to_owned() })
            }
            _ => Err(format!(
                "{text:?} must contain {{id}} exactly once: write for example users:{{id}}"
            )),
        }
    }

    /// Returns the key for an id.
    pub fn key(&self, id: &str) -> String {
        [&self.before, id, &self.after].concat()
    }
}

impl fmt::Display for KeyTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{ID}{}", self.before, self.after)
    }
}

/// A route whose last segment is an id: `/users/{id}`, which is also OpenAPI's syntax.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdPath(String);

impl IdPath {
    /// Parses a path that ends with the segment `{id}` and collides with no built-in route. The
    /// error says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Some(segments) = text.strip_prefix('/').and_then(|rest| rest.strip_suffix("/{id}"))
        else {
            return Err(format!(
                "{text:?} must start with / and end with the segment {{id}}: write for example \
                 /users/{{id}}"
            ));
        };
        if let Some(wrong) = segments.split('/').find(|segment| !is_segment(segment)) {
            return Err(format!(
                "{text:?} has the segment {wrong:?}: use letters, digits, - _ . ~ between slashes"
            ));
        }
        let first = segments.split('/').next().unwrap_or_default();
        if BUILT_IN_SEGMENTS.contains(&first) {
            return Err(format!("{text:?} collides with the built-in route /{first}"));
        }
        Ok(Self(text.to_owned()))
    }

    /// Returns the id in a request's path, still percent-encoded, if the path matches.
    pub fn id_in<'a>(&self, path: &'a str) -> Option<&'a str> {
        let id = path.strip_prefix(self.0.strip_suffix(ID)?)?;
        (!id.is_empty() && !id.contains('/')).then_some(id)
    }

    /// Returns the path with `{id}` in it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_segment(text: &str) -> bool {
    let is_dots = text.chars().all(|c| c == '.');
    !is_dots && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.~".contains(c))
}

//! Which keys may be cached, by the prefixes of their names.

/// Admits or excludes keys. By default all may be cached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyFilter {
    allow: Vec<Box<[u8]>>,
    deny: Vec<Box<[u8]>>,
}

impl KeyFilter {
    /// Creates a filter that admits names with a prefix in `allow`, or any name if that is empty,
    /// unless they have a prefix in `deny`.
    pub fn new<P: AsRef<[u8]>>(allow: &[P], deny: &[P]) -> Self {
        let owned = |prefixes: &[P]| prefixes.iter().map(|prefix| prefix.as_ref().into()).collect();
        Self { allow: owned(allow), deny: owned(deny) }
    }

    /// Whether this key may be cached.
    pub fn admit(&self, name: &[u8]) -> bool {
        let has = |prefixes: &[Box<[u8]>]| prefixes.iter().any(|prefix| name.starts_with(prefix));
        (self.allow.is_empty() || has(&self.allow)) && !has(&self.deny)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(allow: &[&str], deny: &[&str], name: &str) -> bool {
        KeyFilter::new(allow, deny).admit(name.as_bytes())
    }

    #[test]
    fn a_denied_prefix_wins_over_an_allowed_one() {
        assert!(admits(&[], &[], "a") && admits(&[], &[], ""));
        assert!(admits(&["user:"], &[], "user:1") && !admits(&["user:"], &[], "users"));
        assert!(admits(&["a", "b"], &[], "b1") && !admits(&["a", "b"], &[], "c"));
        assert!(!admits(&[], &["queue:"], "queue:1") && admits(&[], &["queue:"], "queue"));
        assert!(!admits(&["user:"], &["user:secret:"], "user:secret:1"));
        assert!(admits(&["user:"], &["user:secret:"], "user:1"));
        assert!(!admits(&[], &[""], "anything"), "every name has the empty prefix");
    }
}

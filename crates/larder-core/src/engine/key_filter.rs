//! Which keys may be kept, by the beginnings of their names.

/// Which keys may be kept at all. By default all may.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyFilter {
    allow: Vec<Box<[u8]>>,
    deny: Vec<Box<[u8]>>,
}

impl KeyFilter {
    /// Keys that begin like one of `allow`, or any where that is empty, and like none of `deny`.
    pub fn new<P: AsRef<[u8]>>(allow: &[P], deny: &[P]) -> Self {
        let owned = |key_filter: &[P]| key_filter.iter().map(|it| it.as_ref().into()).collect();
        Self { allow: owned(allow), deny: owned(deny) }
    }

    /// Whether this key may be kept.
    pub fn admit(&self, name: &[u8]) -> bool {
        let has =
            |key_filter: &[Box<[u8]>]| key_filter.iter().any(|prefix| name.starts_with(prefix));
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
    fn a_denied_beginning_stands_above_an_allowed_one() {
        assert!(admits(&[], &[], "a") && admits(&[], &[], ""));
        assert!(admits(&["user:"], &[], "user:1") && !admits(&["user:"], &[], "users"));
        assert!(admits(&["a", "b"], &[], "b1") && !admits(&["a", "b"], &[], "c"));
        assert!(!admits(&[], &["queue:"], "queue:1") && admits(&[], &["queue:"], "queue"));
        assert!(!admits(&["user:"], &["user:secret:"], "user:secret:1"));
        assert!(admits(&["user:"], &["user:secret:"], "user:1"));
        assert!(!admits(&[], &[""], "anything"), "every name begins with nothing");
    }
}

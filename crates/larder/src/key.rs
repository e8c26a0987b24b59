//! Keys of a cache, and the names that they have in it.

use smallvec::SmallVec;
use std::{borrow::Cow, fmt, rc::Rc, sync::Arc};

/// A key of a [`Cache`](crate::Cache): anything that writes a name for itself.
///
/// Two keys with one name are one key, so each key of a type must write a name of its own. Numbers,
/// `bool`, `char`, strings and tuples of keys are keys. A type of your own becomes one in a line:
///
/// ```
/// use larder::{CacheKey, Name};
///
/// struct UserId(u64);
///
/// impl CacheKey for UserId {
///     fn write_name(&self, name: &mut Name) {
///         self.0.write_name(name);
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no key of a cache",
    label = "has no name in the cache",
    note = "implement `larder::CacheKey` for it; or, for a cached function, name the part of it that \
            matters: `key = \"{{id}}\"`"
)]
pub trait CacheKey {
    /// Appends the name of this key.
    fn write_name(&self, name: &mut Name);
}

/// The name of a key, while it is written. A short one needs no allocation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Name(SmallVec<[u8; SHORT_NAME_BYTES]>);

const SHORT_NAME_BYTES: usize = 64;
/// Separates the parts of a tuple.
const SEPARATOR: u8 = b':';
/// Starts an escaped byte, as in URLs.
const ESCAPE: u8 = b'%';

impl Name {
    /// Returns the name of `key`.
    pub(crate) fn of<Q: CacheKey + ?Sized>(key: &Q) -> Self {
        let mut name = Self::default();
        key.write_name(&mut name);
        name
    }

    /// Appends bytes as they are.
    pub fn push(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Appends the name of another key as one of several parts. A `:` or `%` in it is escaped, as
    /// `%3A` and `%25`, so that the parts `a:b` and `c` never look like `a` and `b:c`.
    pub fn push_part<Q: CacheKey + ?Sized>(&mut self, part: &Q) {
        let start = self.0.len();
        part.write_name(self);
        let is_special = |byte: &u8| matches!(*byte, SEPARATOR | ESCAPE);
        if self.0.iter().skip(start).any(is_special) {
            let plain: Vec<u8> = self.0.drain(start..).collect();
            for byte in plain {
                match byte {
                    SEPARATOR => self.push(b"%3A"),
                    ESCAPE => self.push(b"%25"),
                    other => self.push(&[other]),
                }
            }
        }
    }

    /// Appends the `:` that separates two parts.
    pub fn push_separator(&mut self) {
        self.0.push(SEPARATOR);
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Appends text, so that `write!(name, "{id}")` works.
impl fmt::Write for Name {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text.as_bytes());
        Ok(())
    }
}

/// A name is the key that has it.
impl CacheKey for Name {
    fn write_name(&self, name: &mut Name) {
        name.push(&self.0);
    }
}

impl CacheKey for str {
    fn write_name(&self, name: &mut Name) {
        name.push(self.as_bytes());
    }
}

impl CacheKey for String {
    fn write_name(&self, name: &mut Name) {
        self.as_str().write_name(name);
    }
}

macro_rules! by_display {
    ($($key:ty),*) => {$(
        impl CacheKey for $key {
            fn write_name(&self, name: &mut Name) {
                // Writing to a name never fails.
                fmt::Write::write_fmt(name, format_args!("{self}")).ok();
            }
        }
    )*};
}

by_display!(u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize, bool, char);
by_display!(std::net::IpAddr, std::net::SocketAddr, std::num::NonZeroU32, std::num::NonZeroU64);

macro_rules! by_reference {
    ($($key:ty),*) => {$(
        impl<Q: CacheKey + ?Sized> CacheKey for $key {
            fn write_name(&self, name: &mut Name) {
                (**self).write_name(name);
            }
        }
    )*};
}

by_reference!(&Q, Box<Q>, Arc<Q>, Rc<Q>);

impl<Q: CacheKey + ToOwned + ?Sized> CacheKey for Cow<'_, Q> {
    fn write_name(&self, name: &mut Name) {
        (**self).write_name(name);
    }
}

/// The key of a cache that holds one value.
impl CacheKey for () {
    fn write_name(&self, _: &mut Name) {}
}

macro_rules! by_parts {
    ($first:ident $(, $part:ident)*) => {
        impl<$first: CacheKey $(, $part: CacheKey)*> CacheKey for ($first, $($part,)*) {
            #[allow(non_snake_case, reason = "the types name the parts")]
            fn write_name(&self, name: &mut Name) {
                let ($first, $($part,)*) = self;
                name.push_part($first);
                $(name.push_separator(); name.push_part($part);)*
            }
        }
    };
}

by_parts!(A);
by_parts!(A, B);
by_parts!(A, B, C);
by_parts!(A, B, C, D);
by_parts!(A, B, C, D, E);
by_parts!(A, B, C, D, E, F);

#[cfg(test)]
mod tests {
    use super::*;

    fn name<Q: CacheKey + ?Sized>(key: &Q) -> String {
        String::from_utf8(Name::of(key).as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn names_are_readable() {
        assert_eq!(name("maxim"), "maxim");
        assert_eq!(name(&String::from("a:b")), "a:b");
        assert_eq!(name(&-7_i64), "-7");
        assert_eq!(name(&("user", 7_u32, true)), "user:7:true");
        assert_eq!(name(&Arc::new("x")), "x");
        assert_eq!(name(&()), "");
    }

    #[test]
    fn different_tuples_have_different_names() {
        assert_ne!(name(&("a:b", "c")), name(&("a", "b:c")));
        assert_ne!(name(&("a%3Ab", "c")), name(&("a:b", "c")));
        assert_ne!(name(&(("a", "b"), "c")), name(&("a", ("b", "c"))));
        assert_eq!(name(&("a:b", "100%")), "a%3Ab:100%25");
    }
}

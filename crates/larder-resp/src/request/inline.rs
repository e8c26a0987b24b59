//! Splits an inline command into words, as Redis does.

use super::command::Span;
use crate::error::ProtocolError;

/// Splits `line`, given without its line end. Appends the unquoted words to `text`, and the position
/// of each to `spans`.
///
/// Between double quotes, `\n`, `\r`, `\t`, `\b`, `\a` and `\x41` stand for one byte, and any other
/// byte after a backslash for itself. Between single quotes only `\'` is special. A quote may open
/// inside a word, but a closing quote must be followed by a blank or the end of the line.
pub(super) fn split(
    line: &[u8],
    text: &mut Vec<u8>,
    spans: &mut Vec<Span>,
) -> Result<(), ProtocolError> {
    let mut rest = line;
    loop {
        rest = match rest {
            [] => return Ok(()),
            [byte, after @ ..] if is_blank(*byte) => after,
            _ => {
                let start = text.len();
                let after = word(rest, text)?;
                spans.push(Span { start, end: text.len() });
                after
            }
        }
    }
}

fn word<'l>(mut rest: &'l [u8], text: &mut Vec<u8>) -> Result<&'l [u8], ProtocolError> {
    loop {
        rest = match rest {
            // Not every blank: in Redis a vertical tab or a form feed does not end a word.
            [] | [b' ' | b'\n' | b'\r' | b'\t', ..] => return Ok(rest),
            [b'"', after @ ..] => return double_quoted(after, text),
            [b'\'', after @ ..] => return single_quoted(after, text),
            [byte, after @ ..] => push(text, *byte, after),
        }
    }
}

fn double_quoted<'l>(mut rest: &'l [u8], text: &mut Vec<u8>) -> Result<&'l [u8], ProtocolError> {
    loop {
        rest = match rest {
            [] => return Err(ProtocolError::UnbalancedQuotes),
            [b'"', after @ ..] => return closed(after),
            [b'\\', b'x', high, low, after @ ..] if is_hex(*high) && is_hex(*low) => {
                push(text, hex(*high) << 4 | hex(*low), after)
            }
            [b'\\', byte, after @ ..] => push(text, unescape(*byte), after),
            [byte, after @ ..] => push(text, *byte, after),
        }
    }
}

fn single_quoted<'l>(mut rest: &'l [u8], text: &mut Vec<u8>) -> Result<&'l [u8], ProtocolError> {
    loop {
        rest = match rest {
            [] => return Err(ProtocolError::UnbalancedQuotes),
            [b'\'', after @ ..] => return closed(after),
            [b'\\', b'\'', after @ ..] => push(text, b'\'', after),
            [byte, after @ ..] => push(text, *byte, after),
        }
    }
}

fn closed(rest: &[u8]) -> Result<&[u8], ProtocolError> {
    match rest {
        [byte, ..] if !is_blank(*byte) => Err(ProtocolError::UnbalancedQuotes),
        _ => Ok(rest),
    }
}

fn push<'l>(text: &mut Vec<u8>, byte: u8, after: &'l [u8]) -> &'l [u8] {
    text.push(byte);
    after
}

fn unescape(byte: u8) -> u8 {
    match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 0x08,
        b'a' => 0x07,
        other => other,
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

fn is_hex(byte: u8) -> bool {
    byte.is_ascii_hexdigit()
}

/// Returns the value of a hexadecimal digit.
fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &[u8]) -> Result<Vec<Vec<u8>>, ProtocolError> {
        let (mut text, mut spans) = (Vec::new(), Vec::new());
        split(line, &mut text, &mut spans)?;
        Ok(spans.iter().map(|span| text[span.start..span.end].to_vec()).collect())
    }

    /// The words are those of redis-server 7.0, as its `ECHO` shows them.
    #[test]
    fn lines_are_split_as_redis_splits_them() {
        let expect: &[(&[u8], &[&[u8]])] = &[
            (b"", &[]),
            (b" \t\x0b\x0c\r\n", &[]),
            (b" a  b ", &[b"a", b"b"]),
            (br#""a\x41\n\q""#, &[b"aA\nq"]),
            (br#""\a\b\t\r\n""#, &[b"\x07\x08\t\r\n"]),
            (br#""\xfF\x4" "\xzz""#, &[b"\xffx4", b"xzz"]),
            (br"'it\'s \n'", &[br"it's \n"]),
            (br#"foo"bar baz""#, &[b"foobar baz"]),
            (br#""" ''"#, &[b"", b""]),
            (br#""it's" '"'"#, &[b"it's", b"\""]),
            (b"a\x0bb", &[b"a\x0bb"]),
            (b"\x0bECHO\x0c a", &[b"ECHO\x0c", b"a"]),
            (b"\"a\"\x0b\"b\"", &[b"a", b"b"]),
            (b"a\rb", &[b"a", b"b"]),
            (b"\"a\rb\"", &[b"a\rb"]),
            (br"a\nb", &[br"a\nb"]),
        ];
        for (line, expected) in expect {
            assert_eq!(words(line).unwrap(), *expected, "{}", line.escape_ascii());
        }
    }

    #[test]
    fn quotes_must_close_at_the_end_of_a_word() {
        for line in [
            r#"""#,
            "'",
            r#"a "b"#,
            r#""foo"bar"#,
            "'a''b'",
            r#"a"b"c"#,
            r#""a\""#,
            r"'a\'",
            r#""\"#,
            r#"'""#,
        ] {
            assert_eq!(words(line.as_bytes()), Err(ProtocolError::UnbalancedQuotes), "{line}");
        }
    }
}

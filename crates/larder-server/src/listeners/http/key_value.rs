//! A key and its value as a JSON object.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::Serialize;
use std::borrow::Cow;
use utoipa::ToSchema;

/// Bytes that a JSON object needs beside a key and a value of plain text.
const JSON_FRAME_BYTES: usize = 64;

/// A key and its value. Bytes that are not UTF-8 are encoded in base64.
#[derive(Serialize, ToSchema)]
pub(super) struct KeyValue<'a> {
    /// The key.
    key: Cow<'a, str>,
    /// `base64` if the key is encoded.
    #[serde(rename = "key-encoding", skip_serializing_if = "Option::is_none")]
    key_encoding: Option<&'static str>,
    /// The value as a string. It is never parsed.
    value: Cow<'a, str>,
    /// `base64` if the value is encoded.
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding: Option<&'static str>,
}

impl<'a> KeyValue<'a> {
    pub(super) fn new(key: &'a [u8], value: &'a [u8]) -> Self {
        let ((key, key_encoding), (value, encoding)) = (text(key), text(value));
        Self { key, key_encoding, value, encoding }
    }
}

/// Returns the JSON object of a key and its value.
pub(super) fn to_json(key: &[u8], value: &[u8]) -> Vec<u8> {
    let mut json = Vec::with_capacity(key.len() + value.len() + JSON_FRAME_BYTES);
    if let (Some(key), Some(value)) = (plain(key), plain(value)) {
        for part in [b"{\"key\":\"", key, b"\",\"value\":\"", value, b"\"}"] {
            json.extend_from_slice(part);
        }
        return json;
    }
    // Neither a struct of strings nor a write to a vector can fail.
    serde_json::to_writer(&mut json, &KeyValue::new(key, value)).unwrap_or_default();
    json
}

/// Returns a text that JSON writes as it is: printable ASCII without quotes or backslashes.
fn plain(text: &[u8]) -> Option<&[u8]> {
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'~') & !matches!(byte, b'"' | b'\\');
    // No branch per byte, so that the compiler checks many bytes at once.
    text.iter().fold(true, |all, byte| all & is_plain(byte)).then_some(text)
}

fn text(bytes: &[u8]) -> (Cow<'_, str>, Option<&'static str>) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (text.into(), None),
        Err(_) => (BASE64_STANDARD.encode(bytes).into(), Some("base64")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_becomes_the_json_that_serde_writes() {
        let all: Vec<u8> = (0..=127).collect();
        let texts = all.iter().map(std::slice::from_ref).chain([&all[..], b"", b"a key, a value"]);
        for text in texts {
            let written = to_json(text, text);
            let expected = serde_json::to_vec(&KeyValue::new(text, text)).unwrap();
            assert_eq!(written, expected, "{:?}", text.escape_ascii().to_string());
        }
    }
}

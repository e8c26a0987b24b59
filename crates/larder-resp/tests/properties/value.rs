//! Random replies as trees: written and parsed with larder-resp, and converted to the types of the
//! `redis-protocol` crate for comparison.

use bytes::{BufMut, BytesMut};
use larder_resp::reply::{self, Frame};
use proptest::prelude::*;
use redis_protocol::{resp2, resp3};

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Simple(String),
    Error(String),
    Integer(i64),
    Bulk(Vec<u8>),
    Null,
    Double(f64),
    Boolean(bool),
    BlobError(Vec<u8>),
    Verbatim(Vec<u8>),
    BigNumber(String),
    Array(Vec<Value>),
    /// With distinct keys.
    Map(Vec<(String, Value)>),
    /// With distinct elements.
    Set(Vec<Value>),
    Push(Vec<Value>),
}

/// Any value of RESP2.
pub(crate) fn any_resp2() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![any_line(), any_binary(), Just(Value::Null)];
    leaf.prop_recursive(4, 32, 6, |inner| {
        proptest::collection::vec(inner, 0..6).prop_map(Value::Array)
    })
}

/// Any value of RESP3.
pub(crate) fn any_resp3() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any_line(),
        any_binary(),
        Just(Value::Null),
        any::<bool>().prop_map(Value::Boolean),
        prop_oneof![any::<f64>(), Just(f64::INFINITY), Just(f64::NEG_INFINITY)]
            .prop_filter("equal to itself", |number| !number.is_nan())
            .prop_map(Value::Double),
        any_bytes().prop_map(Value::BlobError),
        any_bytes().prop_map(Value::Verbatim),
        "-?[1-9][0-9]{0,40}".prop_map(Value::BigNumber),
    ];
    let tree = leaf.prop_recursive(4, 32, 6, |inner| {
        let items = proptest::collection::vec(inner, 0..6);
        let set = proptest::collection::btree_set(any::<i64>(), 0..6);
        prop_oneof![
            items.clone().prop_map(Value::Array),
            items.prop_map(|values| Value::Map(keyed(values))),
            set.prop_map(|numbers| Value::Set(numbers.into_iter().map(Value::Integer).collect())),
        ]
    });
    (tree, any::<bool>()).prop_map(|(tree, pushed)| match tree {
        Value::Array(items) if pushed && !items.is_empty() => Value::Push(items),
        other => other,
    })
}

fn any_line() -> impl Strategy<Value = Value> {
    prop_oneof![
        "[ -~]{0,12}".prop_map(Value::Simple),
        "[A-Z]{1,8} [ -~]{0,12}".prop_map(Value::Error),
        any::<i64>().prop_map(Value::Integer),
    ]
}

fn any_binary() -> impl Strategy<Value = Value> {
    any_bytes().prop_map(Value::Bulk)
}

/// Random bytes, in which the protocol's own bytes are frequent.
pub(crate) fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![any::<u8>(), proptest::sample::select(b"\r\n$*1".as_slice())];
    proptest::collection::vec(byte, 0..24)
}

fn keyed(values: Vec<Value>) -> Vec<(String, Value)> {
    values.into_iter().enumerate().map(|(at, value)| (format!("k{at}"), value)).collect()
}

impl Value {
    /// Writes the value, with `attribute` in front of it and of every nested value.
    pub(crate) fn write(&self, out: &mut BytesMut, attribute: &[u8]) {
        out.put_slice(attribute);
        match self {
            Self::Simple(text) => reply::simple(out, text.as_bytes()),
            Self::Error(text) => reply::error(out, text.as_bytes()),
            Self::Integer(value) => reply::integer(out, *value),
            Self::Bulk(bytes) => reply::bulk(out, bytes),
            Self::Null => reply::null(out),
            Self::Double(value) => out.put_slice(format!(",{value}\r\n").as_bytes()),
            Self::Boolean(value) => out.put_slice(if *value { b"#t\r\n" } else { b"#f\r\n" }),
            Self::BlobError(text) => write_blob(out, "!", text),
            Self::Verbatim(text) => write_blob(out, "=", &[b"txt:", text.as_slice()].concat()),
            Self::BigNumber(text) => out.put_slice(format!("({text}\r\n").as_bytes()),
            Self::Map(pairs) => {
                reply::map(out, pairs.len());
                for (key, value) in pairs {
                    reply::bulk(out, key.as_bytes());
                    value.write(out, attribute);
                }
            }
            Self::Array(items) => write_items(out, items, attribute, reply::array),
            Self::Set(items) => write_items(out, items, attribute, reply::set),
            Self::Push(items) => write_items(out, items, attribute, reply::push),
        }
    }

    /// Writes the value in RESP2.
    pub(crate) fn write_resp2(&self, out: &mut BytesMut) {
        match self {
            Self::Null => reply::null_bulk(out),
            Self::Array(items) => {
                reply::array(out, items.len());
                for item in items {
                    item.write_resp2(out);
                }
            }
            other => other.write(out, b""),
        }
    }

    pub(crate) fn read(frame: Frame<'_>) -> Self {
        match frame {
            Frame::Simple(text) => Self::Simple(string(text)),
            Frame::Error(text) => Self::Error(string(text)),
            Frame::Integer(value) => Self::Integer(value),
            Frame::Bulk(bytes) => Self::Bulk(bytes.to_vec()),
            Frame::Null => Self::Null,
            Frame::Double(_) => Self::Double(frame.as_double().unwrap()),
            Frame::Boolean(value) => Self::Boolean(value),
            Frame::BlobError(text) => Self::BlobError(text.to_vec()),
            Frame::Verbatim { format, text } => {
                assert_eq!(&format, b"txt");
                Self::Verbatim(text.to_vec())
            }
            Frame::BigNumber(text) => Self::BigNumber(string(text)),
            Frame::Array(items) => Self::Array(items.map(Self::read).collect()),
            Frame::Set(items) => Self::Set(items.map(Self::read).collect()),
            Frame::Push(items) => Self::Push(items.map(Self::read).collect()),
            Frame::Map(items) => Self::Map(
                items
                    .pairs()
                    .map(|(key, value)| (string(key.as_str_bytes().unwrap()), Self::read(value)))
                    .collect(),
            ),
        }
    }

    pub(crate) fn to_resp2(&self) -> resp2::types::OwnedFrame {
        use resp2::types::OwnedFrame;
        match self {
            Self::Simple(text) => OwnedFrame::SimpleString(text.clone().into_bytes()),
            Self::Error(text) => OwnedFrame::Error(text.clone()),
            Self::Integer(value) => OwnedFrame::Integer(*value),
            Self::Bulk(bytes) => OwnedFrame::BulkString(bytes.clone()),
            Self::Null => OwnedFrame::Null,
            Self::Array(items) => OwnedFrame::Array(items.iter().map(Self::to_resp2).collect()),
            other => panic!("not in RESP2: {other:?}"),
        }
    }

    pub(crate) fn to_resp3(&self) -> resp3::types::OwnedFrame {
        use resp3::types::{OwnedFrame, VerbatimStringFormat};
        let all = |items: &[Self]| items.iter().map(Self::to_resp3).collect::<Vec<_>>();
        let attributes = None;
        match self {
            Self::Simple(text) => {
                OwnedFrame::SimpleString { data: text.clone().into_bytes(), attributes }
            }
            Self::Error(text) => OwnedFrame::SimpleError { data: text.clone(), attributes },
            Self::Integer(value) => OwnedFrame::Number { data: *value, attributes },
            Self::Bulk(bytes) => OwnedFrame::BlobString { data: bytes.clone(), attributes },
            Self::Null => OwnedFrame::Null,
            Self::Double(value) => OwnedFrame::Double { data: *value, attributes },
            Self::Boolean(value) => OwnedFrame::Boolean { data: *value, attributes },
            Self::BlobError(text) => OwnedFrame::BlobError { data: text.clone(), attributes },
            Self::Verbatim(text) => OwnedFrame::VerbatimString {
                data: text.clone(),
                format: VerbatimStringFormat::Text,
                attributes,
            },
            Self::BigNumber(text) => {
                OwnedFrame::BigNumber { data: text.clone().into_bytes(), attributes }
            }
            Self::Array(items) => OwnedFrame::Array { data: all(items), attributes },
            Self::Push(items) => OwnedFrame::Push { data: all(items), attributes },
            Self::Set(items) => {
                OwnedFrame::Set { data: all(items).into_iter().collect(), attributes }
            }
            Self::Map(pairs) => {
                let pairs = pairs.iter();
                let data = pairs.map(|(key, value)| (key_frame(key), value.to_resp3())).collect();
                OwnedFrame::Map { data, attributes }
            }
        }
    }
}

fn key_frame(key: &str) -> resp3::types::OwnedFrame {
    Value::Bulk(key.as_bytes().to_vec()).to_resp3()
}

fn write_blob(out: &mut BytesMut, kind: &str, payload: &[u8]) {
    out.put_slice(format!("{kind}{}\r\n", payload.len()).as_bytes());
    out.put_slice(payload);
    out.put_slice(b"\r\n");
}

fn write_items(
    out: &mut BytesMut,
    items: &[Value],
    attribute: &[u8],
    start: impl Fn(&mut BytesMut, usize),
) {
    start(out, items.len());
    for item in items {
        item.write(out, attribute);
    }
}

fn string(text: &[u8]) -> String {
    String::from_utf8(text.to_vec()).unwrap()
}

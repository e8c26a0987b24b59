//! Values as JSON, which people can read in the store.

use crate::store::Codec;
use serde::{Serialize, de::DeserializeOwned};

pub(crate) fn codec<V: Serialize + DeserializeOwned>() -> Codec<V> {
    Codec {
        encode: |value| serde_json::to_vec(value).map_err(|error| error.to_string()),
        decode: |payload| serde_json::from_slice(payload).ok(),
    }
}

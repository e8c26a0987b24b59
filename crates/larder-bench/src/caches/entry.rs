//! The keys and values that every cache is measured with.

use crate::keys::{FILLER, VALUE_BYTES};

/// The length of every key.
pub const KEY_BYTES: usize = 25;
/// The upper bound of key numbers: they have eight digits.
pub const NUMBERS: u32 = 100_000_000;

const PREFIX: &[u8; KEY_BYTES - 8] = b"library:object:id";

/// A key.
pub type Key = [u8; KEY_BYTES];
/// A value that was copied out of a cache.
pub type Value = [u8; VALUE_BYTES];

/// Returns the key with this number.
#[inline]
pub fn key_of(number: u32) -> Key {
    let mut key = [0; KEY_BYTES];
    let (front, back) = key.split_at_mut(PREFIX.len());
    front.copy_from_slice(PREFIX);
    back.copy_from_slice(&digits_of(number));
    key
}

/// Formats eight digits at once: formatting one at a time would take longer than a hit. Splits off
/// halves, then quarters, then single digits, in the lanes of one word.
#[inline]
fn digits_of(number: u32) -> [u8; 8] {
    let halves = u64::from(number / 10_000 % 10_000) | u64::from(number % 10_000) << 32;
    let hundreds = ((halves * 10_486) >> 20) & 0x0000_007f_0000_007f;
    let quarters = hundreds | (halves - hundreds * 100) << 16;
    let tens = ((quarters * 103) >> 10) & 0x000f_000f_000f_000f;
    let digits = tens | (quarters - tens * 10) << 8;
    (digits | 0x3030_3030_3030_3030).to_le_bytes()
}

/// Returns the value of a key, which begins with the key.
#[inline]
pub fn value_of(key: &[u8]) -> Value {
    let mut value = [FILLER; VALUE_BYTES];
    value.iter_mut().zip(key).for_each(|(byte, of_key)| *byte = *of_key);
    value
}

/// Copies a value out. Returns false if the bytes are too short to be a value.
#[inline]
pub fn copy_value(from: &[u8], value: &mut Value) -> bool {
    from.first_chunk().map(|bytes| *value = *bytes).is_some()
}

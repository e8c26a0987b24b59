//! Floating-point numbers, as `INCRBYFLOAT` reads, adds and writes them. Redis computes in the C
//! compiler's `long double`, which on x86-64 has a mantissa of 64 bits; `f64` would give other sums.

use rustc_apfloat::{Float as _, Round, Status, ieee::X87DoubleExtended};
use std::fmt::{self, Display, Formatter};

/// Redis rejects texts of this length.
const TEXT_BYTES_MAX: usize = 5120;
/// Decimals that are written, and the factor that makes them an integer.
const DECIMALS: usize = 17;
const UNIT: u128 = 10_u128.pow(17);
/// More digits than any number has.
const DIGITS_MAX: usize = 5000;
/// The stored form of exponent 0, for a mantissa that is read as an integer of 64 bits.
const EXPONENT_BIAS: i32 = 16_383 + 63;

/// A number, or an infinity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Float(X87DoubleExtended);

impl Float {
    /// Parses a text as `strtold` does. Returns `None` if it is not a number, or one that is too
    /// large or too small.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok().filter(|text| text.len() < TEXT_BYTES_MAX)?;
        let (negative, text) = match text.strip_prefix('-') {
            Some(text) => (true, text),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let magnitude = match text.to_ascii_lowercase().as_str() {
            "inf" | "infinity" => X87DoubleExtended::INFINITY,
            text => magnitude(text)?,
        };
        Some(Self(if negative { -magnitude } else { magnitude }))
    }

    /// Returns the sum, or `None` unless it is finite.
    pub(super) fn add(self, other: Self) -> Option<Self> {
        let sum = (self.0 + other.0).value;
        sum.is_finite().then_some(Self(sum))
    }
}

/// Parses a lower-case number without its sign. Rejects texts that the library accepts and C does
/// not, and adds the exponent that the library requires in hexadecimal.
fn magnitude(text: &str) -> Option<X87DoubleExtended> {
    let is_part = |end: Option<char>| end.is_some_and(|it| it.is_ascii_digit() || it == '.');
    let is_hex = text.starts_with("0x");
    if !is_part(text.chars().next()) || !is_hex && !is_part(text.chars().last()) {
        return None;
    }
    let exponent = if is_hex && !text.contains('p') { "p0" } else { "" };
    let read =
        X87DoubleExtended::from_str_r(&format!("{text}{exponent}"), Round::NearestTiesToEven);
    let read = read.ok()?;
    let is_lost =
        read.value.is_infinite() || read.value.is_zero() && read.status.contains(Status::UNDERFLOW);
    (!is_lost).then_some(read.value)
}

/// Writes as `printf("%.17Lf")` does, without trailing zeros.
impl Display for Float {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let magnitude = self.0.abs();
        let bits = magnitude.to_bits();
        let mantissa = bits & u128::from(u64::MAX);
        let exponent = i32::try_from(bits >> u64::BITS).unwrap_or(i32::MAX) - EXPONENT_BIAS;
        let text = match exponent {
            ..0 => fraction(mantissa, exponent.unsigned_abs()),
            // It has no fraction, so all digits are written.
            0.. => format!("{magnitude:DIGITS_MAX$.DIGITS_MAX$}"),
        };
        let sign = if self.0.is_negative() && text != "0" { "-" } else { "" };
        write!(f, "{sign}{text}")
    }
}

/// Returns `mantissa / 2^shift`, rounded to the nearest, ties to even.
fn fraction(mantissa: u128, shift: u32) -> String {
    let exact = mantissa * UNIT;
    let whole = exact.checked_shr(shift).unwrap_or(0);
    let twice = exact.checked_shr(shift - 1).unwrap_or(0);
    let rest_is_zero = twice.checked_shl(shift - 1).unwrap_or(0) == exact;
    let up = twice & 1 == 1 && (!rest_is_zero || whole & 1 == 1);
    let rounded = whole + u128::from(up);
    let text = format!("{}.{:0DECIMALS$}", rounded / UNIT, rounded % UNIT);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Float> {
        Float::parse(text.as_bytes())
    }

    fn sum(left: &str, right: &str) -> String {
        read(left).unwrap().add(read(right).unwrap()).unwrap().to_string()
    }

    /// The replies of redis-server 7.0.15 on x86-64.
    #[test]
    fn sums_equal_those_of_redis() {
        for (left, right, expected) in [
            ("0.1", "0.2", "0.3"),
            ("3.0e3", "200", "3200"),
            ("10.50", "0.1", "10.6"),
            ("1", "-1", "0"),
            ("-1e-20", "0", "0"),
            ("-0", "0", "0"),
            ("1000000000000000", "0.1", "1000000000000000.0999755859375"),
            ("18446744073709551615", "0.5", "18446744073709551616"),
            ("3.141592653589793238462643383279", "0", "3.14159265358979324"),
            ("0.999999999999999999", "0", "1"),
            ("0x1p-18", "0", "0.00000381469726562"),
            ("0x3p-18", "0", "0.00001144409179688"),
            ("0x10", "0x1.8p1", "19"),
            ("-0X.1e", "0", "-0.1171875"),
            ("1e20", "1", "100000000000000000000"),
            ("1e-4950", "0", "0"),
            ("+.5", "5.", "5.5"),
        ] {
            assert_eq!(sum(left, right), expected, "{left} + {right}");
        }
        let huge = sum("1.1e4932", "0");
        assert!(huge.len() == 4933 && huge.starts_with("1099999999999999999974"), "{huge}");
    }

    #[test]
    fn texts_that_are_not_numbers_are_rejected() {
        for text in [
            "",
            " 1",
            "1 ",
            "abc",
            "1e",
            "1e+",
            "e5",
            ".",
            "-",
            "+-1",
            "--1",
            "1.2.3",
            "nan",
            "snan",
            "0x",
            "0x.",
            "0xp1",
            "0x1p",
            "1e5000",
            "1e-5000",
            "1e99999999999",
            "1e-99999999999",
            "0x1p99999",
            "0x1p-99999",
            "1p5",
            "0xg",
            "١",
        ] {
            assert_eq!(read(text), None, "{text:?}");
        }
        assert_eq!(Float::parse(&b"1".repeat(TEXT_BYTES_MAX)), None);
    }

    #[test]
    fn a_sum_is_finite() {
        for (left, right) in
            [("1.1e4932", "1.1e4932"), ("inf", "1"), ("-Inf", "1"), ("+INFINITY", "-infinity")]
        {
            assert_eq!(read(left).unwrap().add(read(right).unwrap()), None, "{left} + {right}");
        }
    }
}

//! Numbers with a fraction, as `INCRBYFLOAT` reads, adds and writes them.
//!
//! Redis does it in the C compiler's `long double`, which on x86-64 has a mantissa of 64 bits, and
//! prints 17 decimals of it. No type here has that precision, so it is computed: each step rounded
//! once, to the nearest, ties to even.

mod big;

use big::Big;
use std::cmp::Ordering;

/// A text this long is no number to Redis.
const TEXT_BYTES_MAX: usize = 5120;
/// The largest power of two in a number.
const EXPONENT_MAX: i64 = 16_383;
/// A number below this power of two is none to Redis: it is read as 0, and that is an error.
const EXPONENT_MIN: i64 = -16_446;
/// Powers of ten beyond which a number is too large or too small in any case.
const DECIMAL_EXPONENT_MAX: i64 = 5_000;
const MANTISSA_BITS: i64 = 64;
const DECIMALS: u32 = 17;

/// A finite number: `mantissa * 2^exponent`. The mantissa has all its bits, or is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Float {
    negative: bool,
    mantissa: u64,
    exponent: i64,
}

/// Why a text is no [`Float`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotFinite {
    /// It is no number, or one too large or too small.
    NoNumber,
    /// It says `inf`.
    Infinite,
}

impl Float {
    const ZERO: Self = Self { negative: false, mantissa: 0, exponent: 0 };

    /// Reads what `strtold` reads, all of it.
    pub(super) fn parse(text: &[u8]) -> Result<Self, NotFinite> {
        if text.len() >= TEXT_BYTES_MAX {
            return Err(NotFinite::NoNumber);
        }
        let (negative, text) = match text {
            [b'-', text @ ..] => (true, text),
            [b'+', text @ ..] | text => (false, text),
        };
        if text.eq_ignore_ascii_case(b"inf") || text.eq_ignore_ascii_case(b"infinity") {
            return Err(NotFinite::Infinite);
        }
        let magnitude = match text {
            [b'0', b'x' | b'X', digits @ ..] => {
                Digits::parse(digits, 16, b'p')?.float(Big::shift_left, 2 * EXPONENT_MAX)
            }
            digits => {
                Digits::parse(digits, 10, b'e')?.float(Big::times_ten_to, DECIMAL_EXPONENT_MAX)
            }
        };
        magnitude.map(|it| Self { negative, ..it }).ok_or(NotFinite::NoNumber)
    }

    /// The sum; `None` if it is too large.
    pub(super) fn add(self, other: Self) -> Option<Self> {
        let (more, less) = match self.cmp_magnitude(other) {
            Ordering::Less => (other, self),
            _ => (self, other),
        };
        if less.mantissa == 0 {
            return Some(more);
        }
        // One bit is left for the carry, and 63 below the mantissa's for what is rounded away.
        let (wide, exponent) = (u128::from(more.mantissa) << 63, more.exponent - 63);
        let shift = u32::try_from(more.exponent - less.exponent).unwrap_or(u32::MAX);
        let addend = shift_right_sticky(u128::from(less.mantissa) << 63, shift);
        let sum = match more.negative == less.negative {
            true => wide + addend,
            false => wide - addend,
        };
        Some(Self { negative: more.negative, ..Self::rounded(sum, exponent)? })
    }

    fn cmp_magnitude(self, other: Self) -> Ordering {
        match (self.mantissa, other.mantissa) {
            (0, _) | (_, 0) => self.mantissa.cmp(&other.mantissa),
            _ => (self.exponent, self.mantissa).cmp(&(other.exponent, other.mantissa)),
        }
    }

    /// `wide * 2^exponent`, whose lowest bit stands for all that was lost below it.
    fn rounded(wide: u128, exponent: i64) -> Option<Self> {
        let shift = MANTISSA_BITS - i64::from(u128::BITS - wide.leading_zeros());
        if wide == 0 {
            return Some(Self::ZERO);
        }
        let bits = u32::try_from(shift.unsigned_abs()).unwrap_or(u32::MAX);
        let rounded = if shift < 0 { round(wide, bits) } else { wide << bits };
        // All ones became the next power of two.
        let carry = i64::from(rounded >> MANTISSA_BITS != 0);
        let (mantissa, exponent) = (rounded >> carry, exponent - shift + carry);
        let mantissa = u64::try_from(mantissa).unwrap_or(u64::MAX);
        let fits = exponent + MANTISSA_BITS - 1 <= EXPONENT_MAX;
        fits.then_some(Self { negative: false, mantissa, exponent })
    }

    /// The nearest to a fraction of whole numbers; `None` if it is too large or too small.
    fn ratio(mut over: Big, mut under: Big) -> Option<Self> {
        if over.is_zero() {
            return Some(Self::ZERO);
        }
        let mut power = i64::from(over.bits()) - i64::from(under.bits());
        match u32::try_from(power) {
            Ok(more) => under = under.shift_left(more),
            Err(_) => over = over.shift_left(u32::try_from(-power).unwrap_or(0)),
        }
        if over < under {
            over = over.shift_left(1);
            power -= 1;
        }
        // The mantissa, one bit for the half, and one for all below it.
        let mut bits = 0_u128;
        for _ in 0..=MANTISSA_BITS {
            let bit = over >= under;
            if bit {
                over.subtract(&under);
            }
            bits = bits << 1 | u128::from(bit);
            over = over.shift_left(1);
        }
        bits = bits << 1 | u128::from(!over.is_zero());
        let float = Self::rounded(bits, power - MANTISSA_BITS - 1)?;
        (power >= EXPONENT_MIN).then_some(float)
    }
}

/// As `printf("%.17Lf")`, without zeros at the end.
impl std::fmt::Display for Float {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = match u32::try_from(self.exponent) {
            Ok(left) => Big::from(self.mantissa).shift_left(left).into_decimal(),
            Err(_) => self.fraction(),
        };
        let sign = if self.negative && text != "0" { "-" } else { "" };
        write!(f, "{sign}{text}")
    }
}

impl Float {
    fn fraction(&self) -> String {
        let unit = 10_u128.pow(DECIMALS);
        let shift = u32::try_from(-self.exponent).unwrap_or(u32::MAX);
        let scaled = round(u128::from(self.mantissa) * unit, shift);
        let text =
            format!("{}.{:0width$}", scaled / unit, scaled % unit, width = DECIMALS as usize);
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }
}

/// The digits of a number.
struct Digits {
    value: Big,
    /// Its powers of ten (decimal) or of two (hexadecimal), about.
    places: i64,
    /// The power of ten or of two to multiply with.
    scale: i64,
}

impl Digits {
    /// Reads digits with at most one point among them, and an exponent behind `mark` if there is
    /// one.
    fn parse(text: &[u8], radix: u32, mark: u8) -> Result<Self, NotFinite> {
        let is_mark = |byte: &u8| byte.to_ascii_lowercase() == mark;
        let (digits, exponent) = match text.iter().position(is_mark) {
            Some(at) => {
                let (digits, exponent) = text.split_at(at);
                (digits, parse_exponent(exponent.get(1..).unwrap_or_default())?)
            }
            None => (text, 0),
        };
        let (whole, fraction) = match digits.iter().position(|byte| *byte == b'.') {
            Some(at) => (digits.get(..at), digits.get(at + 1..)),
            None => (Some(digits), None),
        };
        let (whole, fraction) = (whole.unwrap_or_default(), fraction.unwrap_or_default());
        let read = |byte: &u8| char::from(*byte).to_digit(radix).ok_or(NotFinite::NoNumber);
        let digits: Vec<u32> = whole.iter().chain(fraction).map(read).collect::<Result<_, _>>()?;
        if digits.is_empty() {
            return Err(NotFinite::NoNumber);
        }
        let zeros = digits.iter().take_while(|digit| **digit == 0).count();
        let digit_bits = if radix == 16 { 4 } else { 1 };
        Ok(Self {
            places: length(digits.len() - zeros) * digit_bits,
            value: Big::from_digits(digits.into_iter(), radix),
            scale: exponent - length(fraction.len()) * digit_bits,
        })
    }

    /// The number, where `raise` multiplies with a power of what [`Digits::scale`] counts.
    fn float(self, raise: fn(Big, u32) -> Big, exponent_max: i64) -> Option<Float> {
        if self.value.is_zero() {
            return Some(Float::ZERO);
        }
        if (self.places + self.scale).abs() > exponent_max {
            return None;
        }
        let power = u32::try_from(self.scale.unsigned_abs()).ok()?;
        let (over, under) = match self.scale {
            ..0 => (self.value, raise(Big::one(), power)),
            0.. => (raise(self.value, power), Big::one()),
        };
        Float::ratio(over, under)
    }
}

fn parse_exponent(text: &[u8]) -> Result<i64, NotFinite> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    if digits.is_empty() {
        return Err(NotFinite::NoNumber);
    }
    let value = digits.iter().try_fold(0_i64, |value, byte| match byte {
        // More is too much in any case.
        b'0'..=b'9' => Ok((value * 10 + i64::from(byte - b'0')).min(1_000_000)),
        _ => Err(NotFinite::NoNumber),
    })?;
    Ok(if negative { -value } else { value })
}

fn length(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// `wide / 2^shift` to the nearest, ties to even.
fn round(wide: u128, shift: u32) -> u128 {
    let Some(half) = shift.checked_sub(1).and_then(|shift| 1_u128.checked_shl(shift)) else {
        return if shift == 0 { wide } else { 0 };
    };
    let (whole, rest) = (wide.checked_shr(shift).unwrap_or(0), wide & (half | (half - 1)));
    let up = match rest.cmp(&half) {
        Ordering::Less => false,
        Ordering::Equal => whole & 1 == 1,
        Ordering::Greater => true,
    };
    whole + u128::from(up)
}

/// `wide / 2^shift`; the lowest bit also stands for all that was lost.
fn shift_right_sticky(wide: u128, shift: u32) -> u128 {
    let kept = wide.checked_shr(shift).unwrap_or(0);
    let lost = kept.checked_shl(shift).unwrap_or(0) != wide;
    kept | u128::from(lost)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(left: &str, right: &str) -> String {
        let read = |text: &str| Float::parse(text.as_bytes()).unwrap();
        read(left).add(read(right)).unwrap().to_string()
    }

    /// What redis-server 7.0.15 on x86-64 answers.
    #[test]
    fn sums_are_those_of_redis() {
        for (left, right, expected) in [
            ("0.1", "0.2", "0.3"),
            ("3.0e3", "200", "3200"),
            ("10.50", "0.1", "10.6"),
            ("1", "-1", "0"),
            ("-1e-20", "0", "0"),
            ("1000000000000000", "0.1", "1000000000000000.0999755859375"),
            ("18446744073709551615", "0.5", "18446744073709551616"),
            ("3.141592653589793238462643383279", "0", "3.14159265358979324"),
            ("0.999999999999999999", "0", "1"),
            ("0x10", "0x1.8p1", "19"),
            ("1e20", "1", "100000000000000000000"),
            ("+.5", "5.", "5.5"),
        ] {
            assert_eq!(sum(left, right), expected, "{left} + {right}");
        }
    }

    #[test]
    fn what_is_no_number_is_told_from_what_is_too_large() {
        for text in [
            "", " 1", "1 ", "abc", "1e", "1e+", "e5", ".", "-", "1.2.3", "nan", "0x", "1e5000",
            "1e-5000",
        ] {
            assert_eq!(Float::parse(text.as_bytes()), Err(NotFinite::NoNumber), "{text:?}");
        }
        for text in ["inf", "-Inf", "+INFINITY"] {
            assert_eq!(Float::parse(text.as_bytes()), Err(NotFinite::Infinite), "{text:?}");
        }
        let huge = Float::parse(b"1.1e4932").unwrap();
        assert_eq!(huge.add(huge), None);
    }
}

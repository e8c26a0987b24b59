//! Whole numbers of any size, as far as a decimal fraction needs them to be read or written exactly.

use std::cmp::Ordering;

/// A number that is not negative.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Big {
    /// The least part first; the last is not 0.
    limbs: Vec<u32>,
}

/// The largest power of ten in a limb.
const TEN_TO_NINE: u32 = 1_000_000_000;

impl Big {
    pub(super) fn from_digits(digits: impl Iterator<Item = u32>, radix: u32) -> Self {
        let mut value = Self::default();
        digits.for_each(|digit| value.multiply_add(radix, digit));
        value
    }

    pub(super) fn one() -> Self {
        Self { limbs: vec![1] }
    }

    pub(super) fn times_ten_to(mut self, exponent: u32) -> Self {
        (0..exponent / 9).for_each(|_| self.multiply_add(TEN_TO_NINE, 0));
        (0..exponent % 9).for_each(|_| self.multiply_add(10, 0));
        self
    }

    pub(super) fn is_zero(&self) -> bool {
        self.limbs.is_empty()
    }

    /// How many bits it has.
    pub(super) fn bits(&self) -> u32 {
        let full = u32::try_from(self.limbs.len()).unwrap_or(u32::MAX).saturating_mul(u32::BITS);
        full - self.limbs.last().map_or(0, |limb| limb.leading_zeros())
    }

    pub(super) fn shift_left(mut self, bits: u32) -> Self {
        let (limbs, bits) = (bits / u32::BITS, bits % u32::BITS);
        self.multiply_add(1 << bits, 0);
        if !self.is_zero() {
            self.limbs.splice(0..0, (0..limbs).map(|_| 0));
        }
        self
    }

    /// Takes away what is not more than it.
    pub(super) fn subtract(&mut self, less: &Self) {
        let mut borrow = false;
        let less = less.limbs.iter().copied().chain(std::iter::repeat(0));
        for (limb, less) in self.limbs.iter_mut().zip(less) {
            let (part, below) = limb.overflowing_sub(less);
            let (part, below_too) = part.overflowing_sub(borrow.into());
            (*limb, borrow) = (part, below || below_too);
        }
        self.trim();
    }

    pub(super) fn into_decimal(mut self) -> String {
        let mut groups = Vec::new();
        while !self.is_zero() {
            groups.push(self.divide(TEN_TO_NINE));
        }
        let first = groups.pop().unwrap_or(0).to_string();
        groups.iter().rev().fold(first, |text, group| text + &format!("{group:09}"))
    }

    fn multiply_add(&mut self, factor: u32, more: u32) {
        let mut carry = more;
        for limb in &mut self.limbs {
            let wide = u64::from(*limb) * u64::from(factor) + u64::from(carry);
            (*limb, carry) = (low(wide), low(wide >> u32::BITS));
        }
        if carry > 0 {
            self.limbs.push(carry);
        }
    }

    /// Divides; returns the remainder.
    fn divide(&mut self, by: u32) -> u32 {
        let mut rest = 0;
        for limb in self.limbs.iter_mut().rev() {
            let wide = u64::from(rest) << u32::BITS | u64::from(*limb);
            (*limb, rest) = (low(wide / u64::from(by)), low(wide % u64::from(by)));
        }
        self.trim();
        rest
    }

    fn trim(&mut self) {
        while self.limbs.last() == Some(&0) {
            self.limbs.pop();
        }
    }
}

impl From<u64> for Big {
    fn from(value: u64) -> Self {
        let mut big = Self { limbs: vec![low(value), low(value >> u32::BITS)] };
        big.trim();
        big
    }
}

impl Ord for Big {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_length = self.limbs.len().cmp(&other.limbs.len());
        by_length.then_with(|| self.limbs.iter().rev().cmp(other.limbs.iter().rev()))
    }
}

impl PartialOrd for Big {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The lower half.
#[expect(clippy::cast_possible_truncation, reason = "that is what it is for")]
fn low(wide: u64) -> u32 {
    wide as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn big(digits: &str) -> Big {
        Big::from_digits(digits.bytes().map(|digit| u32::from(digit - b'0')), 10)
    }

    #[test]
    fn what_is_read_is_written() {
        for digits in ["0", "7", "4294967296", "1000000000", "123456789012345678901234567890"] {
            assert_eq!(big(digits).into_decimal(), digits);
        }
        assert_eq!(Big::one().times_ten_to(31).into_decimal(), format!("1{}", "0".repeat(31)));
        assert_eq!(Big::from(u64::MAX).into_decimal(), u64::MAX.to_string());
    }

    #[test]
    fn shifts_and_differences_are_exact() {
        assert_eq!(Big::one().shift_left(100).into_decimal(), "1267650600228229401496703205376");
        assert_eq!(Big::one().shift_left(100).bits(), 101);
        assert_eq!((Big::default().shift_left(77), Big::default().bits()), (Big::default(), 0));
        let mut power = Big::one().shift_left(96);
        power.subtract(&Big::one());
        assert_eq!(
            (power.clone().into_decimal().as_str(), power.bits()),
            ("79228162514264337593543950335", 96)
        );
        power.subtract(&power.clone());
        assert!(power.is_zero());
        assert!(big("4294967296") > big("4294967295") && big("8589934592") > big("4294967297"));
    }
}

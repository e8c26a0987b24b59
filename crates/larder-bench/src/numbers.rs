//! Arithmetic of figures: the places where counts become fractions.

/// Returns `part / whole`, or 0 if `whole` is 0.
#[expect(clippy::cast_precision_loss, reason = "figures have three digits, not sixteen")]
pub fn per(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Returns the median, or 0 without figures. Averages the two in the middle of an even number.
pub fn median(figures: impl IntoIterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = figures.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    let upper = sorted.get(sorted.len() / 2).copied().unwrap_or_default();
    match sorted.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => upper,
        even => f64::midpoint(upper, sorted.get(even / 2 - 1).copied().unwrap_or(upper)),
    }
}

/// Returns the distance of the extremes, as a fraction of the median.
pub(crate) fn spread(figures: &[f64]) -> f64 {
    let most = figures.iter().copied().fold(0.0, f64::max);
    let least = figures.iter().copied().fold(f64::INFINITY, f64::min);
    match median(figures.iter().copied()) {
        0.0 => 0.0,
        middle => (most - least) / middle,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_close(left: f64, right: f64) {
        assert!((left - right).abs() < 1e-9, "{left} is not {right}");
    }

    #[test]
    fn median_and_spread_of_few_figures() {
        assert_close(median([3.0, 1.0, 2.0]), 2.0);
        assert_close(median([4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_close(median([]), 0.0);
        assert_close(spread(&[9.0, 10.0, 12.0]), 0.3);
        assert_close(spread(&[]), 0.0);
        assert_close(per(1, 0), 0.0);
    }
}

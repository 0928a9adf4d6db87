//! Whole roots, to recognise powers.

use num_integer::Roots;

/// The base and the exponent, when `n` is a perfect square, cube, fifth or seventh power.
pub(super) fn perfect_power(n: u128) -> Option<(u128, u32)> {
    [2, 3, 5, 7].into_iter().find_map(|exponent| {
        let root = n.nth_root(exponent);
        (root > 1 && root.pow(exponent) == n).then_some((root, exponent))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_are_recognised_and_neighbours_are_not() {
        for (base, exponent) in [(u128::from(u64::MAX), 2), (6_981_463_658_331, 3), (50_859_008, 5), (319_557, 7)] {
            let power = base.pow(exponent);
            assert_eq!(perfect_power(power), Some((base, exponent)));
            assert_eq!(perfect_power(power - 1), None);
            assert_eq!(perfect_power(power + 1), None);
        }
        assert_eq!(perfect_power(u128::MAX), None);
        assert_eq!(perfect_power(2_u128.pow(126)), Some((1 << 63, 2)));
    }
}

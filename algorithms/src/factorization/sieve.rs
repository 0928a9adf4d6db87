//! The primes below a small bound, sieved once.

use std::sync::LazyLock;

/// Bound of [`primes`].
pub(super) const BOUND: u32 = 12_000;

static PRIMES: LazyLock<Vec<u32>> = LazyLock::new(|| {
    let mut composite = vec![false; BOUND as usize];
    let mut primes = Vec::new();
    for candidate in 2..BOUND as usize {
        if !composite[candidate] {
            primes.push(u32::try_from(candidate).unwrap_or(u32::MAX));
            composite.iter_mut().skip(candidate * candidate).step_by(candidate).for_each(|mark| *mark = true);
        }
    }
    primes
});

/// The primes below [`BOUND`], ascending.
pub(super) fn primes() -> &'static [u32] {
    &PRIMES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_primes_and_nothing_else() {
        assert_eq!(primes()[..10], [2, 3, 5, 7, 11, 13, 17, 19, 23, 29]);
        assert_eq!(primes().len(), 1_438);
        assert_eq!(primes().last(), Some(&11_987));
    }
}

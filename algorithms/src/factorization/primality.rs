//! Is it prime? Answers are proven, never merely probable.
//!
//! Below 3.3·10^24 the strong test to thirteen bases decides (Sorenson and Webster, 2015). Above, it only weeds out
//! composites; what passes is proven by Pocklington's theorem, for which n − 1 is factored up to its square root, and
//! the primes found there are proven in turn.

use num_integer::gcd;

use super::montgomery::Modulus;
use super::split::{Splitter, divide_out_small};
use crate::RunError;

/// Bases of the strong test: the primes to 41.
const BASES: [u128; 13] = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41];

/// Below this, no composite passes the strong test to all of [`BASES`].
const DECIDED_BELOW: u128 = 3_317_044_064_679_887_385_961_981;

/// Whether `n` is prime. `splitter` factors what a proof needs, and says when to stop.
pub(super) fn is_prime(n: u128, splitter: &mut Splitter) -> Result<bool, RunError> {
    if n < 2 {
        return Ok(false);
    }
    if let Some(base) = BASES.into_iter().find(|base| n.is_multiple_of(*base)) {
        return Ok(n == base);
    }
    let modulus = Modulus::new(n);
    if !BASES.into_iter().all(|base| passes_strong_test(&modulus, base)) {
        return Ok(false);
    }
    if n < DECIDED_BELOW { Ok(true) } else { prove(&modulus, splitter) }
}

/// Whether the modulus is prime or a strong pseudoprime to `base`.
fn passes_strong_test(modulus: &Modulus, base: u128) -> bool {
    let even = modulus.n() - 1;
    let twos = even.trailing_zeros();
    let minus_one = modulus.residue(even);
    let mut power = modulus.pow(modulus.residue(base), even >> twos);
    if power == modulus.one() || power == minus_one {
        return true;
    }
    for _ in 1..twos {
        power = modulus.square(power);
        if power == minus_one {
            return true;
        }
    }
    false
}

/// Pocklington: n is prime if n − 1 = F·R with F > √n, and for each prime q of F some a has a^(n−1) = 1 and
/// gcd(a^((n−1)/q) − 1, n) = 1. The witnesses for different q may differ.
fn prove(modulus: &Modulus, splitter: &mut Splitter) -> Result<bool, RunError> {
    for q in primes_beyond_root(modulus.n(), splitter)? {
        if !has_witness(modulus, q, splitter)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Primes of n − 1 whose powers in it multiply to more than √n.
fn primes_beyond_root(n: u128, splitter: &mut Splitter) -> Result<Vec<u128>, RunError> {
    let root = n.isqrt();
    let (small, rest) = divide_out_small(n - 1);
    let mut factored: u128 = small.iter().map(|(prime, exponent)| u128::from(*prime).pow(*exponent)).product();
    let mut primes: Vec<u128> = small.into_iter().map(|(prime, _)| u128::from(prime)).collect();
    let mut open = if rest > 1 { vec![rest] } else { Vec::new() };
    while factored <= root {
        // The rest of n − 1 is the product of `open`, so there is one left.
        let Some(part) = open.pop() else { break };
        if is_prime(part, splitter)? {
            factored *= part;
            primes.push(part);
        } else {
            let divisor = splitter.split(part)?;
            open.extend([divisor.max(part / divisor), divisor.min(part / divisor)]);
        }
    }
    Ok(primes)
}

/// Whether Pocklington's condition holds for `q`; that it does not is proof that the modulus is composite.
fn has_witness(modulus: &Modulus, q: u128, splitter: &mut Splitter) -> Result<bool, RunError> {
    let n = modulus.n();
    for base in 2.. {
        splitter.poll()?;
        let power = modulus.pow(modulus.residue(base), (n - 1) / q);
        if modulus.pow(power, q) != modulus.one() {
            return Ok(false);
        }
        // A prime modulus has power = 1 for one base in q only, so the search is short.
        match gcd(modulus.sub(power, modulus.one()).representative(), n) {
            1 => return Ok(true),
            divisor if divisor < n => return Ok(false),
            _ => {}
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::control::Progress;
    use crate::trial::Trial;

    fn prime(n: u128) -> bool {
        let mut trial = Trial::default();
        let mut progress = Progress::new(&mut trial);
        is_prime(n, &mut Splitter::new(&mut progress)).unwrap()
    }

    fn proven(n: u128) -> bool {
        let mut trial = Trial::default();
        let mut progress = Progress::new(&mut trial);
        prove(&Modulus::new(n), &mut Splitter::new(&mut progress)).unwrap()
    }

    #[test]
    fn small_numbers_agree_with_the_sieve() {
        let sieved: Vec<u128> = super::super::sieve::primes().iter().map(|p| u128::from(*p)).collect();
        let tested: Vec<u128> = (0..u128::from(super::super::sieve::BOUND)).filter(|n| prime(*n)).collect();
        assert_eq!(tested, sieved);
    }

    #[test]
    fn great_primes_are_proven() {
        for n in [u128::MAX - 158, (1 << 127) - 1, (1 << 89) - 1, 10_u128.pow(38) + 133, DECIDED_BELOW + 52] {
            assert_eq!(prime(n), proven(n), "{n}");
        }
        assert!(prime(u128::MAX - 158) && prime((1 << 127) - 1) && prime((1 << 89) - 1));
        assert!((u128::MAX - 157..=u128::MAX).all(|n| !prime(n)), "2^128 - 159 is the last prime of 128 bits");
    }

    #[test]
    fn pseudoprimes_are_composite() {
        let carmichael = [561, 41_041, 825_265, 321_197_185, 5_394_826_801, 232_250_619_601, 9_746_347_772_161];
        // Chernick's (6k+1)(12k+1)(18k+1) of 127 bits, and the least strong pseudoprimes to the first 9, 12 and 13 primes.
        let k: u128 = 503_362_313_100;
        let chernick = (k..).find(|k| prime(6 * k + 1) && prime(12 * k + 1) && prime(18 * k + 1)).unwrap();
        let chernick = (6 * chernick + 1) * (12 * chernick + 1) * (18 * chernick + 1);
        let strong = [3_825_123_056_546_413_051, 318_665_857_834_031_151_167_461, DECIDED_BELOW];
        for n in carmichael.into_iter().chain([chernick]).chain(strong) {
            assert!(!prime(n), "{n}");
            assert!(!proven(n), "{n}");
        }
    }

    proptest! {
        #[test]
        fn a_proof_agrees_with_the_strong_test_where_both_decide(n in 1_u128 << 40..DECIDED_BELOW) {
            let n = n | 1;
            prop_assert_eq!(prime(n), proven(n));
        }
    }
}

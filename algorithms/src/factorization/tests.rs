//! Whole factorizations: against oracles, at the edges, stopped and resumed.

use std::time::Instant;

use num_bigint::BigUint;
use proptest::prelude::*;

use super::primality::is_prime;
use super::run;
use super::split::Splitter;
use crate::checkpoint::{Checkpoint, Part};
use crate::control::Progress;
use crate::trial::Trial;
use crate::{Factorization, Resumption, RunError};

const LAST_64: u128 = 18_446_744_073_709_551_557;

fn factor_with(number: u128, resume: Option<&Checkpoint>, trial: &mut Trial) -> Result<Factorization, RunError> {
    run(number, resume, &mut Progress::new(trial))
}

fn factor(number: u128) -> Vec<(u128, u32)> {
    let found = factor_with(number, None, &mut Trial::default()).unwrap();
    assert_eq!(found.number, number);
    let factors: Vec<_> = found.factors.iter().map(|factor| (factor.prime, factor.exponent)).collect();
    assert!(factors.is_sorted_by(|a, b| a.0 < b.0));
    let product = factors.iter().try_fold(1_u128, |product, (p, e)| product.checked_mul(p.checked_pow(*e)?));
    assert_eq!(product, Some(number));
    factors
}

/// Lucas's converse of Fermat, in big integers and with a full factorization of p − 1 whose primes are proven alike: an
/// independent proof that p is prime.
fn assert_prime(p: u128) {
    if p < 1_000_000 {
        return assert!(p > 1 && (2..).take_while(|d| d * d <= p).all(|d| !p.is_multiple_of(d)), "{p}");
    }
    let primes: Vec<u128> = factor(p - 1).into_iter().map(|(prime, _)| prime).collect();
    primes.iter().for_each(|prime| assert_prime(*prime));
    let (n, one) = (BigUint::from(p), BigUint::from(1_u8));
    let generates = |a: u32| {
        let power = |exponent: u128| BigUint::from(a).modpow(&BigUint::from(exponent), &n);
        power(p - 1) == one && primes.iter().all(|q| power((p - 1) / q) != one)
    };
    assert!((2..500).any(generates), "{p} has no generator");
}

fn next_prime(from: u128) -> u128 {
    let mut trial = Trial::default();
    let mut progress = Progress::new(&mut trial);
    (from..).find(|n| is_prime(*n, &mut Splitter::new(&mut progress)).unwrap()).unwrap()
}

#[test]
fn the_edges() {
    assert_eq!(factor(1), []);
    assert_eq!(factor(2), [(2, 1)]);
    assert_eq!(factor(104_729), [(104_729, 1)]);
    assert_eq!(factor(1 << 127), [(2, 127)]);
    assert_eq!(factor((1 << 127) - 1), [((1 << 127) - 1, 1)]);
    assert_eq!(factor(u128::MAX - 158), [(u128::MAX - 158, 1)]);
    let fermat = [3, 5, 17, 257, 641, 65_537, 274_177, 6_700_417, 67_280_421_310_721].map(|prime| (prime, 1));
    assert_eq!(factor(u128::MAX), fermat);
}

#[test]
fn powers() {
    assert_eq!(factor(LAST_64 * LAST_64), [(LAST_64, 2)]);
    assert_eq!(factor(4_294_967_291 * 4_294_967_291), [(4_294_967_291, 2)]);
    assert_eq!(factor(6_981_463_658_279_u128.pow(3)).iter().map(|(_, e)| e % 3).sum::<u32>(), 0);
    assert_eq!(factor(50_858_999_u128.pow(2) * 1_000_003_u128.pow(3)), [(1_000_003, 3), (50_858_999, 2)]);
    assert_eq!(factor(12_007_u128.pow(9)), [(12_007, 9)]);
    assert_eq!(factor(3_u128.pow(80)), [(3, 80)]);
}

#[test]
fn carmichael_numbers_and_strong_pseudoprimes() {
    assert_eq!(factor(561), [(3, 1), (11, 1), (17, 1)]);
    assert_eq!(factor(232_250_619_601), [7, 11, 13, 17, 31, 37, 73, 163].map(|prime| (prime, 1)));
    assert_eq!(factor(3_317_044_064_679_887_385_961_981), [(1_287_836_182_261, 1), (2_575_672_364_521, 1)]);
}

#[test]
fn every_prime_of_hard_numbers_is_proven_independently() {
    for number in
        [u128::MAX, u128::MAX - 158, u128::MAX - 2, (1 << 120) - 1, 10_u128.pow(38) + 7, LAST_64 * 1_000_000_007]
    {
        factor(number).into_iter().for_each(|(prime, _)| assert_prime(prime));
    }
}

#[test]
fn products_of_two_primes_of_60_to_64_bits() {
    for (bits, gaps) in
        [(60_u32, [0_u128, 1 << 55, 3 << 57]), (62, [9, 5 << 58, 7 << 58]), (64, [1 << 20, 3 << 61, 1 << 62])]
    {
        let primes = gaps.map(|gap| next_prime((1 << (bits - 1)) + gap));
        for (p, q) in [(primes[0], primes[1]), (primes[1], primes[2])] {
            let (started, mut trial) = (Instant::now(), Trial::default());
            let found = factor_with(p * q, None, &mut trial).unwrap();
            assert_eq!(found.factors.iter().map(|factor| factor.prime).collect::<Vec<_>>(), [p.min(q), p.max(q)]);
            println!(
                "{bits} bits twice: {:?}, {} polls, {} saved",
                started.elapsed(),
                trial.polls(),
                trial.checkpoints.len()
            );
        }
    }
}

#[test]
fn little_work_is_done_between_two_looks_at_the_stop_flag() {
    // 50,000 multiplications are half a millisecond here, and some ten on the slowest machine without optimisation.
    for number in
        [LAST_64 * 18_446_744_073_709_551_533, u128::MAX - 158, u128::from(u64::MAX) - 58, u128::MAX, 1 << 127]
    {
        let mut trial = Trial::stopping_at(u64::MAX);
        factor_with(number, None, &mut trial).unwrap();
        assert!(trial.most_work() < 50_000, "{number}: {}", trial.most_work());
    }
}

#[test]
fn a_stop_ends_the_run_at_whichever_poll_it_comes() {
    let number = 1_152_921_504_606_847_009 * 576_460_752_303_423_619;
    let polls = Trial::polls_of(|trial| factor_with(number, None, trial).map(drop));
    for at in (0..polls.min(200)).chain((200..polls).step_by(usize::try_from(polls / 50 + 1).unwrap())) {
        let mut trial = Trial::stopping_at(at);
        assert_eq!(factor_with(number, None, &mut trial), Err(RunError::Stopped));
        assert_eq!(trial.polls(), at + 1, "nothing asks twice after a stop");
    }
}

#[test]
fn every_checkpoint_leads_to_the_same_result() {
    let three = next_prime(1 << 42) * next_prime((1 << 42) + (1 << 40)) * next_prime((1 << 42) + (1 << 41));
    let two = next_prime(1 << 61) * next_prime(3 << 60);
    for number in [three, two, 2 * 3 * 3 * next_prime(1 << 50) * next_prime(1 << 70)] {
        let mut trial = Trial::default();
        let whole = factor_with(number, None, &mut trial).unwrap();
        assert!(!trial.checkpoints.is_empty());
        assert!(trial.percents().is_sorted() && trial.percents().last() == Some(&100));
        for checkpoint in &trial.checkpoints {
            let json = serde_json::to_string(checkpoint).unwrap();
            assert!(json.len() < 4_096);
            let restored: Checkpoint = serde_json::from_str(&json).unwrap();
            assert_eq!(&restored, checkpoint);
            let mut resumed = Trial::default();
            assert_eq!(factor_with(number, Some(&restored), &mut resumed).unwrap(), whole);
            let Checkpoint::PrimeFactorization { percent, .. } = checkpoint;
            assert_eq!(resumed.resumption, Some(Resumption::Resumed));
            assert!(resumed.percents()[0] >= *percent, "progress does not run backwards");
            assert!(resumed.polls() <= trial.polls());
        }
    }
}

#[test]
fn a_checkpoint_that_does_not_fit_is_ignored() {
    let number = 104_729 * 1_299_709;
    let whole = factor(number);
    let wrong = [vec![], vec![number, 1], vec![number + 2], vec![0], vec![u128::MAX, u128::MAX], vec![104_729]];
    for values in wrong {
        let parts = values.into_iter().map(|value| Part { value, curves: 3 }).collect();
        let checkpoint = Checkpoint::PrimeFactorization { percent: 99, parts };
        let mut trial = Trial::default();
        let found = factor_with(number, Some(&checkpoint), &mut trial).unwrap();
        assert_eq!(trial.resumption, Some(Resumption::Unfit));
        assert!(trial.percents()[0] < 99, "nothing was done");
        assert_eq!(found.factors.iter().map(|factor| (factor.prime, factor.exponent)).collect::<Vec<_>>(), whole);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn small_numbers_agree_with_naive_division(number in 1_u128..50_000_000_000) {
        let (mut rest, mut expected) = (number, Vec::new());
        for divisor in (2..).take_while(|divisor| divisor * divisor <= number) {
            let mut exponent = 0;
            while rest % divisor == 0 {
                rest /= divisor;
                exponent += 1;
            }
            if exponent > 0 {
                expected.push((divisor, exponent));
            }
        }
        if rest > 1 {
            expected.push((rest, 1));
        }
        prop_assert_eq!(factor(number), expected);
    }

    #[test]
    fn any_number_is_the_product_of_primes(number in any::<u128>(), shift in 0_u32..128) {
        let number = (number >> shift).max(1);
        for (prime, _) in factor(number) {
            assert_prime(prime);
        }
    }

    #[test]
    fn products_of_random_primes_are_taken_apart(seeds in prop::collection::vec(1_u128 << 16..1 << 42, 1..4)) {
        let mut primes: Vec<u128> = seeds.into_iter().map(next_prime).collect();
        primes.sort_unstable();
        let number = primes.iter().product();
        let found: Vec<u128> = factor(number).into_iter().flat_map(|(p, e)| vec![p; e as usize]).collect();
        prop_assert_eq!(found, primes);
    }
}

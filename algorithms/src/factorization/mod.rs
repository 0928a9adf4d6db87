//! `prime_factorization` of numbers of up to 128 bits: small primes by division, the rest by splitting composites until
//! every part is a proven prime.

mod curve;
mod montgomery;
mod primality;
mod rho;
mod roots;
mod sieve;
mod split;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use split::{Splitter, divide_out_small};

use crate::checkpoint::{Checkpoint, Part};
use crate::control::{Progress, Resumption};
use crate::{Factor, Factorization, RunError};

/// Progress at which the search for great divisors begins.
const SEARCH_PERCENT: u8 = 5;

/// Factors `number`, which is 1 or more.
pub(crate) fn run(
    number: u128,
    resume: Option<&Checkpoint>,
    progress: &mut Progress,
) -> Result<Factorization, RunError> {
    progress.poll()?;
    // Where a run goes on that was further, progress does not run backwards.
    if resume.is_none() {
        progress.report(0, "trial_division", "dividing by small primes");
    }
    let (small, rest) = divide_out_small(number);
    let mut primes: BTreeMap<u128, u32> =
        small.into_iter().map(|(prime, exponent)| (u128::from(prime), exponent)).collect();

    let resumed = resume.and_then(|Checkpoint::PrimeFactorization { percent, parts }| {
        let fits = belongs(parts, rest);
        progress.resumption(if fits { Resumption::Resumed } else { Resumption::Unfit });
        fits.then(|| {
            progress.report(*percent, "resuming", &format!("with {} known divisors", parts.len()));
            parts.clone()
        })
    });
    let parts = match resumed {
        Some(parts) => parts,
        None if rest > 1 => vec![Part { value: rest, curves: 0 }],
        None => Vec::new(),
    };
    for prime in resolve(parts, progress)? {
        *primes.entry(prime).or_default() += 1;
    }
    progress.report(100, "done", &format!("{} distinct primes", primes.len()));
    let factors = primes.into_iter().map(|(prime, exponent)| Factor { prime, exponent }).collect();
    Ok(Factorization { number, factors })
}

/// Whether `parts` are what a run could have saved: divisors that multiply to `rest`.
fn belongs(parts: &[Part], rest: u128) -> bool {
    let product = parts.iter().try_fold(1_u128, |product, part| product.checked_mul(part.value));
    rest > 1 && product == Some(rest) && parts.iter().all(|part| part.value > 1)
}

/// The primes of all `parts`, each as often as it divides.
fn resolve(mut parts: Vec<Part>, progress: &mut Progress) -> Result<Vec<u128>, RunError> {
    let mut primes = Vec::new();
    while let Some(part) = parts.pop() {
        progress.report(SEARCH_PERCENT, "primality", &format!("testing {}", part.value));
        let mut splitter = Splitter::new(progress);
        if primality::is_prime(part.value, &mut splitter)? {
            primes.push(part.value);
            continue;
        }
        let bits = u128::BITS - part.value.leading_zeros();
        splitter.progress().report(SEARCH_PERCENT, "splitting", &format!("a composite of {bits} bits"));
        let divisor = splitter.split_from(part.value, part.curves, |progress, curves| {
            let bounds = curve::bounds_of(curves);
            let detail = format!("curve {curves} (B1 = {}) on a composite of {bits} bits", bounds.b1);
            progress.report(percent_of(curves, bits), "elliptic_curves", &detail);
            save(&primes, &parts, Some(Part { value: part.value, curves }), progress);
        })?;
        parts.extend([divisor, part.value / divisor].map(|value| Part { value, curves: 0 }));
        save(&primes, &parts, None, progress);
    }
    Ok(primes)
}

fn save(primes: &[u128], parts: &[Part], current: Option<Part>, progress: &mut Progress) {
    let known = primes.iter().map(|prime| Part { value: *prime, curves: 0 });
    let parts = known.chain(parts.iter().cloned()).chain(current).collect();
    progress.save(&Checkpoint::PrimeFactorization { percent: progress.percent(), parts });
}

/// How likely a divisor would have been found by now, for the worst case of two primes of equal size.
fn percent_of(curves: u32, bits: u32) -> u8 {
    let expected = 4.0 * 2_f64.powf(f64::from(bits.saturating_sub(64)) / 13.0);
    let found = 1.0 - (-f64::from(curves) / expected).exp();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 90")]
    let searched = (found * 90.0) as u8;
    SEARCH_PERCENT + searched
}

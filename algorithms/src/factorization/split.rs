//! Finding one divisor of a composite: powers, then Pollard's rho, then elliptic curves until one succeeds.

use super::curve::{bounds_of, sigma_of, try_curve};
use super::montgomery::Modulus;
use super::rho::rho;
use super::roots::perfect_power;
use super::sieve::primes;
use crate::RunError;
use crate::control::Progress;

/// Steps of rho before curves take over: enough for divisors of some 28 bits.
const RHO_STEPS: u64 = 1 << 15;

/// Curves between two reports and checkpoints: some milliseconds' work.
const CURVES_A_REPORT: u32 = 8;

/// The primes of the sieve that divide `n` (1 or more), with their exponents, and what is left of it.
pub(super) fn divide_out_small(mut n: u128) -> (Vec<(u32, u32)>, u128) {
    let mut small = Vec::new();
    for prime in primes() {
        let divisor = u128::from(*prime);
        if divisor * divisor > n {
            break;
        }
        let mut exponent = 0;
        while n.is_multiple_of(divisor) {
            n /= divisor;
            exponent += 1;
        }
        if exponent > 0 {
            small.push((*prime, exponent));
        }
    }
    (small, n)
}

/// Splits composites on behalf of one run.
pub(super) struct Splitter<'p, 'c> {
    progress: &'p mut Progress<'c>,
}

impl<'p, 'c> Splitter<'p, 'c> {
    pub(super) fn new(progress: &'p mut Progress<'c>) -> Self {
        Self { progress }
    }

    pub(super) fn poll(&self) -> Result<(), RunError> {
        self.progress.poll()
    }

    pub(super) fn progress(&mut self) -> &mut Progress<'c> {
        self.progress
    }

    /// A divisor of `n`, which is odd and composite, other than 1 and `n`.
    pub(super) fn split(&mut self, n: u128) -> Result<u128, RunError> {
        self.split_from(n, 0, |_, _| ())
    }

    /// The same, beginning with curve number `first`; `tried` hears now and then how many curves were in vain.
    pub(super) fn split_from(
        &mut self,
        n: u128,
        first: u32,
        mut tried: impl FnMut(&mut Progress<'c>, u32),
    ) -> Result<u128, RunError> {
        if let Some((root, _)) = perfect_power(n) {
            return Ok(root);
        }
        if let Ok(small) = u64::try_from(n) {
            return self.split_small(small);
        }
        if first == 0
            && let Some(divisor) = rho(n, 1, RHO_STEPS, self.progress)?
        {
            return Ok(divisor);
        }
        let modulus = Modulus::new(n);
        let mut curve = first;
        loop {
            if let Some(divisor) = try_curve(&modulus, sigma_of(n, curve), bounds_of(curve), self.progress)? {
                return Ok(divisor);
            }
            curve = curve.wrapping_add(1);
            if curve.is_multiple_of(CURVES_A_REPORT) {
                tried(self.progress, curve);
            }
        }
    }

    /// Rho alone: a divisor has at most 32 bits.
    fn split_small(&mut self, n: u64) -> Result<u128, RunError> {
        let mut constant = 1;
        loop {
            if let Some(divisor) = rho(u128::from(n), constant, u64::MAX, self.progress)? {
                return Ok(divisor);
            }
            constant += 1;
        }
    }
}

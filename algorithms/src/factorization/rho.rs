//! Pollard's rho in Brent's form: finds divisors of up to some 32 bits in little time.

use num_integer::gcd;

use super::montgomery::{Modulus, Residue};
use crate::RunError;
use crate::control::Progress;

/// Steps whose differences are multiplied together before one greatest common divisor is taken.
const BATCH: u64 = 128;

/// A divisor of `n` (odd and composite) other than 1 and `n`, walking x² + `constant` for about `limit` steps.
pub(super) fn rho(n: u128, constant: u128, limit: u64, progress: &Progress) -> Result<Option<u128>, RunError> {
    let modulus = Modulus::new(n);
    let constant = modulus.residue(constant);
    let step = |x: Residue| modulus.add(modulus.square(x), constant);
    let mut ahead = modulus.residue(2);
    let mut steps = 0;
    let mut stretch = 1_u64;
    while steps < limit {
        let anchor = ahead;
        for walked in 0..stretch {
            if walked % BATCH == 0 {
                progress.poll()?;
            }
            ahead = step(ahead);
        }
        let mut compared = 0;
        while compared < stretch {
            progress.poll()?;
            let batch = BATCH.min(stretch - compared);
            let (start, mut product) = (ahead, modulus.one());
            for _ in 0..batch {
                ahead = step(ahead);
                product = modulus.mul(product, modulus.sub(anchor, ahead));
            }
            let mut divisor = gcd(product.representative(), n);
            if divisor == n {
                // Several divisors met in one batch: walk it again, looking after each step.
                let mut again = start;
                divisor = 1;
                while divisor == 1 {
                    again = step(again);
                    divisor = gcd(modulus.sub(anchor, again).representative(), n);
                }
            }
            if divisor != 1 {
                return Ok((divisor != n).then_some(divisor));
            }
            compared += batch;
        }
        steps += 2 * stretch;
        stretch *= 2;
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::Trial;

    #[test]
    fn semiprimes_of_64_bits_are_split() {
        for (p, q) in [(4_294_967_291, 4_294_967_279), (3, 5), (7, 7), (65_537, 281_474_976_710_597), (12_007, 12_011)]
        {
            let mut trial = Trial::default();
            let progress = Progress::new(&mut trial);
            let found = (1..100).find_map(|constant| rho(p * q, constant, 1 << 20, &progress).unwrap()).unwrap();
            assert!(found == p || found == q, "{p} {q} {found}");
        }
    }

    #[test]
    fn it_gives_up_at_its_limit() {
        let mut trial = Trial::default();
        let n = 18_446_744_073_709_551_557 * 18_446_744_073_709_551_533;
        assert_eq!(rho(n, 1, 1_000, &Progress::new(&mut trial)), Ok(None));
    }
}

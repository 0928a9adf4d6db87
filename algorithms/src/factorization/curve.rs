//! One elliptic curve of Lenstra's method: finds a divisor p when the number of points modulo p is smooth.
//!
//! Montgomery's curves by Suyama's parameter (so that 12 divides the number of points), x-coordinates only. A first stage
//! takes all prime powers to B1; a second, by baby and giant steps, allows one more prime to B2.

use std::array;

use num_integer::gcd;

use super::montgomery::{Modulus, Residue};
use super::sieve::primes;
use crate::RunError;
use crate::control::Progress;

/// How smooth a number of points is hoped for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bounds {
    /// Bound of the prime powers of the first stage: at least half of [`GIANT`], below the sieve's bound.
    pub(super) b1: u32,
    /// Bound of the one further prime of the second stage.
    pub(super) b2: u32,
}

/// Width of a giant step: 2·3·5·7·11, so that of 2,310 offsets only 480 can hold a prime, two of them a baby step.
const GIANT: u32 = 2_310;

/// Primes of the first stage between two looks at the stop flag: at most 10,000 multiplications.
const PRIMES_A_POLL: usize = 64;

/// A point by its projective x-coordinate x/z.
#[derive(Debug, Clone, Copy)]
struct Point {
    x: Residue,
    z: Residue,
}

/// A curve modulo n, by its coefficient (A + 2) / 4.
struct Curve<'m> {
    modulus: &'m Modulus,
    a24: Residue,
}

/// A divisor of the modulus other than 1 and itself, if the curve of parameter `sigma` (6 or more) shows one.
pub(super) fn try_curve(
    modulus: &Modulus,
    sigma: u128,
    bounds: Bounds,
    progress: &Progress,
) -> Result<Option<u128>, RunError> {
    let n = modulus.n();
    let proper = |divisor: u128| (divisor != 1 && divisor != n).then_some(divisor);
    let (curve, start) = match Curve::of_sigma(modulus, sigma) {
        Ok(found) => found,
        Err(divisor) => return Ok(proper(divisor)),
    };
    let point = curve.first_stage(start, bounds.b1, progress)?;
    let divisor = gcd(point.z.representative(), n);
    if divisor != 1 {
        return Ok(proper(divisor));
    }
    let product = curve.second_stage(point, bounds, progress)?;
    Ok(proper(gcd(product.representative(), n)))
}

impl<'m> Curve<'m> {
    /// Suyama's curve and a point on it; a divisor of the modulus where a division fails.
    fn of_sigma(modulus: &'m Modulus, sigma: u128) -> Result<(Self, Point), u128> {
        let m = modulus;
        let sigma = m.residue(sigma);
        let u = m.sub(m.square(sigma), m.residue(5));
        let v = m.mul(m.residue(4), sigma);
        let cube = |value| m.mul(m.square(value), value);
        let numerator = m.mul(cube(m.sub(v, u)), m.add(m.mul(m.residue(3), u), v));
        let denominator = m.mul(m.residue(16), m.mul(cube(u), v));
        let a24 = m.mul(numerator, m.invert(denominator)?);
        Ok((Self { modulus, a24 }, Point { x: cube(u), z: cube(v) }))
    }

    fn double(&self, point: Point) -> Point {
        let m = self.modulus;
        let sum = m.square(m.add(point.x, point.z));
        let difference = m.square(m.sub(point.x, point.z));
        let cross = m.sub(sum, difference);
        let z = m.mul(cross, m.add(difference, m.mul(self.a24, cross)));
        Point { x: m.mul(sum, difference), z }
    }

    /// a + b, given a − b.
    fn add(&self, a: Point, b: Point, difference: Point) -> Point {
        let m = self.modulus;
        let left = m.mul(m.sub(a.x, a.z), m.add(b.x, b.z));
        let right = m.mul(m.add(a.x, a.z), m.sub(b.x, b.z));
        let (sum, gap) = (m.square(m.add(left, right)), m.square(m.sub(left, right)));
        Point { x: m.mul(difference.z, sum), z: m.mul(difference.x, gap) }
    }

    /// k·point and (k + 1)·point for k of 1 or more, by Montgomery's ladder.
    fn multiples(&self, point: Point, k: u32) -> (Point, Point) {
        let (mut low, mut high) = (point, self.double(point));
        for bit in (0..k.ilog2()).rev() {
            let sum = self.add(high, low, point);
            (low, high) = if k >> bit & 1 == 1 { (sum, self.double(high)) } else { (self.double(low), sum) };
        }
        (low, high)
    }

    /// The point times every prime power up to `b1`.
    fn first_stage(&self, mut point: Point, b1: u32, progress: &Progress) -> Result<Point, RunError> {
        for (index, prime) in primes().iter().take_while(|prime| **prime <= b1).enumerate() {
            if index % PRIMES_A_POLL == 0 {
                progress.poll()?;
            }
            point = self.multiples(point, prime.pow(b1.ilog(*prime))).0;
        }
        Ok(point)
    }

    /// A product that p divides when the point's order modulo p is a prime from b1 to b2: such a prime is a giant step
    /// plus or minus a baby step, whose points then have the same x.
    fn second_stage(&self, point: Point, bounds: Bounds, progress: &Progress) -> Result<Residue, RunError> {
        let m = self.modulus;
        let babies = self.baby_steps(point, progress)?;
        let giant = self.multiples(point, GIANT).0;
        let step_of = |prime: u32| (prime + GIANT / 2) / GIANT;
        let (first, last) = (step_of(bounds.b1).max(1), step_of(bounds.b2));
        let (mut here, mut next) = self.multiples(giant, first);
        let mut product = m.one();
        for _ in first..=last {
            progress.poll()?;
            let own = m.mul(here.x, here.z);
            for (baby, baby_own) in &babies {
                // x·z' − x'·z with one multiplication: (x − x')(z + z') − x·z + x'·z'.
                let both = m.mul(m.sub(here.x, baby.x), m.add(here.z, baby.z));
                product = m.mul(product, m.add(m.sub(both, own), *baby_own));
            }
            (here, next) = (next, self.add(next, giant, here));
        }
        Ok(product)
    }

    /// The odd multiples of `point` below half a giant step that share no prime with it, each with its x·z.
    fn baby_steps(&self, point: Point, progress: &Progress) -> Result<Vec<(Point, Residue)>, RunError> {
        progress.poll()?;
        let double = self.double(point);
        let [mut before, mut here] = [point, self.add(double, point, point)];
        let mut babies = vec![(point, self.modulus.mul(point.x, point.z))];
        for multiple in (3..GIANT / 2).step_by(2) {
            if [3, 5, 7, 11].iter().all(|prime| multiple % prime != 0) {
                babies.push((here, self.modulus.mul(here.x, here.z)));
            }
            (before, here) = (here, self.add(here, double, before));
        }
        Ok(babies)
    }
}

/// The bounds of curve number `curve`, and how they grow: cheap curves first, which find divisors of 45 bits or fewer;
/// then those best for 55 and for 64. The cycle begins again, so that no number is hopeless.
pub(super) fn bounds_of(curve: u32) -> Bounds {
    const LEVELS: [(u32, Bounds); 3] = [
        (16, Bounds { b1: 1_200, b2: 60_000 }),
        (64, Bounds { b1: 3_000, b2: 240_000 }),
        (480, Bounds { b1: 8_000, b2: 800_000 }),
    ];
    let [(few, cheap), (some, middle), (many, dear)] = LEVELS;
    match curve % (few + some + many) {
        turn if turn < few => cheap,
        turn if turn < few + some => middle,
        _ => dear,
    }
}

/// The parameter of curve number `curve` for `n`: 6 or more, spread by the finaliser of SplitMix64.
pub(super) fn sigma_of(n: u128, curve: u32) -> u128 {
    let [low, high]: [u64; 2] = array::from_fn(|half| (n >> (64 * half)) as u64);
    let mut mixed =
        (low ^ high.rotate_left(32)).wrapping_add(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(u64::from(curve) + 1));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    6 + u128::from((mixed ^ (mixed >> 31)) >> 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::Trial;

    const CHEAP: Bounds = Bounds { b1: 1_200, b2: 60_000 };
    const P: u128 = 1_000_000_000_039;
    const Q: u128 = 18_446_744_073_709_551_557;

    #[test]
    fn multiples_are_consistent() {
        let modulus = Modulus::new(P * 1_000_003);
        let (curve, point) = Curve::of_sigma(&modulus, 1_234_567).unwrap();
        let same = |a: Point, b: Point| modulus.mul(a.x, b.z) == modulus.mul(b.x, a.z);
        let (seven, eight) = curve.multiples(point, 7);
        assert!(same(eight, curve.multiples(curve.multiples(point, 2).0, 4).0));
        assert!(same(curve.multiples(seven, 11).0, curve.multiples(point, 77).0));
        assert!(same(curve.add(eight, seven, point), curve.multiples(point, 15).0));
        assert!(!same(seven, eight));
    }

    #[test]
    fn both_stages_find_divisors() {
        let modulus = Modulus::new(P * Q);
        let mut trial = Trial::default();
        let progress = Progress::new(&mut trial);
        let (mut by_first, mut by_second) = (0, 0);
        for number in 0..200 {
            let (curve, start) = Curve::of_sigma(&modulus, sigma_of(P * Q, number)).unwrap();
            let point = curve.first_stage(start, CHEAP.b1, &progress).unwrap();
            if gcd(point.z.representative(), P * Q) == P {
                by_first += 1;
            } else if gcd(curve.second_stage(point, CHEAP, &progress).unwrap().representative(), P * Q) == P {
                by_second += 1;
            }
        }
        assert!(by_first >= 4 && by_second >= 12, "{by_first} {by_second}");
    }

    /// The order of `point` modulo the prime of `curve`, if it is odd and below the second stage's bound.
    fn order(curve: &Curve, point: Point) -> Option<u32> {
        let double = curve.double(point);
        let (mut before, mut here) = (point, curve.add(double, point, point));
        for multiple in (3..CHEAP.b2).step_by(2) {
            if here.z == curve.modulus.residue(0) {
                return Some(multiple);
            }
            (before, here) = (here, curve.add(here, double, before));
        }
        None
    }

    #[test]
    fn the_second_stage_misses_no_order_between_the_bounds() {
        let mut trial = Trial::default();
        let progress = Progress::new(&mut trial);
        let mut orders = Vec::new();
        for p in [10_000_019, 20_000_003, 30_000_001] {
            let modulus = Modulus::new(p);
            for sigma in 6..60 {
                let Ok((curve, start)) = Curve::of_sigma(&modulus, sigma) else { continue };
                let point = curve.first_stage(start, CHEAP.b1, &progress).unwrap();
                if point.z == modulus.residue(0) {
                    continue;
                }
                if let Some(order) = order(&curve, point) {
                    let product = curve.second_stage(point, CHEAP, &progress).unwrap();
                    assert_eq!(product, modulus.residue(0), "order {order} modulo {p}");
                    orders.push(order);
                }
            }
        }
        orders.sort_unstable();
        assert!(orders.len() > 40 && orders[0] < 3_000 && orders[orders.len() - 1] > 50_000, "{orders:?}");
    }
}

//! Arithmetic modulo an odd number of up to 128 bits, in Montgomery form (R = 2^128).

/// An odd modulus above 1, with what multiplication by it needs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Modulus {
    n: u128,
    /// n · inverse = 1 modulo R.
    inverse: u128,
    /// R modulo n: the form of 1.
    one: u128,
    /// R² modulo n: a factor that brings a number into the form.
    square: u128,
}

/// A residue in Montgomery form: below the modulus, meaningful only with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Residue(u128);

impl Residue {
    /// A number whose greatest common divisor with the modulus is that of the residue.
    pub(super) fn representative(self) -> u128 {
        self.0
    }
}

impl Modulus {
    pub(super) fn new(n: u128) -> Self {
        debug_assert!(n % 2 == 1 && n > 1);
        let mut inverse = n; // right in 3 bits, and each step doubles them
        for _ in 0..6 {
            inverse = inverse.wrapping_mul(2_u128.wrapping_sub(n.wrapping_mul(inverse)));
        }
        let mut modulus = Self { n, inverse, one: (u128::MAX % n + 1) % n, square: 0 };
        let mut power = Residue(modulus.one);
        for _ in 0..128 {
            power = modulus.add(power, power);
        }
        modulus.square = power.0;
        modulus
    }

    pub(super) fn n(&self) -> u128 {
        self.n
    }

    pub(super) fn one(&self) -> Residue {
        Residue(self.one)
    }

    /// Brings `value`, of any size, into the form.
    pub(super) fn residue(&self, value: u128) -> Residue {
        self.mul(Residue(value % self.n), Residue(self.square))
    }

    /// The number below the modulus that `residue` stands for.
    pub(super) fn value(&self, residue: Residue) -> u128 {
        self.mul(residue, Residue(1)).0
    }

    #[inline]
    pub(super) fn add(&self, a: Residue, b: Residue) -> Residue {
        let (sum, over) = a.0.overflowing_add(b.0);
        Residue(if over || sum >= self.n { sum.wrapping_sub(self.n) } else { sum })
    }

    #[inline]
    pub(super) fn sub(&self, a: Residue, b: Residue) -> Residue {
        let (difference, under) = a.0.overflowing_sub(b.0);
        Residue(if under { difference.wrapping_add(self.n) } else { difference })
    }

    /// a · b / R modulo n. The product's low half is cancelled by a multiple of n, and the high halves are subtracted.
    #[inline]
    pub(super) fn mul(&self, a: Residue, b: Residue) -> Residue {
        #[cfg(test)]
        crate::trial::work();
        let (high, low) = wide_mul(a.0, b.0);
        let multiple = wide_mul(low.wrapping_mul(self.inverse), self.n).0;
        let (difference, under) = high.overflowing_sub(multiple);
        Residue(if under { difference.wrapping_add(self.n) } else { difference })
    }

    #[inline]
    pub(super) fn square(&self, a: Residue) -> Residue {
        self.mul(a, a)
    }

    pub(super) fn pow(&self, base: Residue, exponent: u128) -> Residue {
        let mut power = self.one();
        for bit in (0..u128::BITS - exponent.leading_zeros()).rev() {
            power = self.square(power);
            if exponent >> bit & 1 == 1 {
                power = self.mul(power, base);
            }
        }
        power
    }

    /// The residue by which `residue` multiplies to 1.
    ///
    /// # Errors
    /// The greatest common divisor with the modulus, when it is not 1 and there is no such residue.
    pub(super) fn invert(&self, residue: Residue) -> Result<Residue, u128> {
        // Extended Euclid; the coefficients alternate in sign and stay below n, so their magnitudes suffice.
        let (mut above, mut below) = (self.n, self.value(residue));
        let (mut before, mut coefficient) = (0_u128, 1_u128);
        let mut negative = false;
        while below > 1 {
            let quotient = above / below;
            (above, below) = (below, above % below);
            (before, coefficient) = (coefficient, before + quotient * coefficient);
            negative = !negative;
        }
        if below == 0 {
            return Err(above);
        }
        Ok(self.residue(if negative { self.n - coefficient } else { coefficient }))
    }
}

/// The high and low halves of a · b.
#[inline]
fn wide_mul(a: u128, b: u128) -> (u128, u128) {
    const LOW: u128 = (1 << 64) - 1;
    let (a1, a0, b1, b0) = (a >> 64, a & LOW, b >> 64, b & LOW);
    let (low, middle, cross, high) = (a0 * b0, a1 * b0, a0 * b1, a1 * b1);
    let carry = (low >> 64) + (middle & LOW) + (cross & LOW);
    (high + (middle >> 64) + (cross >> 64) + (carry >> 64), (carry << 64) | (low & LOW))
}

#[cfg(test)]
mod tests {
    use num_bigint::BigUint;
    use proptest::prelude::*;

    use super::*;

    fn modulus() -> impl Strategy<Value = u128> {
        (any::<u128>(), 0_u32..126).prop_map(|(n, shift)| (n >> shift) | 3)
    }

    proptest! {
        #[test]
        fn arithmetic_agrees_with_big_integers(n in modulus(), a: u128, b: u128) {
            let modulus = Modulus::new(n);
            let (x, y) = (modulus.residue(a), modulus.residue(b));
            let (big_a, big_b, big_n) = (BigUint::from(a), BigUint::from(b), BigUint::from(n));
            prop_assert_eq!(modulus.value(x), a % n);
            prop_assert_eq!(modulus.value(modulus.one()), 1);
            prop_assert_eq!(BigUint::from(modulus.value(modulus.mul(x, y))), &big_a * &big_b % &big_n);
            prop_assert_eq!(BigUint::from(modulus.value(modulus.add(x, y))), (&big_a + &big_b) % &big_n);
            prop_assert_eq!(modulus.add(modulus.sub(x, y), y), x);
            prop_assert_eq!(BigUint::from(modulus.value(modulus.pow(x, b))), big_a.modpow(&big_b, &big_n));
        }

        #[test]
        fn inverses_multiply_to_one_or_tell_the_divisor(n in modulus(), a: u128) {
            let modulus = Modulus::new(n);
            let x = modulus.residue(a);
            match modulus.invert(x) {
                Ok(inverse) => prop_assert_eq!(modulus.mul(x, inverse), modulus.one()),
                Err(divisor) => {
                    prop_assert!(divisor > 1 && n % divisor == 0 && (a % n) % divisor == 0);
                }
            }
        }

        #[test]
        fn products_have_both_halves(a: u128, b: u128) {
            let (high, low) = wide_mul(a, b);
            prop_assert_eq!((BigUint::from(high) << 128_u32) + BigUint::from(low), BigUint::from(a) * BigUint::from(b));
        }
    }

    #[test]
    fn the_greatest_modulus_works() {
        let modulus = Modulus::new(u128::MAX);
        let minus_one = modulus.residue(u128::MAX - 1);
        assert_eq!(modulus.square(minus_one), modulus.one());
        assert_eq!(modulus.invert(modulus.residue(0)), Err(u128::MAX));
        assert_eq!(modulus.invert(modulus.residue(3)), Err(3));
    }
}

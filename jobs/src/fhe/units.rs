//! FHE units: what a number of bootstrappings costs, and about how long it takes.

/// Bootstrappings of one FHE unit.
pub const PBS_A_UNIT: u64 = 100;

/// Bootstrappings a second of a worker on two cores, as measured (19 to 24 ms of one core each, `make bench-fhe-prices`);
/// for estimates only.
pub const PBS_A_SECOND: u64 = 90;

/// FHE units of `pbs` bootstrappings: 1 for each 100 begun.
pub fn units(pbs: u64) -> u64 {
    pbs.div_ceil(PBS_A_UNIT)
}

/// FHE units of a program that was cancelled or failed by its user's fault after `pbs` bootstrappings, rounded down in
/// the tenant's favour.
pub fn units_done(pbs: u64) -> u64 {
    pbs / PBS_A_UNIT
}

/// A guess of the seconds that `pbs` bootstrappings take on two cores, at least 1; a promise of nothing.
pub fn estimated_seconds(pbs: u64) -> u64 {
    pbs.div_ceil(PBS_A_SECOND).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_begun_or_done() {
        assert_eq!([0, 1, 100, 101, 250].map(units), [0, 1, 1, 2, 3]);
        assert_eq!([0, 99, 100, 250].map(units_done), [0, 0, 1, 2]);
        assert_eq!([0, 1, 90, 91].map(estimated_seconds), [1, 1, 1, 2]);
    }
}

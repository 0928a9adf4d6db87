//! Compute units (CU) that do not depend on the algorithm: of a payload, and of work that was cut short.

/// CU of a payload: 1 for each KiB begun of its `bytes`.
pub fn payload_units(bytes: usize) -> u64 {
    u64::try_from(bytes.div_ceil(1_024)).unwrap_or(u64::MAX)
}

/// CU of an execution that was cancelled or failed by its user's fault at `percent` done, rounded down in the
/// tenant's favour. Beyond 100 percent counts as 100.
pub fn units_done(execution_units: u64, percent: u8) -> u64 {
    let percent = u128::from(percent.min(100));
    u64::try_from(u128::from(execution_units) * percent / 100).unwrap_or(execution_units)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_costs_its_kib_begun() {
        assert_eq!([0, 1, 1_024, 1_025, 1_048_576].map(payload_units), [0, 1, 1, 2, 1_024]);
    }

    #[test]
    fn work_cut_short_is_rounded_down_and_never_more_than_all() {
        assert_eq!([0, 1, 50, 99, 100, 255].map(|percent| units_done(64, percent)), [0, 0, 32, 63, 64, 64]);
        assert_eq!(units_done(u64::MAX, 100), u64::MAX);
    }
}

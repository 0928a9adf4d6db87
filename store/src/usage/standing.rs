//! Where a row stands with the billing system: said of it alike wherever rows are told.

use chrono::{DateTime, Utc};

use super::TEST_MODE;

/// Where a row stands with the billing system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is sent soon, or again.
    Due,
    /// The billing system has it.
    Delivered(DateTime<Utc>),
    /// It was used in a sandbox, and is never billed.
    TestMode,
    /// It was taken back by a row of its own, and neither is billed.
    TakenBack,
    /// The billing system refused it, for this reason: somebody has to look at it.
    Refused(String),
}

impl Standing {
    /// Of a row with these columns.
    pub(super) fn of(dead_reason: Option<&str>, is_voided: bool, delivered_at: Option<DateTime<Utc>>) -> Self {
        match (dead_reason, is_voided, delivered_at) {
            (_, true, _) => Self::TakenBack,
            (Some(TEST_MODE), false, _) => Self::TestMode,
            (Some(reason), false, _) => Self::Refused(reason.to_owned()),
            (None, false, Some(at)) => Self::Delivered(at),
            (None, false, None) => Self::Due,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_back_or_refused_is_that_whoever_has_it() {
        let at = Some(DateTime::UNIX_EPOCH);
        for (reason, is_voided, delivered_at, expected) in [
            (None, false, None, Standing::Due),
            (None, false, at, Standing::Delivered(DateTime::UNIX_EPOCH)),
            (Some(TEST_MODE), false, None, Standing::TestMode),
            (Some("422: no"), false, None, Standing::Refused("422: no".to_owned())),
            (Some("422: no"), true, None, Standing::TakenBack),
            (Some("no invoice has it"), true, at, Standing::TakenBack),
        ] {
            assert_eq!(Standing::of(reason, is_voided, delivered_at), expected, "{reason:?}");
        }
    }
}

//! The state of a row, in the same words wherever one is shown.

use jobs::wire::JobUsageState;
use store::usage::standing::Standing;

#[must_use]
pub fn state_of(standing: &Standing) -> JobUsageState {
    match standing {
        Standing::Due => JobUsageState::Due,
        Standing::Delivered(_) => JobUsageState::Delivered,
        Standing::TestMode => JobUsageState::TestMode,
        Standing::TakenBack => JobUsageState::TakenBack,
        Standing::Refused(_) => JobUsageState::Refused,
    }
}

//! What is computed on both sides.

use fhe::clear::ClearValue;
use fhe::inputs::Origin;
use serde_json::json;

/// One of them.
#[derive(Clone, Copy)]
pub(crate) enum Task {
    Statistics,
    Maximum,
    Membership,
}

/// The set in which the last task looks.
pub(crate) const SET: [u32; 16] = [7, 11, 400, 9_000, 77, 5, 6, 1_000_000, 42, 4_000_000_000, 17, 18, 19, 20, 21, 22];

impl Task {
    pub(crate) const ALL: [Self; 3] = [Self::Membership, Self::Maximum, Self::Statistics];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Statistics => "statistics of 10 u8",
            Self::Maximum => "maximum of 8 u16",
            Self::Membership => "u32 in a clear set of 16",
        }
    }

    pub(crate) fn payload(self) -> String {
        let (algorithm, parameters) = match self {
            Self::Statistics => ("encrypted_statistical_analysis", json!({})),
            Self::Maximum => ("encrypted_maximum", json!({})),
            Self::Membership => ("encrypted_set_membership", json!({ "set": SET })),
        };
        let url = format!("/v1/blobs/{}", "ab".repeat(32));
        json!({ "algorithm": algorithm, "encrypted_data_url": url, "parameters": parameters }).to_string()
    }

    pub(crate) fn values(self) -> Vec<ClearValue> {
        match self {
            Self::Statistics => [12, 200, 7, 91, 33, 150, 255, 0, 64, 64].map(ClearValue::U8).to_vec(),
            Self::Maximum => [300, 4_000, 65_535, 12, 0, 65_535, 9, 1_000].map(ClearValue::U16).to_vec(),
            Self::Membership => vec![ClearValue::U32(42)],
        }
    }
}

/// Whose inputs these are.
pub(crate) fn origin() -> Origin {
    Origin { tenant: "bench".to_owned(), submitter: [7; 20] }
}

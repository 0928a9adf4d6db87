//! When a pass over all tenants stops to ask: the books of one cannot be read, or nobody's can.

use billing::LagoError;
use store::StoreError;

/// Tenants in a row whose books were out of reach, whatever patience there was: then those of the others are, too.
const IN_A_ROW: u32 = 3;
/// Characters of a reason: an answer may be a whole page.
const LONGEST_REASON: usize = 300;

/// What the tenants before have met.
#[derive(Debug, Default)]
pub(super) struct Outage {
    in_a_row: u32,
}

impl Outage {
    /// A tenant's books were read.
    pub(super) fn ends(&mut self) {
        self.in_a_row = 0;
    }

    /// A tenant's were not.
    pub(super) fn met(&mut self, error: &anyhow::Error) {
        self.in_a_row = if is_out_of_reach(error) { self.in_a_row + 1 } else { 0 };
    }

    /// Whether there is no use in asking for more.
    pub(super) fn goes_on(&self) -> bool {
        self.in_a_row >= IN_A_ROW
    }
}

fn is_out_of_reach(error: &anyhow::Error) -> bool {
    error.downcast_ref::<LagoError>().is_some_and(LagoError::is_retryable)
        || error.downcast_ref::<StoreError>().is_some_and(StoreError::is_unavailable)
}

/// An error on one line of some length.
#[must_use]
pub fn reason(error: &anyhow::Error) -> String {
    let told = format!("{error:#}");
    let line = told.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST_REASON) {
        Some((end, _)) => format!("{} …", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    fn away() -> anyhow::Error {
        LagoError::Unavailable { reason: "nobody answers".to_owned(), retry_after: None }.into()
    }

    #[test]
    fn three_tenants_in_a_row_that_are_out_of_reach_are_an_outage() {
        let mut outage = Outage::default();
        for error in [away(), away().context("usage of acme"), anyhow!("an answer of another kind"), away(), away()] {
            outage.met(&error);
            assert!(!outage.goes_on(), "{error:#}");
        }
        outage.ends();
        (0..3).for_each(|_| outage.met(&away()));
        assert!(outage.goes_on());
    }

    #[test]
    fn a_reason_is_one_line_of_some_length() {
        assert_eq!(reason(&away().context("its\n  books")), "its books: Lago is unavailable: nobody answers");
        let long = reason(&anyhow!("ä".repeat(1000)));
        assert_eq!((long.chars().count(), long.ends_with("ä …")), (LONGEST_REASON + 2, true));
    }
}

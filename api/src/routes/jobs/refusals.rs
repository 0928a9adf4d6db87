//! Why a body is no job that can be run or priced, for its submission and for its quote alike.

use jobs::field_error::MAX_FIELD_ERRORS;
use jobs::submission::Refusal;
use jobs::{ErrorCode, FieldError};
use store::quotes::Unusable;

use crate::policy::problem::Problem;

/// What the body alone shows.
pub(super) fn invalid(refusal: Refusal) -> Problem {
    let detail = match (refusal.code, refusal.errors.len()) {
        (ErrorCode::UnknownAlgorithm, _) => "The algorithm is not known.".to_owned(),
        (_, 1) => "The job is not valid: a field is wrong.".to_owned(),
        (_, MAX_FIELD_ERRORS..) => {
            format!("The job is not valid: at least {MAX_FIELD_ERRORS} fields are wrong; the first of them are told.")
        }
        (_, wrong) => format!("The job is not valid: {wrong} fields are wrong."),
    };
    Problem::new(refusal.code, detail).with_errors(refusal.errors)
}

/// A deadline that has passed.
pub(super) fn late() -> Problem {
    let errors = vec![FieldError::new("/deadline", "has passed")];
    invalid(Refusal { code: ErrorCode::JobValidationFailed, errors })
}

/// A quote under which the job is not accepted.
pub(super) fn not_quoted(unusable: Unusable) -> Problem {
    let (code, detail, reason) = match unusable {
        Unusable::Unknown => {
            (ErrorCode::QuoteNotFound, "There is no such quote.".to_owned(), "names no quote of this tenant".to_owned())
        }
        Unusable::Used => {
            let detail = "A job was accepted under this quote.".to_owned();
            (ErrorCode::QuoteUsed, detail, "was used".to_owned())
        }
        Unusable::Expired(at) => {
            let at = at.format("%Y-%m-%dT%H:%M:%SZ");
            (ErrorCode::QuoteExpired, format!("The quote could be used until {at}."), "has expired".to_owned())
        }
        Unusable::Mismatched => {
            let detail = "What is submitted is not what was quoted.".to_owned();
            (ErrorCode::QuoteMismatch, detail, "is of another body: the rest of this one must be as it was".to_owned())
        }
        Unusable::TooDear(excess) => {
            let (units, counted, allowed) = (excess.units, excess.counted(), excess.allowed);
            let detail = format!("The job costs {units} {counted}; the quote allows {allowed}.");
            (ErrorCode::CostCeilingExceeded, detail, format!("allows {allowed} {counted}; the job costs {units}"))
        }
    };
    Problem::new(code, detail).with_errors(vec![FieldError::new("/quote_id", reason)])
}

#[cfg(test)]
mod tests {
    use jobs::usage::Units;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn each_quote_that_does_not_serve_has_a_code_of_its_own() {
        let excess = Units::plain(65).excess(Units::plain(18)).expect("it is more");
        let at = "2026-03-14T09:24:11.589Z".parse().expect("a time");
        let codes = [
            (Unusable::Unknown, ErrorCode::QuoteNotFound),
            (Unusable::Used, ErrorCode::QuoteUsed),
            (Unusable::Expired(at), ErrorCode::QuoteExpired),
            (Unusable::Mismatched, ErrorCode::QuoteMismatch),
            (Unusable::TooDear(excess), ErrorCode::CostCeilingExceeded),
        ];
        for (unusable, code) in codes {
            let problem = not_quoted(unusable);
            assert_eq!(problem.code(), code);
            problem.is_the_example_of_its_page();
        }
    }

    #[test]
    fn the_pages_show_what_is_said_of_a_body() {
        let read = |body: Value| {
            let refused = jobs::submission::read(&body, chrono::Utc::now(), "http://127.0.0.1:8080");
            invalid(refused.expect_err("refused"))
        };
        let misspelt = json!({
            "type": "compute", "prority": "high",
            "payload": {"algorithm": "prime_factorization", "input": {"number": 0}}
        });
        read(misspelt).is_the_example_of_its_page();
        let unknown = json!({"type": "compute", "payload": {"algorithm": "factorisation", "input": {"number": 6}}});
        read(unknown).is_the_example_of_its_page();
    }
}

//! Random bodies: whatever stands where, the answer is a submission or a refusal that says where.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;

use super::*;
use crate::field_error::MAX_FIELD_ERRORS;
use crate::garbage::json_value;
use crate::json::parse;

const ORIGIN: &str = "https://api.example.com";

/// What a plain submission may hold, and some of what it may not.
const NAMES: &[&str] = &[
    "type",
    "payload",
    "algorithm",
    "input",
    "parameters",
    "timeout",
    "number",
    "values",
    "a",
    "b",
    "priority",
    "deadline",
    "use_fhe",
    "useFHE",
];

/// Sound bodies, one of each algorithm.
fn sound() -> impl Strategy<Value = Value> {
    let body = |algorithm: &str, input: Value| {
        json!({
            "type": "compute",
            "payload": {"algorithm": algorithm, "input": input, "parameters": {"timeout": 300}},
            "priority": "normal",
            "deadline": "2030-01-01T00:00:00Z",
            "use_fhe": false
        })
    };
    select(vec![
        body("prime_factorization", json!({"number": 104_729})),
        body("statistical_analysis", json!({"values": [1, 2.5, -3e7]})),
        body("matrix_multiplication", json!({"a": [[1, 2], [3, 4]], "b": [[5, 6], [7, 8]]})),
    ])
}

/// Every place of a document.
fn places(value: &Value) -> Vec<String> {
    let members: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(index, value)| (index.to_string(), value)).collect(),
        _ => Vec::new(),
    };
    let below = members.iter().flat_map(|(name, value)| {
        places(value).into_iter().map(move |place| format!("/{name}{place}")).collect::<Vec<_>>()
    });
    std::iter::once(String::new()).chain(below).collect()
}

/// Numbers at every edge, and texts that look like numbers.
fn edges() -> impl Strategy<Value = Value> {
    let texts = ["-0", "-1", "0", "00", "1e400", "340282366920938463463374607431768211456", "0x10", " 1", "1.0", ""];
    let numbers = [json!(u64::MAX), json!(i64::MIN), json!(f64::MAX), json!(f64::MIN_POSITIVE), json!(-0.0)];
    select(texts.map(Value::from).into_iter().chain(numbers).collect::<Vec<_>>())
}

/// What the client is told must be of use: a code of this place, and pointers to what it sent or to what is missing there.
fn is_an_answer(body: &Value) -> Result<(), TestCaseError> {
    let now = "2029-12-31T00:00:00Z".parse().unwrap();
    match read(body, now, ORIGIN) {
        Ok(submission) => {
            prop_assert!(submission.maximum_units().compute > 0);
            prop_assert_eq!(submission.minimum_units().excess(submission.maximum_units()), None);
            prop_assert!(submission.estimated_seconds() > 0);
            prop_assert!(parse(submission.payload.as_bytes()).is_ok());
        }
        Err(Refusal { code, errors }) => {
            prop_assert!(matches!(code, ErrorCode::JobValidationFailed | ErrorCode::UnknownAlgorithm), "{}", code);
            prop_assert!((1..=MAX_FIELD_ERRORS).contains(&errors.len()), "{:?}", errors);
            for FieldError { pointer, reason } in errors {
                let parent = pointer.rsplit_once('/').map_or("", |(parent, _)| parent);
                prop_assert!(body.pointer(parent).is_some(), "nothing is at {}", pointer);
                prop_assert!(!reason.is_empty());
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn anything_at_all_is_answered(value in json_value(NAMES)) {
        let value = parse(value.to_string().as_bytes()).unwrap();
        is_an_answer(&value)?;
        is_an_answer(&json!({"type": "compute", "payload": value}))?;
    }

    #[test]
    fn anything_in_any_place_of_a_sound_body_is_answered(
        mut body in sound(),
        place in any::<prop::sample::Index>(),
        value in prop_oneof![edges(), json_value(NAMES)],
    ) {
        let places = places(&body);
        let place: &String = place.get(&places);
        *body.pointer_mut(place).unwrap() = value;
        is_an_answer(&parse(body.to_string().as_bytes()).unwrap())?;
    }

    /// Bytes that were changed are refused before they are read, or are another body.
    #[test]
    fn changed_bytes_are_answered(
        body in sound(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        length in any::<prop::sample::Index>(),
    ) {
        let mut bytes = body.to_string().into_bytes();
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if let Ok(body) = parse(&bytes) {
            is_an_answer(&body)?;
        }
        bytes.truncate(length.index(bytes.len()));
        if let Ok(body) = parse(&bytes) {
            is_an_answer(&body)?;
        }
    }
}

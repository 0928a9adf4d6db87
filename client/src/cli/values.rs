//! Values to encrypt, as people write them: `1,2,3` of one type, or `u8:5,bool:true`.

use fhe::clear::ClearValue;
use fhe::inputs::MAX_VALUES;
use jobs::fhe::program::ValueType;
use serde_json::{Number, Value, json};

use super::error::CliError;
use super::inputs::{read_source, words};

/// Reads a list from the command line.
///
/// # Errors
/// A sentence about the first value that is wrong.
pub(super) fn from_text(text: &str, kind: Option<ValueType>) -> Result<Vec<ClearValue>, String> {
    counted(words(text)?.into_iter().map(|word| typed(word, kind)).collect::<Result<_, _>>()?)
}

/// Reads a JSON array of numbers, bools and strings; a string may carry its type.
pub(super) fn from_file(name: &str, kind: Option<ValueType>) -> Result<Vec<ClearValue>, CliError> {
    let fault = |text: String| CliError::usage(format!("{name}: {text}"));
    let document = jobs::json::parse(&read_source(name)?).map_err(|error| fault(error.to_string()))?;
    let Value::Array(items) = document else { return Err(fault("is not a JSON array of values".to_owned())) };
    let values = items.iter().enumerate().map(|(index, item)| {
        let value = match item {
            Value::String(text) => typed(text, kind),
            item => one(item, kind),
        };
        value.map_err(|text| fault(format!("value {index}: {text}")))
    });
    counted(values.collect::<Result<_, _>>()?).map_err(fault)
}

fn counted(values: Vec<ClearValue>) -> Result<Vec<ClearValue>, String> {
    match values.len() {
        0 => Err("there are no values".to_owned()),
        1..=MAX_VALUES => Ok(values),
        count => Err(format!("{count} values; a job takes at most {MAX_VALUES}")),
    }
}

fn typed(word: &str, kind: Option<ValueType>) -> Result<ClearValue, String> {
    let (word, kind) = match word.split_once(':') {
        Some((name, word)) => (word, Some(value_type(name)?)),
        None => (word, kind),
    };
    one(&scalar(word), kind)
}

fn scalar(word: &str) -> Value {
    match word {
        "true" => json!(true),
        "false" => json!(false),
        // As a string: whole numbers are not to pass through a float.
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => json!(digits),
        other => serde_json::from_str::<Number>(other).map_or_else(|_| json!(other), Value::Number),
    }
}

fn one(value: &Value, kind: Option<ValueType>) -> Result<ClearValue, String> {
    let kind = kind.ok_or_else(|| {
        let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        format!("{shown} has no type: give --type, or write it as u8:{shown}")
    })?;
    ClearValue::from_json(kind, value).map_err(|error| error.to_string())
}

/// Reads a type's name.
///
/// # Errors
/// A sentence with the names.
pub(super) fn value_type(name: &str) -> Result<ValueType, String> {
    name.parse().map_err(|fault| format!("{name:?} {fault}"))
}

#[cfg(test)]
mod tests {
    use ClearValue::*;

    use super::*;

    #[test]
    fn lists_have_one_type_or_name_each() {
        assert_eq!(from_text("1, 2;255", Some(ValueType::U8)).unwrap(), [U8(1), U8(2), U8(255)]);
        let mixed = from_text("u8:5,bool:true u64:18446744073709551615", None).unwrap();
        assert_eq!(mixed, [U8(5), Bool(true), U64(u64::MAX)]);
        assert_eq!(from_text("7,bool:false", Some(ValueType::U16)).unwrap(), [U16(7), Bool(false)]);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        for (text, kind, word) in [
            ("1,256", Some(ValueType::U8), "does not fit u8: it goes from 0 to 255"),
            ("-1", Some(ValueType::U32), "-1 does not fit u32"),
            ("18446744073709551616", Some(ValueType::U64), "does not fit u64"),
            ("1.5", Some(ValueType::U8), "is not a whole number"),
            ("x", Some(ValueType::U8), "is not a whole number"),
            ("1", Some(ValueType::Bool), "is not true or false"),
            ("true", Some(ValueType::U8), "is not a whole number"),
            ("5", None, "5 has no type: give --type, or write it as u8:5"),
            ("u128:5", None, "\"u128\" is not one of bool, u8"),
            (" , ", Some(ValueType::U8), "there are no values"),
            ("1,,2", Some(ValueType::U8), "nothing stands at place 2"),
            (",1", Some(ValueType::U8), "nothing stands at place 1"),
        ] {
            let fault = from_text(text, kind).unwrap_err();
            assert!(fault.contains(word), "{text}: {fault}");
        }
        let many = "1,".repeat(MAX_VALUES + 1);
        assert!(from_text(&many, Some(ValueType::U8)).unwrap_err().contains("at most"));
    }

    #[test]
    fn files_are_json_arrays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("values.json");
        let name = path.to_str().unwrap();
        std::fs::write(&path, r#"[1, "2", "bool:true", 18446744073709551615]"#).unwrap();
        assert_eq!(from_file(name, Some(ValueType::U64)).unwrap(), [U64(1), U64(2), Bool(true), U64(u64::MAX)]);
        std::fs::write(&path, "[1, 300]").unwrap();
        let fault = from_file(name, Some(ValueType::U8)).unwrap_err();
        assert!(fault.to_string().contains("value 1: "), "{fault}");
        assert_eq!(fault.exit(), crate::cli::Exit::Usage);
        for bad in ["{}", "[", "[]", "[[1]]", "[null]"] {
            std::fs::write(&path, bad).unwrap();
            assert!(matches!(from_file(name, Some(ValueType::U8)), Err(CliError::Usage(_))), "{bad}");
        }
    }
}

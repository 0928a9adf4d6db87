//! Inputs as people have them: numbers on the command line, files of values, matrices and whole jobs.

use std::io::Read;

use jobs::json::MAX_SAFE_INTEGER;
use serde_json::{Number, Value, json};

use super::error::CliError;

/// Reads a file, or stdin for `-`.
pub(super) fn read_source(name: &str) -> Result<Vec<u8>, CliError> {
    let fault = |error: std::io::Error| CliError::usage(format!("cannot read {}: {error}", shown(name)));
    if name != "-" {
        return std::fs::read(name).map_err(fault);
    }
    let mut bytes = Vec::new();
    std::io::stdin().lock().read_to_end(&mut bytes).map_err(fault)?;
    Ok(bytes)
}

fn shown(name: &str) -> &str {
    if name == "-" { "stdin" } else { name }
}

/// A whole job, as strictly read as the API reads it.
pub(super) fn job_file(name: &str) -> Result<Value, CliError> {
    let body =
        jobs::json::parse(&read_source(name)?).map_err(|error| CliError::usage(format!("{}: {error}", shown(name))))?;
    if body.is_object() { Ok(body) } else { Err(CliError::usage(format!("{}: a job is a JSON object", shown(name)))) }
}

/// An integer as JSON keeps it exact.
pub(super) fn exact(number: u128) -> Value {
    match i64::try_from(number) {
        Ok(small) if small <= MAX_SAFE_INTEGER => json!(small),
        _ => json!(number.to_string()),
    }
}

/// Words between commas, semicolons or white space.
///
/// # Errors
/// A sentence that names the place of a value that was forgotten: nothing stands between two commas.
pub(super) fn words(text: &str) -> Result<Vec<&str>, String> {
    let text = text.trim();
    let parts: Vec<&str> = text.strip_suffix([',', ';']).unwrap_or(text).split([',', ';']).collect();
    if parts.len() > 1
        && let Some(at) = parts.iter().position(|part| part.trim().is_empty())
    {
        return Err(format!("nothing stands at place {} of {}", at + 1, parts.len()));
    }
    Ok(parts.into_iter().flat_map(str::split_whitespace).collect())
}

/// Numbers between commas or space.
///
/// # Errors
/// A sentence that names the first thing that is no number, or the place of one that was forgotten.
pub(super) fn numbers(text: &str) -> Result<Vec<Value>, String> {
    let values: Vec<Value> = words(text)?.into_iter().map(number).collect::<Result<_, _>>()?;
    if values.is_empty() { Err("there are no numbers".to_owned()) } else { Ok(values) }
}

fn number(word: &str) -> Result<Value, String> {
    if let Ok(number) = serde_json::from_str::<Number>(word) {
        return Ok(Value::Number(number));
    }
    let float: Option<f64> = word.parse().ok();
    float.and_then(Number::from_f64).map(Value::Number).ok_or_else(|| format!("{word:?} is not a number"))
}

/// A file of values: a JSON array, or numbers between commas, space and line ends.
pub(super) fn values_file(name: &str) -> Result<Value, CliError> {
    parsed_file(name, |text| numbers(text).map(Value::Array))
}

/// A file with a matrix: a JSON array of rows, or a row of numbers a line.
pub(super) fn matrix_file(name: &str) -> Result<Value, CliError> {
    parsed_file(name, |text| {
        let rows = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let rows = rows.map(|(line, row)| match numbers(row) {
            Ok(row) => Ok(Value::Array(row)),
            Err(fault) => Err(format!("line {}: {fault}", line + 1)),
        });
        rows.collect::<Result<Vec<Value>, String>>().map(Value::Array)
    })
}

fn parsed_file(name: &str, lenient: impl FnOnce(&str) -> Result<Value, String>) -> Result<Value, CliError> {
    let bytes = read_source(name)?;
    let fault = |text: String| CliError::usage(format!("{}: {text}", shown(name)));
    let text = std::str::from_utf8(&bytes).map_err(|_| fault("is not text".to_owned()))?;
    if text.trim_start().starts_with('[') {
        return jobs::json::parse(&bytes).map_err(|error| fault(error.to_string()));
    }
    lenient(text).map_err(fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> (tempfile::TempDir, String) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("input");
        std::fs::write(&path, text).unwrap();
        let name = path.to_str().unwrap().to_owned();
        (folder, name)
    }

    #[test]
    fn big_integers_go_as_strings() {
        assert_eq!(exact(104_729), json!(104_729));
        assert_eq!(exact((1 << 53) - 1), json!(9_007_199_254_740_991_i64));
        assert_eq!(exact(1 << 53), json!("9007199254740992"));
        assert_eq!(exact(u128::MAX), json!(u128::MAX.to_string()));
    }

    #[test]
    fn numbers_are_read_between_commas_and_space() {
        assert_eq!(numbers("1, 2.5;-3\n4e2 .5").unwrap(), [json!(1), json!(2.5), json!(-3), json!(400.0), json!(0.5)]);
        for bad in ["", " , ", "1,x", "NaN", "inf", "1,,2", ",1", "1,2,,", "1; ;2"] {
            assert!(numbers(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn files_are_json_or_plain_rows() {
        for text in ["[[1,2],[3,4]]", "1 2\n3 4\n", "1,2\r\n\n3,4"] {
            let (_folder, name) = file(text);
            assert_eq!(matrix_file(&name).unwrap(), json!([[1, 2], [3, 4]]), "{text}");
        }
        let (_folder, name) = file("1 2\n3 x\n");
        assert!(matrix_file(&name).unwrap_err().to_string().contains("line 2"));
        for text in ["1\n2\n3", "1,2,\n3,"] {
            let (_folder, name) = file(text);
            assert_eq!(values_file(&name).unwrap(), json!([1, 2, 3]), "{text}");
        }
        let (_folder, name) = file("1\n2,,3");
        assert!(values_file(&name).unwrap_err().to_string().contains("nothing stands at place 2 of 3"));
    }

    #[test]
    fn a_job_file_is_read_strictly() {
        let (_folder, name) = file(r#"{"payload":{"input":{"number":340282366920938463463374607431768211455}}}"#);
        assert_eq!(job_file(&name).unwrap()["payload"]["input"]["number"], u128::MAX.to_string());
        for bad in ["[]", "{", r#"{"a":1,"a":2}"#] {
            let (_folder, name) = file(bad);
            assert!(matches!(job_file(&name), Err(CliError::Usage(_))), "{bad}");
        }
        assert!(matches!(job_file("/no/such/file"), Err(CliError::Usage(_))));
    }
}

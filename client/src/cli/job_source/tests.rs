//! Flags become the body that the API documents.

use clap::Parser;

use super::super::submit::SubmitArgs;
use super::*;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    args: SubmitArgs,
}

fn read(line: &str) -> Result<Value, String> {
    let words = std::iter::once("submit").chain(line.split(' '));
    let cli = Cli::try_parse_from(words).map_err(|error| error.to_string())?;
    let now = "2026-01-01T00:00:00Z".parse().expect("a time");
    body(&cli.args.job, now).map_err(|error| error.to_string())
}

/// What the API itself thinks of the body.
fn accepted(body: &Value) -> bool {
    let now = "2026-01-01T00:00:00Z".parse().expect("a time");
    jobs::submission::read(body, now, "https://api.example.com").is_ok()
}

#[test]
fn flags_make_the_documented_body() {
    let body = read("prime_factorization --number 104729 --timeout 5m --priority high --deadline 10m").unwrap();
    let expected = json!({
        "type": "compute",
        "payload": {
            "algorithm": "prime_factorization",
            "input": { "number": 104_729 },
            "parameters": { "timeout": 300 }
        },
        "priority": "high",
        "deadline": "2026-01-01T00:10:00Z"
    });
    assert_eq!(body, expected);
    assert!(accepted(&body));
}

#[test]
fn every_algorithm_is_accepted_by_the_api() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("matrix");
    std::fs::write(&file, "1 2\n3 4\n").unwrap();
    let file = file.display();
    for line in [
        "prime_factorization --number 340282366920938463463374607431768211455".to_owned(),
        "statistical_analysis --values -1,2.5,3".to_owned(),
        format!("statistical_analysis --values-file {file}"),
        format!("matrix_multiplication --a {file} --b {file}"),
    ] {
        assert!(accepted(&read(&line).unwrap()), "{line}");
    }
}

#[test]
fn wrong_flags_are_named() {
    for (line, word) in [
        ("prime_factorization", "--number"),
        ("prime_factorization --values 1", "--values belongs to statistical_analysis"),
        ("statistical_analysis", "--values-file"),
        ("statistical_analysis --values 1,x", "\"x\" is not a number"),
        ("matrix_multiplication --a f", "--b FILE"),
        ("matrix_multiplication --a - --b -", "stdin"),
        ("prime_factorization --number 1 --timeout soon", "duration"),
        ("prime_factorization --number 1 --priority urgent", "low, normal, high"),
        ("prime_factorization --number 1 --max-wait 5", "--wait"),
        ("prime_factorization --number 1 --quote 7", "a quote id is a lower-case hyphenated UUID"),
        ("sorting --number 1", "prime_factorization"),
        ("--file f --number 1", "cannot be used with"),
        ("--wait", "ALGORITHM"),
        ("prime_factorization --number 1 --type u8", "--type belongs to encrypted jobs"),
        ("prime_factorization --number 1 --blob u", "--blob belongs to encrypted jobs"),
        ("prime_factorization --fhe program", "cannot be used with"),
        ("--fhe sorting --values 1", "encrypted_maximum"),
    ] {
        let fault = read(line).unwrap_err();
        assert!(fault.contains(word), "{line}: {fault}");
    }
}

#[test]
fn a_file_is_the_whole_job() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("job.json");
    std::fs::write(&file, r#"{"type":"compute","useFHE":false}"#).unwrap();
    let body = read(&format!("--file {}", file.display())).unwrap();
    assert_eq!(body, json!({ "type": "compute", "useFHE": false }));
}

/// The job of `submit --fhe`, as it is checked before anything is encrypted.
fn encrypted(line: &str) -> Result<Value, String> {
    let words = std::iter::once("submit").chain(line.split(' '));
    let args = Cli::try_parse_from(words).map_err(|error| error.to_string())?.args.job;
    let algorithm = args.encrypted.fhe.expect("--fhe");
    let values = args.encryption.values(args.values.as_deref()).map_err(|error| error.to_string())?;
    let now = "2026-01-01T00:00:00Z".parse().expect("a time");
    let job = encrypted::job(&args, algorithm, &values, now).map_err(|error| error.to_string())?;
    encrypted::check(&job, Some(&values)).map_err(|error| error.to_string())?;
    let key = crate::JobKey::network(alloy::primitives::B256::repeat_byte(7));
    Ok(job.body("/v1/blobs/0000000000000000000000000000000000000000000000000000000000000001", Some(key)))
}

#[test]
fn encrypted_flags_make_the_documented_body() {
    let body = encrypted("--fhe encrypted_maximum --type u16 --values 3,5 --timeout 5m --priority high").unwrap();
    let expected = json!({
        "type": "fhe_compute",
        "payload": {
            "algorithm": "encrypted_maximum",
            "encrypted_data_url": "/v1/blobs/0000000000000000000000000000000000000000000000000000000000000001",
            "parameters": { "timeout": 300, "value_type": "u16", "count": 2 },
            "key": { "mode": "network", "key_id": format!("0x{}", "07".repeat(32)) }
        },
        "priority": "high",
        "use_fhe": true
    });
    assert_eq!(body, expected);
    assert!(accepted(&body));
}

#[test]
fn every_encrypted_algorithm_is_accepted_by_the_api() {
    for line in [
        "--fhe encrypted_statistical_analysis --type u8 --values 1,2,3 --parameters {\"statistics\":[\"mean\"]}",
        "--fhe encrypted_linear_score --type u8 --values 1,2 --parameters {\"weights\":[3,-4]}",
        "--fhe encrypted_set_membership --type u32 --values 7 --parameters {\"set\":[1,7]}",
    ] {
        assert!(accepted(&encrypted(line).unwrap()), "{line}");
    }
}

#[test]
fn what_an_algorithm_does_not_take_is_said_before_anything_is_encrypted() {
    for (line, word) in [
        ("--fhe encrypted_statistical_analysis --type u64 --values 1,2", "/parameters/"),
        ("--fhe encrypted_linear_score --type u8 --values 1,2", "/parameters/weights"),
        ("--fhe encrypted_maximum --type u8 --values 1,300", "300 does not fit u8"),
        ("--fhe encrypted_maximum --values 1", "has no type"),
        ("--fhe encrypted_maximum --type u8", "give the values"),
        ("--fhe encrypted_maximum --type u8 --values 1 --parameters [1]", "are a JSON object"),
        ("--fhe encrypted_maximum --type u8 --values 1 --parameters {", "--parameters: "),
        ("--fhe encrypted_maximum --type u8 --values 1,2 --parameters {\"spices\":1}", "/parameters/spices"),
        ("--fhe encrypted_maximum --values u8:1,u16:2", "the values must hold values of one type"),
    ] {
        let fault = encrypted(line).unwrap_err();
        assert!(fault.contains(word), "{line}: {fault}");
    }
}

/// The file that README.md shows, and values of the types that it declares.
#[test]
fn a_program_is_held_against_the_types_of_the_values() {
    let readme = include_str!("../../../../README.md");
    let (_, shown) = readme.split_once("cat > program.json <<'END'\n").expect("README shows a program");
    let (program, _) = shown.split_once("\nEND\n").expect("its end");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("program.json");
    std::fs::write(&file, program).unwrap();
    let line = |values: &str| format!("--fhe program --values {values} --parameters @{}", file.display());
    assert!(accepted(&encrypted(&line("u8:5,bool:true")).unwrap()));
    for (values, word) in [
        ("u8:5,u8:1", "/parameters/program/inputs/1/type"),
        ("u16:5,bool:true", "/parameters/program/inputs/0/type"),
        ("u8:5", "/parameters/program/inputs declares 2 inputs"),
    ] {
        let fault = encrypted(&line(values)).unwrap_err();
        assert!(fault.contains(word), "{values}: {fault}");
    }
}

#[test]
fn inputs_that_are_encrypted_already_have_their_types_and_owner() {
    for (line, flag) in [
        ("--fhe encrypted_maximum --blob-file f --type u8", "--type"),
        ("--fhe encrypted_maximum --blob u --type u8", "--type"),
        ("--fhe encrypted_maximum --blob-file f --tenant acme", "--tenant"),
    ] {
        let words = std::iter::once("submit").chain(line.split(' '));
        let fault = Cli::try_parse_from(words).map(|_| ()).unwrap_err().to_string();
        assert!(fault.contains("cannot be used with") && fault.contains(flag), "{line}: {fault}");
    }
}

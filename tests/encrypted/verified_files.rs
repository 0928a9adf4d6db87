//! `zama-jobs verify` with all that an encrypted job's leaf commits to: inputs, program, key and result, as files. And the
//! verifier in TypeScript, on the same receipt and chain.

use client::{EncryptedInputs, EncryptedJob};
use serde_json::{Value, json};

use super::story::KeyHolder;
use crate::harness::{JobHandle, PROGRAM, Run, Zama};

/// A flag of `verify` and its value.
type Given = (&'static str, String);

/// A completed job under its client's own key, and what was submitted.
pub struct Submitted<'a> {
    pub job: JobHandle<'a>,
    pub algorithm: &'static str,
    pub types: &'static str,
    pub inputs: &'a EncryptedInputs,
}

/// The job's own files fit its receipt, on chain; each that is another one is named, alone and with the others.
pub async fn each_file_is_held_against_the_leaf(holder: &KeyHolder<'_>, submitted: &Submitted<'_>) {
    let Submitted { job, algorithm, types, inputs } = *submitted;
    let (owner, zama) = (&holder.owner, &holder.owner.zama);
    let file = |name: &str, bytes: &[u8]| {
        let file = zama.stack.place.path(&format!("{}-{name}", job.id));
        std::fs::write(&file, bytes).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let another = |name: &str, bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        *bytes.last_mut().unwrap() ^= 1;
        file(&format!("another-{name}"), &bytes)
    };
    let body = |algorithm: &str| {
        let job = EncryptedJob::new(algorithm).with_parameters(json!({}));
        job.body("https://blobs.example.test/inputs", Some(inputs.key())).to_string()
    };
    let receipt = file("receipt", &serde_json::to_vec(&job.receipt().await).unwrap());
    let result = owner.client.result(job.id).await.unwrap().bytes;
    let own: [Given; 5] = [
        ("--input", file("input", inputs.bytes())),
        ("--payload", file("payload", body(algorithm).as_bytes())),
        ("--types", types.to_owned()),
        ("--key", file("key", holder.evaluation_key)),
        ("--result", file("result", &result)),
    ];
    let report: Value = verified(zama, &receipt, &own, 0);
    assert_eq!(report["verified"], true, "{report:#}");
    for name in ["event", "input", "program", "key", "result"] {
        assert!(named(&report, "passed").contains(&name), "{name}: {report:#}");
    }

    let input = ("--input", another("input", inputs.bytes()));
    let program = ("--payload", file("another-payload", body("encrypted_maximum").as_bytes()));
    let key = ("--key", another("key", holder.evaluation_key));
    let other_result = ("--result", another("result", &result));
    let all = [&input, &program, &key, &other_result].map(Clone::clone);
    for (expected, wrong) in [
        (&["input"][..], &[input][..]),
        (&["program"], &[program]),
        (&["program"], &[("--types", format!("{types},u8"))]),
        (&["key"], &[key]),
        (&["key"], &[("--key", format!("0x{}", "5e".repeat(32)))]),
        (&["result"], &[other_result]),
        (&["input", "program", "key", "result"], &all),
    ] {
        let given = own.clone().map(|own| wrong.iter().find(|wrong| wrong.0 == own.0).cloned().unwrap_or(own));
        let report = verified(zama, &receipt, &given, 7);
        let mut failed = named(&report, "failed");
        failed.sort_by_key(|name| expected.iter().position(|expected| expected == name));
        assert_eq!(failed, expected, "{wrong:?}: {report:#}");
    }
}

/// Both verifiers, on what a forger would change about an encrypted job's receipt.
pub async fn both_verifiers_agree(job: JobHandle<'_>, zama: &Zama<'_>) {
    let stack = zama.stack;
    let receipt = stack.place.path(&format!("{}-compared", job.id));
    std::fs::write(&receipt, serde_json::to_vec(&job.receipt().await).unwrap()).unwrap();
    let check = concat!(env!("CARGO_MANIFEST_DIR"), "/contracts/examples/verify-receipt/check.sh");
    let mut check = std::process::Command::new(check);
    check.env("ZAMA_BIN", PROGRAM).arg(receipt);
    let run = Run::of(check.args(["--rpc", &stack.rpc, "--registry", &stack.registry, "--brief"]));
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.stdout.contains("another handle: zama-jobs 7, TypeScript 7"), "{run:?}");
    assert!(run.stdout.contains("the honest receipt: zama-jobs 0, TypeScript 0"), "{run:?}");
}

fn verified(zama: &Zama<'_>, receipt: &str, given: &[Given], code: i32) -> Value {
    let stack = zama.stack;
    let mut arguments = vec!["--json", "verify", receipt, "--rpc", &stack.rpc, "--registry", &stack.registry];
    arguments.extend(given.iter().flat_map(|(flag, value)| [*flag, value.as_str()]));
    let run: Run = zama.runs(&arguments);
    assert_eq!(run.code, Some(code), "{given:?}: {run:?}");
    run.document()
}

/// Names of the checks that ended so.
fn named<'a>(report: &'a Value, outcome: &str) -> Vec<&'a str> {
    let checks = report["checks"].as_array().unwrap().iter().filter(|check| check["outcome"] == outcome);
    checks.map(|check| check["name"].as_str().unwrap()).collect()
}

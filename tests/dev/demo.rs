//! `zama-jobs demo`, to its end.

use crate::harness::{Demonstration, Dev, Place};

/// What the demo's sixteen numbers have, by a calculator.
const IN_CLEAR: [[&str; 2]; 6] =
    [["count", "16"], ["sum", "1259"], ["mean", "78"], ["min", "0"], ["max", "255"], ["variance", "5253"]];
const BILLED: [&str; 9] = [
    "chain_confirmations",
    "chain_confirmations",
    "compute_units",
    "compute_units",
    "fhe_compute_units",
    "jobs_completed",
    "jobs_completed",
    "jobs_submitted",
    "jobs_submitted",
];

#[test]
fn a_plain_and_an_encrypted_job_from_submit_to_invoice_line() {
    let place = Place::encrypted(&[]);
    let Demonstration { code, told, processes, words } = Dev::demonstrates(&place);
    assert_eq!(code, Some(0), "{told}");
    let line = |begins: &str, holds: &str| told.lines().any(|line| line.starts_with(begins) && line.contains(holds));

    assert!(line("  {", r#""prime":"1152921504606846883""#), "the factors: {told}");
    let opened: Vec<[&str; 2]> = told
        .lines()
        .filter_map(|line| {
            let words: Vec<&str> = line.strip_suffix("= in the clear")?.split_whitespace().collect();
            words.try_into().ok()
        })
        .collect();
    assert_eq!(opened, IN_CLEAR, "{told}");

    assert_eq!(told.matches("\nReceipt, verified against the chain\n").count(), 2, "{told}");
    assert_eq!(told.matches("\n  ok   verdict: ").count(), 2, "{told}");
    assert!(!told.contains("FAIL"), "{told}");

    let mut delivered: Vec<&str> = told
        .lines()
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            (words.get(2) == Some(&"delivered")).then(|| words[0])
        })
        .collect();
    delivered.sort_unstable();
    assert_eq!(delivered, BILLED, "{told}");
    assert!(told.contains("\nWhat the Lago stand-in (not a billing system) would invoice now\n"), "{told}");
    assert!(line("  Jobs completed ", " 2 ") && line("  would be invoiced ", " EUR "), "{told}");

    assert!(words.contains("fhe-child"), "nobody computed on ciphertexts");
    let left: Vec<_> = processes.iter().filter(|process| process.is_alive()).collect();
    assert!(left.is_empty(), "left behind: {left:?}");
    assert_eq!(place.status_exit_code(), Some(1));
}

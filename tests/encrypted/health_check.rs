//! `zama-jobs health`: what a container's health check hears of each process.

use crate::harness::Stack;

const NOBODY: &str = "127.0.0.1:1";

#[test]
fn who_serves_is_healthy_and_who_is_not_there_is_not() {
    let stack = Stack::encrypted();
    for process in ["api", "worker", "kms"] {
        let run = stack.runs(&["health", process], &[]).ends(0);
        assert!(run.stdout.is_empty() && run.stderr.is_empty(), "nothing to say: {run:?}");
    }
    let address = format!("http://{NOBODY}");
    for (process, setting, value) in [
        ("api", "ZAMA__API__LISTEN", NOBODY),
        ("worker", "ZAMA__WORKER__METRICS_LISTEN", NOBODY),
        ("kms", "ZAMA__KMS__URL", address.as_str()),
    ] {
        let run = stack.runs(&["health", process], &[(setting, value)]).ends(1);
        assert!(run.stdout.is_empty() && run.stderr.lines().count() == 1, "one reason: {run:?}");
    }
}

//! Recorded histories against today's workflow code: a change that would break running workflows fails here.
//!
//! The histories in `temporal/histories` were recorded with the development codec key; `README.md` there says how.

use std::path::{Path, PathBuf};

use temporal::codec::KeyRing;
use temporalio_client::WorkflowHistory;
use temporalio_sdk::workflow_replayer::{WorkflowReplayer, WorkflowReplayerOptions};
use workflows::{
    BatcherWorkflow, JobWorkflow, KeyCheckWorkflow, ReconciliationWorkflow, ReporterWorkflow, UsageHoursWorkflow,
};

/// `temporal.codec_keys` of `settings/config.default.toml`.
const KEYS: &str = "dev-1:7a616d612d6a6f62732d646576656c6f706d656e742d636f6465632d6b657931";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../temporal/histories")
}

async fn replays(path: &Path) -> Result<(), String> {
    let keys = KeyRing::parse(KEYS).expect("the development key is valid");
    let options = WorkflowReplayerOptions::new()
        .register_workflow::<JobWorkflow>()
        .and_then(|options| options.register_workflow::<BatcherWorkflow>())
        .and_then(|options| options.register_workflow::<ReporterWorkflow>())
        .and_then(|options| options.register_workflow::<UsageHoursWorkflow>())
        .and_then(|options| options.register_workflow::<ReconciliationWorkflow>())
        .and_then(|options| options.register_workflow::<KeyCheckWorkflow>())
        .expect("each workflow registers once")
        .data_converter(temporal::data_converter(keys))
        .build();
    let replayer = WorkflowReplayer::new(options).map_err(|error| error.to_string())?;
    let recorded = std::fs::read(path).expect("a readable history");
    let history = WorkflowHistory::from_json(&recorded).map_err(|error| error.to_string())?;
    replayer.replay_workflow(history).await.map(drop).map_err(|error| error.to_string())
}

#[tokio::test]
async fn every_recorded_path_replays() {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder()).expect("the histories exist") {
        let path = entry.expect("a readable folder").path();
        if path.extension().is_some_and(|extension| extension == "json") {
            replays(&path).await.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            paths.push(path.file_stem().expect("a name").to_string_lossy().into_owned());
        }
    }
    paths.sort();
    let plain = [
        "cancelled",
        "cancelled_while_pending",
        "completed",
        "deadline",
        "failed",
        "restarted_while_confirming",
        "timeout",
    ];
    let encrypted = ["fhe_cancelled", "fhe_completed", "fhe_refused", "key_check"];
    let service = ["batcher", "reconciliation", "reporter", "usage_hours"];
    let mut expected = [plain.as_slice(), &encrypted, &service].concat();
    expected.sort_unstable();
    assert_eq!(paths, expected);
}

/// The test above would be worth nothing if a history that does not fit replayed as well.
#[tokio::test]
async fn a_history_of_other_code_does_not_replay() {
    for (path, activity) in [("completed", "meter"), ("fhe_completed", "fhe_compute"), ("key_check", "check_key")] {
        let recorded = std::fs::read_to_string(folder().join(format!("{path}.json"))).expect("a readable history");
        let other = tempfile::NamedTempFile::new().expect("a temporary file");
        let encoded = recorded.replace(&format!(r#""name":"{activity}""#), r#""name":"another""#);
        assert_ne!(encoded, recorded, "the history names the activity");
        std::fs::write(other.path(), encoded).expect("the file is written");
        assert!(replays(other.path()).await.is_err(), "{path}");
    }
}

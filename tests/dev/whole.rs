//! All eight parts at once, key manager and FHE worker among them.

use nix::sys::signal::Signal;

use crate::harness::{Dev, Place, Process, descendants, eventually};

const PARTS: [&str; 8] = ["postgres", "temporal", "anvil", "lago", "kms", "worker", "worker-fhe", "api"];
/// What scripts read in `.zama/dev.env`, in its order.
const KEYS: [&str; 11] = [
    "ZAMA_API",
    "ZAMA_TOKEN",
    "ZAMA_DATABASE_URL",
    "ZAMA_TEMPORAL",
    "ZAMA_TEMPORAL_UI",
    "ZAMA_RPC",
    "ZAMA_REGISTRY",
    "ZAMA_KMS",
    "ZAMA_LAGO_URL",
    "ZAMA_LAGO_KEY",
    "ZAMA_SUBMITTER_KEY",
];

/// Waits until the FHE worker has its computing process, and answers every process of the stack.
fn with_its_computing_process(dev: &Dev) -> Vec<Process> {
    let mut processes = Vec::new();
    eventually("the FHE worker has its computing process", || {
        processes = descendants(dev.pid());
        processes.iter().any(|process| process.arguments().iter().any(|argument| argument == "fhe-child"))
    });
    processes
}

#[test]
fn it_tells_what_runs_and_leaves_nothing_by_kill_9_nor_by_ctrl_c() {
    let place = Place::encrypted(&[]);
    let mut dev = Dev::start(&place);
    is_told(&place);
    let processes = with_its_computing_process(&dev);
    dev.signal(Signal::SIGKILL);
    assert_eq!(dev.exit_code(), None);
    eventually("every process of the killed stack is gone", || processes.iter().all(|process| !process.is_alive()));

    let dev = Dev::start(&place);
    let processes = with_its_computing_process(&dev);
    let told = dev.stop();
    let left: Vec<_> = processes.iter().filter(|process| process.is_alive()).collect();
    assert!(left.is_empty(), "left behind: {left:?}");
    for part in PARTS {
        assert!(told.lines().any(|line| line.split_whitespace().eq([part, "stopped"])), "{part}: {told}");
    }
    is_printed(&place, &told);
}

/// As `dev status` and the environment file say it.
fn is_told(place: &Place) {
    let parts = place.status();
    assert_eq!(parts.iter().map(|part| part.name.as_str()).collect::<Vec<_>>(), PARTS);
    assert!(parts.iter().all(|part| part.healthy && part.restarts == 0 && part.pid.is_some()), "{parts:?}");
    let shown = place.run(&["dev", "status"]);
    assert_eq!((shown.code, shown.stdout.lines().count()), (Some(0), PARTS.len()), "{shown:?}");

    let file = std::fs::read_to_string(place.path("dev.env")).unwrap();
    let keys = file.lines().map(|line| line.split_once('=').unwrap().0);
    let (settings, keys): (Vec<_>, Vec<_>) = keys.partition(|key| key.starts_with("ZAMA__"));
    assert_eq!(keys.into_iter().filter(|key| *key != "ZAMA_API_KEY").collect::<Vec<_>>(), KEYS);
    assert!(settings.contains(&"ZAMA__DATABASE__URL"), "the settings for whoever runs a part by hand: {settings:?}");
    for key in KEYS {
        assert!(!place.env(key).is_empty(), "{key}");
    }
    let origin = |port| format!("http://127.0.0.1:{}", place.port_base + port);
    let origins = ["ZAMA_API", "ZAMA_TEMPORAL_UI", "ZAMA_RPC", "ZAMA_LAGO_URL"].map(|key| place.env(key));
    assert_eq!(origins, [0, 4, 7, 8].map(origin));
    let addresses = ["ZAMA_TEMPORAL", "ZAMA_KMS"].map(|key| place.env(key));
    assert_eq!(addresses, [3, 10].map(|port| format!("127.0.0.1:{}", place.port_base + port)));
}

/// As the terminal showed it.
fn is_printed(place: &Place, told: &str) {
    let chain = format!("{} (registry {})", place.env("ZAMA_RPC"), place.env("ZAMA_REGISTRY"));
    let metering = format!("{} (the Lago stand-in (not a billing system))", place.env("ZAMA_LAGO_URL"));
    for (label, value) in [
        ("REST API", place.env("ZAMA_API")),
        ("Temporal UI", place.env("ZAMA_TEMPORAL_UI")),
        ("Database", place.env("ZAMA_DATABASE_URL")),
        ("Chain", chain),
        ("Metering", metering),
        ("Token", place.env("ZAMA_TOKEN")),
        ("State", place.data_dir().display().to_string()),
    ] {
        assert!(told.contains(&format!("\n  {label:<11}  {value}\n")), "{label} {value}: {told}");
    }
    assert!(told.contains(&place.path("dev.env").display().to_string()), "{told}");
}

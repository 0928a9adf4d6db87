//! The engines' life: they start, die, come back, and never outlive `zama-jobs dev`.

use std::os::unix::fs::PermissionsExt;

use nix::sys::signal::Signal;

use crate::harness::{Dev, Place, descendants, eventually, quantity};

#[test]
fn it_serves_until_ctrl_c_and_leaves_nothing() {
    let place = Place::engines();
    let mut dev = Dev::start(&place);

    let parts = place.status();
    assert_eq!(parts.iter().map(|part| part.name.as_str()).collect::<Vec<_>>(), ["postgres", "temporal", "anvil"]);
    assert!(parts.iter().all(|part| part.healthy && part.restarts == 0), "{parts:?}");

    let env_file = place.path("dev.env");
    assert_eq!(env_file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let rpc = place.env("ZAMA_RPC");
    let temporal = place.env("ZAMA_TEMPORAL");
    assert!(rpc.starts_with("http://127.0.0.1:"), "{rpc}");
    assert!(temporal.starts_with("127.0.0.1:"), "{temporal}");

    let processes = descendants(dev.pid());
    assert!(processes.len() > 3, "{processes:?}");
    dev.signal(Signal::SIGINT);
    assert_eq!(dev.exit_code(), Some(0));
    let left: Vec<_> = processes.iter().filter(|process| process.is_alive()).collect();
    assert!(left.is_empty(), "left behind: {left:?}");
    assert_eq!(place.status_exit_code(), Some(1));
}

#[test]
fn kill_9_leaves_no_process_and_the_next_start_finds_everything() {
    let place = Place::engines();
    let mut dev = Dev::start(&place);
    place.sql("CREATE TABLE kept (word text); INSERT INTO kept VALUES ('still here')");
    let account = "0x00000000000000000000000000000000000abcde";
    place.rpc("anvil_setBalance", &serde_json::json!([account, "0x2a"]));
    let head = quantity(&place.rpc("eth_blockNumber", &serde_json::json!([])));
    eventually("the chain is written", || place.written_block() > head);

    let processes = descendants(dev.pid());
    dev.signal(Signal::SIGKILL);
    assert_eq!(dev.exit_code(), None);
    // At once, while PostgreSQL may still be closing its files.
    let dev = Dev::start(&place);
    eventually("every process of the killed stack is gone", || processes.iter().all(|process| !process.is_alive()));

    assert_eq!(place.sql_value("SELECT word FROM kept"), "still here");
    assert_eq!(place.rpc("eth_getBalance", &serde_json::json!([account, "latest"])), "0x2a");
    dev.stop();
}

#[test]
fn a_part_that_dies_comes_back_and_is_counted() {
    let place = Place::engines();
    let dev = Dev::start(&place);
    for name in ["anvil", "postgres"] {
        let before = place.part(name);
        place.kill_9(&before);
        eventually("the part is back", || {
            let now = place.part(name);
            now.healthy && now.restarts >= 1 && now.pid.is_some() && now.pid != before.pid
        });
    }
    assert_eq!(place.part("temporal").restarts, 0);
    assert_eq!(place.sql_value("SELECT 'serves'"), "serves");

    let stop = place.run(&["dev", "stop"]);
    assert_eq!((stop.code, stop.stdout), (Some(0), format!("Stopped the stack on {}\n", place.data_dir().display())));
    let told = dev.ended();
    let stop = place.run(&["dev", "stop"]);
    let nothing = format!("zama-jobs dev does not run on {}\n", place.data_dir().display());
    assert_eq!((stop.code, stop.stderr), (Some(1), nothing));
    assert!(told.contains("died (signal 9)"), "{told}");
    assert!(told.contains("ready again"), "{told}");
}

#[test]
fn it_serves_though_nobody_reads_what_it_prints() {
    let place = Place::only("postgres");
    let dev = Dev::start_unread(&place);
    let before = place.part("postgres");
    place.kill_9(&before);
    eventually("the part is back", || {
        let now = place.part("postgres");
        now.healthy && now.restarts >= 1 && now.pid.is_some() && now.pid != before.pid
    });
    let told = dev.stop();
    assert!(!told.contains("panicked"), "{told}");
}

#[test]
fn an_interrupted_start_leaves_nothing_and_can_be_repeated() {
    let place = Place::engines();
    let mut dev = Dev::begin(&place);
    eventually("the cluster is being made", || place.data_dir().join("postgres/cluster.new").exists());
    let processes = descendants(dev.pid());
    dev.signal(Signal::SIGINT);
    assert_eq!(dev.exit_code(), Some(130));
    eventually("every process is gone", || processes.iter().all(|process| !process.is_alive()));
    Dev::start(&place).stop();
}

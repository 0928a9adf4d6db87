//! Deploying and changing a registry: shown before it is sent, made once, refused in words.

use alloy::primitives::Address;
use contracts::ZamaJobsRegistry;

use crate::anvil::{Anvil, CONFIRMER, CONFIRMER_KEY};
use crate::stage::Operator;

const STRANGER: &str = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC";

/// A deployed registry.
fn deployed() -> Operator {
    let mut operator = Operator::beside(Anvil::start(&[]));
    let run = operator.chain(&["deploy", "--yes"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    operator.set("ZAMA__CHAIN__REGISTRY", run.stdout.trim());
    operator
}

#[tokio::test]
async fn nothing_is_sent_without_a_yes() {
    let operator = Operator::beside(Anvil::start(&[]));
    let run = operator.chain(&["deploy"]);
    assert_eq!((run.code, operator.head().await), (Some(10), 0), "{run:?}");
    for told in ["1. deploy ZamaJobsRegistry: about ", "2. grant CONFIRMER_ROLE to ", "at most ", "give --yes"] {
        assert!(run.stderr.contains(told), "{told}: {}", run.stderr);
    }
    let run = operator.chain(&["deploy", "--json"]);
    assert_eq!((&run.json()["declined"], &run.json()["changed"]), (&true.into(), &false.into()));
}

#[tokio::test]
async fn deploying_again_finds_what_is_there() {
    let operator = Operator::beside(Anvil::start(&[]));
    let manager = STRANGER;
    let first = operator.chain(&["deploy", "--yes", "--json", "--key-manager", manager]);
    assert_eq!(first.code, Some(0), "{first:?}");
    let document = first.json();
    assert_eq!(document["transactions"].as_array().unwrap().len(), 3, "{document}");
    let registry: Address = document["registry"].as_str().unwrap().parse().unwrap();
    let contract = ZamaJobsRegistry::new(registry, operator.provider());
    assert_eq!(contract.keyManager().call().await.unwrap(), manager.parse::<Address>().unwrap());
    let role = contract.CONFIRMER_ROLE().call().await.unwrap();
    assert!(contract.hasRole(role, CONFIRMER).call().await.unwrap());

    let head = operator.head().await;
    let again = operator.chain(&["deploy", "--key-manager", manager]);
    assert_eq!((again.code, again.stdout.trim()), (Some(0), registry.to_string().as_str()), "no question is asked");
    assert!(again.stderr.contains("already"), "{again:?}");
    assert_eq!(operator.head().await, head, "nothing was sent");
}

#[tokio::test]
async fn a_role_is_granted_and_revoked_once() {
    let operator = deployed();
    for (command, sent) in [("grant-role", true), ("grant-role", false), ("revoke-role", true), ("revoke-role", false)]
    {
        let head = operator.head().await;
        let run = operator.chain(&[command, "pauser", STRANGER, "--yes", "--json"]);
        assert_eq!((run.code, &run.json()["changed"]), (Some(0), &sent.into()), "{command}: {run:?}");
        assert_eq!(operator.head().await, head + u64::from(sent));
    }
    let mistyped = STRANGER.replace("93BC", "93BD");
    assert_eq!(operator.chain(&["grant-role", "pauser", &mistyped, "--yes"]).code, Some(2), "its checksum is wrong");
    assert_eq!(operator.chain(&["grant-role", "admin", STRANGER, "--yes"]).code, Some(2));
}

#[tokio::test]
async fn confirmation_is_paused_and_resumed() {
    let operator = deployed();
    for (command, told) in [
        ("pause", "pause confirmation: 0x"),
        ("pause", "nothing to do"),
        ("unpause", "resume confirmation: 0x"),
        ("unpause", "nothing to do"),
    ] {
        let run = operator.chain(&[command, "--yes"]);
        assert!(run.code == Some(0) && run.stdout.contains(told), "{command}: {run:?}");
    }
}

#[tokio::test]
async fn what_is_refused_is_told_by_the_exit_code() {
    let mut operator = deployed();
    operator.set("ZAMA__CHAIN__DEPLOYER_KEY", CONFIRMER_KEY);
    let head = operator.head().await;
    let run = operator.chain(&["pause", "--yes", "--json"]);
    assert_eq!((run.code, &run.json()["error"]["exit_code"]), (Some(3), &3.into()), "{run:?}");
    assert!(run.stderr.contains("AccessControlUnauthorizedAccount"), "{run:?}");
    assert_eq!(operator.head().await, head, "what would be refused is not sent");

    operator.set("ZAMA__CHAIN__DEPLOYER_KEY", "0x12");
    let run = operator.chain(&["pause", "--yes"]);
    assert!(run.code == Some(2) && !run.stderr.contains("0x12"), "{run:?}");
    operator.set("ZAMA__CHAIN__CHAIN_ID", "1");
    operator.set("ZAMA__CHAIN__DEPLOYER_KEY", CONFIRMER_KEY);
    assert_eq!(operator.chain(&["deploy", "--yes"]).code, Some(2), "another chain");
    operator.anvil.stop();
    assert_eq!(operator.chain(&["deploy", "--yes"]).code, Some(8), "no answer");
}

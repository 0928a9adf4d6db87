//! Deploying and changing a registry: shown before it is sent, made once, refused in words.

use alloy::primitives::{Address, Bytes};
use alloy::providers::Provider;
use alloy::rpc::types::TransactionRequest;
use contracts::ZamaJobsRegistry;
use serde_json::{Value, json};

use crate::anvil::{Anvil, CONFIRMER, CONFIRMER_KEY, DEPLOYER_KEY};
use crate::keystore::{Keystore, PASSWORD};
use crate::stage::Operator;

/// anvil's account 0.
pub const DEPLOYER: &str = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
/// anvil's account 2: unlocked and rich.
pub const STRANGER: &str = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC";

impl Operator {
    /// What a wallet does with calls that were printed for it.
    async fn sends(&self, from: &str, calls: &Value) {
        for call in calls.as_array().unwrap() {
            let [to, from]: [Address; 2] = [call["to"].as_str().unwrap(), from].map(|text| text.parse().unwrap());
            let data: Bytes = call["data"].as_str().unwrap().parse().unwrap();
            let request = TransactionRequest::default().from(from).to(to).input(data.into());
            let sent = self.provider().send_transaction(request).await.unwrap().get_receipt().await.unwrap();
            assert!(sent.status(), "{call}");
        }
    }
}

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

#[tokio::test]
async fn whoever_deploys_for_another_admin_gets_no_right() {
    let operator = Operator::beside(Anvil::start(&[]));
    let deploy = ["deploy", "--admin", STRANGER, "--key-manager", DEPLOYER, "--yes", "--json"];
    let run = operator.chain(&deploy);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.stderr.contains(&format!("its admin {STRANGER} has still to send")), "{run:?}");
    let document = run.json();
    assert_eq!(
        (document["transactions"].as_array().unwrap().len(), &document["admin"]),
        (1, &json!(STRANGER.to_lowercase()))
    );
    let registry: Address = document["registry"].as_str().unwrap().parse().unwrap();
    let contract = ZamaJobsRegistry::new(registry, operator.provider());
    let [admin, payer]: [Address; 2] = [STRANGER, DEPLOYER].map(|text| text.parse().unwrap());
    assert_eq!(contract.defaultAdmin().call().await.unwrap(), admin);
    let (confirms, pauses) =
        (contract.CONFIRMER_ROLE().call().await.unwrap(), contract.PAUSER_ROLE().call().await.unwrap());
    for role in [Default::default(), confirms, pauses] {
        assert!(!contract.hasRole(role, payer).call().await.unwrap(), "{role}");
    }

    operator.sends(STRANGER, &document["calls"]).await;
    assert!(contract.hasRole(confirms, CONFIRMER).call().await.unwrap());
    assert_eq!(contract.keyManager().call().await.unwrap(), payer);
    let again = operator.chain(&deploy);
    assert_eq!((again.code, &again.json()["calls"], &again.json()["changed"]), (Some(0), &json!([]), &json!(false)));
    let printed = operator.chain(&["deploy", "--admin", STRANGER, "--print-call", "--json"]).json();
    assert_eq!((&printed["registry"], printed["calls"].as_array().unwrap().len()), (&json!(registry), 2));
}

#[tokio::test]
async fn a_call_is_printed_without_key_or_node_and_does_what_it_says() {
    let mut operator = deployed();
    let url = operator.anvil.rpc_url.clone();
    operator.set("ZAMA__CHAIN__DEPLOYER_KEY", "");
    operator.set("ZAMA__CHAIN__RPC_URL", "http://127.0.0.1:1");
    let mut calls = Vec::new();
    for command in [&["grant-role", "pauser", STRANGER][..], &["pause"], &["unpause"]] {
        let run = operator.chain(&[command, &["--print-call", "--json"]].concat());
        assert_eq!(run.code, Some(0), "{run:?}");
        calls.push(run.json()["calls"].clone());
    }
    let text = operator.chain(&["pause", "--print-call"]).stdout;
    assert!(text.starts_with("pause confirmation\n") && text.contains("data  0x8456cb59"), "{text}");
    operator.set("ZAMA__CHAIN__RPC_URL", url);
    let paused = async || {
        let status = operator.chain(&["status", "--json"]).json();
        status["chain"]["paused"].clone()
    };
    operator.sends(DEPLOYER, &calls[0]).await;
    operator.sends(STRANGER, &calls[1]).await;
    assert_eq!(paused().await, json!(true));
    operator.sends(DEPLOYER, &calls[2]).await;
    assert_eq!(paused().await, json!(false));
}

#[tokio::test]
async fn the_admins_key_may_stay_with_a_signing_server() {
    let mut operator = Operator::beside(Anvil::start(&[]));
    operator.set("ZAMA__CHAIN__DEPLOYER_KEY", "");
    operator.set("ZAMA__CHAIN__DEPLOYER_SIGNER_URL", operator.anvil.rpc_url.clone());
    operator.set("ZAMA__CHAIN__DEPLOYER_ADDRESS", DEPLOYER);
    let run = operator.chain(&["deploy", "--yes", "--json"]);
    assert_eq!((run.code, &run.json()["sender"]), (Some(0), &json!(DEPLOYER.to_lowercase())), "{run:?}");
    operator.set("ZAMA__CHAIN__REGISTRY", run.json()["registry"].as_str().unwrap());
    operator.set("ZAMA__CHAIN__DEPLOYER_SIGNER_URL", "http://127.0.0.1:1/key");
    let run = operator.chain(&["pause", "--yes"]);
    assert!(run.code == Some(8) && run.stderr.contains("the signing server is unavailable"), "{run:?}");
    assert!(!run.stderr.contains("/key"), "{run:?}");
}

#[tokio::test]
async fn the_admins_key_may_lie_in_an_encrypted_file() {
    let mut operator = Operator::beside(Anvil::start(&[]));
    let keystore = Keystore::import(operator.path("").as_path(), "admin", DEPLOYER_KEY);
    operator.set("ZAMA__CHAIN__DEPLOYER_KEY", "");
    operator.set("ZAMA__CHAIN__DEPLOYER_KEYSTORE", Keystore::path(&keystore.file));
    operator.set("ZAMA__CHAIN__DEPLOYER_PASSWORD_FILE", Keystore::path(&keystore.password_file));
    let run = operator.chain(&["deploy", "--yes", "--json"]);
    assert_eq!((run.code, &run.json()["sender"]), (Some(0), &json!(DEPLOYER.to_lowercase())), "{run:?}");
    operator.set("ZAMA__CHAIN__REGISTRY", run.json()["registry"].as_str().unwrap());

    operator.set("ZAMA__CHAIN__DEPLOYER_PASSWORD_FILE", "");
    let head = operator.head().await;
    for (password, code) in [("a mistaken one", 2), (PASSWORD, 0)] {
        operator.set("ZAMA__CHAIN__DEPLOYER_PASSWORD", password);
        let run = operator.chain(&["grant-role", "pauser", STRANGER, "--yes"]);
        assert_eq!(run.code, Some(code), "{run:?}");
        assert!(!run.stderr.contains(password) && !run.stdout.contains(password), "{run:?}");
        assert_eq!(run.stderr.contains("wants another password"), code == 2, "{run:?}");
    }
    assert_eq!(operator.head().await, head + 1);
}

#[tokio::test]
async fn what_hangs_is_told_by_its_hash_and_can_be_replaced() {
    let operator = deployed();
    let node = async |method: &'static str, params: Value| -> Value {
        operator.provider().raw_request(method.into(), params).await.unwrap()
    };
    node("evm_setAutomine", json!([false])).await;
    let grants = operator.chain(&["grant-role", "pauser", STRANGER, "--yes", "--wait", "1", "--json"]);
    assert_eq!(grants.code, Some(11), "{grants:?}");
    let hash = grants.json()["error"]["tx_hash"].as_str().unwrap().to_owned();
    let early = operator.chain(&["revoke-role", "pauser", STRANGER, "--yes"]);
    assert!(early.code == Some(0) && early.stdout.contains("1 of 0x"), "the grant is not seen yet: {early:?}");
    assert!(grants.stderr.contains(&format!("sent: {hash}")) && grants.stderr.contains("--replace"), "{grants:?}");
    let replaces = operator.chain(&["pause", "--yes", "--wait", "1", "--replace", "--json"]);
    assert_eq!(replaces.code, Some(11), "{replaces:?}");
    node("evm_mine", json!([])).await;
    assert_eq!(node("eth_getTransactionReceipt", json!([hash])).await, Value::Null, "its place was taken");
    let run = operator.chain(&["pause", "--yes"]);
    assert!(run.code == Some(0) && run.stdout.contains("nothing to do"), "{run:?}");
}

#[tokio::test]
async fn no_command_shows_a_node_s_key() {
    let mut operator = deployed();
    // Bound and dropped: a port on which nobody listens.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    operator.set("ZAMA__CHAIN__RPC_URL", format!("http://127.0.0.1:{port}/v3/0123456789abcdef"));
    operator.set("ZAMA__DATABASE__URL", format!("postgres://nobody@127.0.0.1:{port}/none"));
    operator.set("ZAMA__DATABASE__ACQUIRE_TIMEOUT_SECONDS", "1");
    operator.set("ZAMA__LOG__FILTER", "trace");
    for command in [&["status"][..], &["status", "--json"], &["pause", "--yes"], &["deploy", "--yes"], &["resync"]] {
        let run = operator.chain(command);
        assert!(run.stdout.contains(&port.to_string()) || run.stderr.contains(&port.to_string()), "{run:?}");
        assert!(!run.stdout.contains("0123456789abcdef") && !run.stderr.contains("0123456789abcdef"), "{run:?}");
    }
}

/// Every setting that production wants to be other than in development.
const PRODUCTION: [(&str, &str); 18] = [
    ("ZAMA__ENVIRONMENT", "production"),
    ("ZAMA__AUTH__KEYS_SECRET", ""),
    ("ZAMA__AUTH__REQUEST_KEY_SECRET", ""),
    ("ZAMA__AUTH__SIGNING_KEY_FILE", ""),
    ("ZAMA__BILLING__LAGO_KEY", ""),
    ("ZAMA__BLOBS__URL", "file:///nowhere"),
    ("ZAMA__CHAIN__CONFIRMER_KEY", ""),
    ("ZAMA__CHAIN__DEPLOYER_KEY", ""),
    ("ZAMA__DATABASE__MIGRATION_URL", ""),
    ("ZAMA__DATABASE__URL", "postgres://nobody@127.0.0.1:1/none"),
    ("ZAMA__KMS__API_CREDENTIAL", ""),
    ("ZAMA__KMS__STORAGE_SECRET", ""),
    ("ZAMA__KMS__URL", ""),
    ("ZAMA__KMS__WORKER_ADDRESSES", ""),
    ("ZAMA__KMS__WORKER_CREDENTIAL", ""),
    ("ZAMA__TEMPORAL__CODEC_KEYS", ""),
    ("ZAMA__WORKER__ATTESTATION_KEY", ""),
    ("ZAMA__CHAIN__DEPLOYER_ADDRESS", DEPLOYER),
];

#[tokio::test]
async fn in_production_whoever_pays_is_not_the_admin() {
    let mut operator = Operator::beside(Anvil::start(&[]));
    let warned = operator.chain(&["deploy", "--print-call"]);
    assert_eq!(warned.code, Some(0), "{warned:?}");
    assert!(warned.stderr.contains("production refuses that"), "{warned:?}");
    for (key, value) in PRODUCTION {
        operator.set(key, value);
    }
    operator.set("ZAMA__CHAIN__DEPLOYER_SIGNER_URL", operator.anvil.rpc_url.clone());
    let confirmer = CONFIRMER.to_string();
    let deploy = ["deploy", "--confirmer", confirmer.as_str()];
    for refused in [&["--yes", "--json"][..], &["--yes", "--json", "--admin", DEPLOYER], &["--print-call", "--json"]] {
        let run = operator.chain(&[&deploy[..], refused].concat());
        assert_eq!((run.code, &run.json()["error"]["exit_code"]), (Some(2), &json!(2)), "{refused:?}: {run:?}");
        assert!(run.stderr.contains("--admin"), "{run:?}");
        assert_eq!(operator.head().await, 0, "nothing was sent");
    }
    let missing = operator.chain(&["status", "--json", "--config", "/no/such/file"]);
    assert_eq!((missing.code, &missing.json()["error"]["exit_code"]), (Some(2), &json!(2)), "{missing:?}");
    let run = operator.chain(&[&deploy[..], &["--admin", STRANGER, "--yes", "--json"]].concat());
    assert_eq!((run.code, &run.json()["changed"]), (Some(0), &json!(true)), "{run:?}");
}

//! `contracts/script/Deploy.s.sol`, for whoever has Foundry and not our program: the same registry as `chain deploy`'s.

use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use alloy::primitives::{Address, B256};
use alloy::providers::Provider;
use contracts::{DEPLOYMENT, ZamaJobsRegistry, is_registry_code};
use serde_json::json;

use crate::anvil::{Anvil, CONFIRMER, DEPLOYER_KEY};
use crate::changes::{DEPLOYER, STRANGER};
use crate::stage::Operator;

const FORGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tools/forge.sh");
/// What forge compiles is kept between runs: it takes ten seconds.
const COMPILED: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/deploy-script");

impl Operator {
    /// Runs the script with the deployer's key and these roles; what it says.
    fn runs_the_script(&self, roles: &[(&str, &str)]) -> String {
        static COMPILER: Mutex<()> = Mutex::new(());
        let _alone = COMPILER.lock().unwrap_or_else(PoisonError::into_inner);
        let compiled = Path::new(COMPILED);
        let mut forge = Command::new(FORGE);
        forge.args(["script", "script/Deploy.s.sol", "--skip", "test", "--broadcast"]);
        forge.args(["--rpc-url", &self.anvil.rpc_url, "--private-key", DEPLOYER_KEY]);
        forge.env("FOUNDRY_OUT", compiled.join("out")).env("FOUNDRY_CACHE_PATH", compiled.join("cache"));
        forge.env("FOUNDRY_BROADCAST", self.path("broadcast")).env("CONFIRMER", CONFIRMER.to_string());
        let ran = forge.envs(roles.iter().copied()).output().unwrap();
        assert!(ran.status.success(), "{ran:?}");
        String::from_utf8(ran.stdout).unwrap()
    }
}

#[tokio::test]
async fn it_deploys_what_chain_deploy_deploys_and_leaves_the_payer_no_right() {
    let operator = Operator::beside(Anvil::start(&[]));
    let deploy = ["deploy", "--admin", STRANGER, "--key-manager", DEPLOYER];
    let printed = operator.chain(&[&deploy[..], &["--print-call", "--json"]].concat()).json();
    let registry: Address = printed["registry"].as_str().unwrap().parse().unwrap();
    assert!(operator.provider().get_code_at(registry).await.unwrap().is_empty());

    let said = operator.runs_the_script(&[("ADMIN", STRANGER), ("KEY_MANAGER", DEPLOYER)]);
    assert!(is_registry_code(&operator.provider().get_code_at(registry).await.unwrap()), "{said}");
    let contract = ZamaJobsRegistry::new(registry, operator.provider());
    assert_eq!(contract.defaultAdmin().call().await.unwrap(), STRANGER.parse::<Address>().unwrap());
    assert_eq!(contract.defaultAdminDelay().call().await.unwrap().to::<u32>(), 86_400, "a day");
    let roles =
        [B256::ZERO, contract.CONFIRMER_ROLE().call().await.unwrap(), contract.PAUSER_ROLE().call().await.unwrap()];
    for account in [DEPLOYER.parse().unwrap(), DEPLOYMENT.deployer] {
        for role in roles {
            assert!(!contract.hasRole(role, account).call().await.unwrap(), "{account} holds {role}");
        }
    }
    // What is left for the admin, in the same calls.
    let [_, calls @ ..] = printed["calls"].as_array().unwrap().as_slice() else { panic!("{printed}") };
    assert_eq!(calls.len(), 2, "{printed}");
    for call in calls {
        assert!(said.contains(call["data"].as_str().unwrap()), "{call} is not in: {said}");
    }

    let head = operator.head().await;
    let ours = operator.chain(&[&deploy[..], &["--yes", "--json"]].concat());
    let document = ours.json();
    assert_eq!((ours.code, &document["registry"], &document["changed"]), (Some(0), &json!(registry), &json!(false)));
    operator.runs_the_script(&[("ADMIN", STRANGER), ("KEY_MANAGER", DEPLOYER)]);
    assert_eq!(operator.head().await, head, "both find what is there");
}

#[tokio::test]
async fn an_admin_that_pays_sets_the_roles_up_in_one_run() {
    let operator = Operator::beside(Anvil::start(&[]));
    operator.runs_the_script(&[("ADMIN", DEPLOYER), ("PAUSER", STRANGER), ("KEY_MANAGER", STRANGER)]);
    let ours = operator.chain(&["deploy", "--yes", "--json", "--key-manager", STRANGER]);
    assert_eq!((ours.code, &ours.json()["changed"]), (Some(0), &json!(false)), "{ours:?}");
    let registry: Address = ours.json()["registry"].as_str().unwrap().parse().unwrap();
    let contract = ZamaJobsRegistry::new(registry, operator.provider());
    let pauses = contract.PAUSER_ROLE().call().await.unwrap();
    assert!(contract.hasRole(pauses, STRANGER.parse().unwrap()).call().await.unwrap());
}

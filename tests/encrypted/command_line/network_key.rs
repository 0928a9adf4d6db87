//! A job under the network's key, from its inputs to whoever else may read it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use retrieval::Signer;
use serde_json::json;

use super::Shell;
use crate::harness::{Stack, until};

const CHECKED: &str = "every hash is checked, and the key's id follows from them\n";

#[tokio::test]
async fn a_job_goes_from_encrypt_to_decrypt_and_its_result_to_a_grantee() {
    let stack = Stack::encrypted();
    let shell = Shell::of(stack, "shell").await;
    let key_id = shell.owner.key.info().key_id.to_string();

    let shown = shell.person(&["keys", "network"]);
    assert_eq!((shown.line("Key"), shown.stderr.ends_with(CHECKED)), (key_id.as_str(), true), "{shown:?}");
    assert_eq!(shell.script(&["keys", "network", "--key-id", &key_id])["key_id"], key_id);

    let encrypt = ["encrypt", "--type", "u8", "--values", "5,9", "--out", "inputs.bin"];
    let shown = shell.person(&encrypt);
    let size = fs::metadata(shell.path("inputs.bin")).unwrap().len();
    assert_eq!((shown.line("Values"), shown.line("Key")), ("2 x u8", format!("{key_id} (network)").as_str()));
    assert_eq!((shown.line("Size"), shown.line("File")), (format!("{size} bytes").as_str(), "inputs.bin"));
    shell.refused(&encrypt, 2, "inputs.bin exists already");

    let submit = ["submit", "--fhe", "encrypted_maximum", "--blob-file", "inputs.bin", "--sealing-key", "sealing.pem"];
    let sealing = shell.script(&["keys", "sealing", "-o", "sealing.pem"]);
    assert_eq!(sealing["public_key"], "sealing.pem.pub");
    assert_eq!(fs::metadata(shell.path("sealing.pem")).unwrap().permissions().mode() & 0o777, 0o600);
    let accepted = shell.script(&submit);
    let id = accepted["job_id"].as_str().unwrap();

    let shown = shell.person(&["decrypt", id, "--wait"]);
    assert_eq!(shown.stdout, "index  1\nprice  9\n", "{shown:?}");
    let registry = stack.registry.parse::<alloy::primitives::Address>().unwrap();
    assert!(
        shown.stderr.contains(&format!("is confirmed by the registry {registry}; opened and signed by")),
        "{shown:?}"
    );
    let opened = shell.script(&["decrypt", id, "--sealing-key", "sealing.pem"]);
    assert_eq!((&opened["job_id"], &opened["result"]), (&json!(id), &json!({"index": 1, "price": 9})));
    assert_eq!((&opened["verified_on_chain"], &opened["registry"]), (&json!(true), &json!(registry)));
    let key_manager = opened["key_manager"].as_str().unwrap();
    shell.person(&["decrypt", id, "--key-manager", key_manager]);

    let other = Signer::random().address().to_string();
    shell.refused(&["decrypt", id, "--key-manager", &other], 7, "the registry pins the key manager");
    shell.refused(&["decrypt", id, "--rpc", "http://127.0.0.1:1"], 8, "could not be checked");
    grants(&shell, id).await;
}

/// `grant`, what the grantee reads, and `revoke`.
async fn grants(shell: &Shell<'_>, id: &str) {
    let friend = Signer::random();
    let address = friend.address().to_string();
    fs::write(shell.path("friend.key"), friend.to_bytes().to_string()).unwrap();
    let decrypt = ["decrypt", id, "--submitter-key", "friend.key"];
    shell.refused(&decrypt, 3, "(403 SIGNATURE_INVALID)");

    let who = ["--job", id, "--grantee", &address];
    let grant = [&["grant"], who.as_slice()].concat();
    shell.refused(&grant, 1, "has 0");
    shell.owner.zama.stack.funds(shell.owner.submitter.address()).await;
    let granted = shell.script(&grant);
    assert_eq!((&granted["access"], &granted["grantee"]), (&json!(true), &json!(friend.address())), "{granted:#}");
    assert!(granted["transaction"]["gas_used"].as_u64() > Some(21_000), "{granted:#}");
    let again = shell.person(&grant);
    assert_eq!(again.stdout, format!("{} may read the result of job {id}.\n", friend.address()));
    assert!(again.stderr.contains("nothing was sent, nothing was paid"), "{again:?}");

    let read = until("the grant is final", async || {
        let run = shell.runs(&decrypt);
        (run.code == Some(0)).then_some(run)
    })
    .await;
    assert_eq!(read.stdout, "index  1\nprice  9\n");
    let revoked = shell.person(&[&["revoke"], who.as_slice()].concat());
    assert_eq!(revoked.stdout, format!("{} may not read the result of job {id}.\n", friend.address()));
    shell.refused(&decrypt, 3, "(403 ");
    assert_eq!(shell.script(&[&["revoke"], who.as_slice()].concat())["access"], false);
}

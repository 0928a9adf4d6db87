//! API, FHE worker and key manager as they run in production: processes of their own, over mTLS. Whoever has no
//! certificate of our authority gets no key, and whoever trusts another authority asks for none.

use serde_json::Value;

use crate::harness::{Place, Role, until};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/certificates");
/// Nobody is there: what this test is about needs neither chain nor database nor engine.
const NOWHERE: &str = "127.0.0.1:1";
/// Public key, reference string and evaluation key.
const PARTS: usize = 3;

/// Certificate, its key, and the authority that is trusted; by their files.
#[derive(Clone, Copy)]
struct Papers {
    owner: &'static str,
    authority: &'static str,
}

const OURS: Papers = Papers { owner: "client", authority: "authority" };
/// What is wrong, and what is shown; with nothing shown, the address alone says https.
const WRONG: [(&str, Option<Papers>); 3] = [
    ("a certificate of another authority", Some(Papers { owner: "other-client", authority: "authority" })),
    ("trust in another authority", Some(Papers { owner: "client", authority: "other-authority" })),
    ("no certificate", None),
];

/// The settings of a process that calls the key manager, or is it.
fn settings(url: &str, papers: Option<Papers>, others: &[(&str, String)]) -> Vec<(String, String)> {
    let mut all = vec![("KMS__URL", url.to_owned())];
    if let Some(Papers { owner, authority }) = papers {
        all.push(("KMS__CERTIFICATE_FILE", format!("{FOLDER}/{owner}.pem")));
        all.push(("KMS__KEY_FILE", format!("{FOLDER}/{owner}.key")));
        all.push(("KMS__AUTHORITY_FILE", format!("{FOLDER}/{authority}.pem")));
    }
    all.push(("TEMPORAL__ADDRESS", NOWHERE.to_owned()));
    all.push(("TEMPORAL__CODEC_LISTEN", String::new()));
    all.push(("WORKER__METRICS_LISTEN", String::new()));
    all.push(("DATABASE__URL", format!("postgres://nobody:none@{NOWHERE}/none")));
    all.push(("CHAIN__RPC_URL", format!("http://{NOWHERE}")));
    all.push(("KMS__RPC_URLS", format!("http://{NOWHERE}")));
    all.push(("BILLING__LAGO_URL", String::new()));
    all.extend(others.iter().cloned());
    all.into_iter().map(|(key, value)| (format!("ZAMA__{key}"), value)).collect()
}

fn start(place: &Place, name: &str, arguments: &[&str], settings: &[(String, String)]) -> Role {
    let settings: Vec<(&str, &str)> = settings.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    Role::start(place, name, arguments, &settings)
}

fn parts_in(folder: &std::path::Path) -> usize {
    std::fs::read_dir(folder)
        .map_or(0, |entries| entries.filter(|entry| entry.as_ref().unwrap().path().extension().is_none()).count())
}

/// How an API sees its key manager, once it has looked.
async fn key_manager_of(api: &str) -> (String, String) {
    until(&format!("{api} has looked at its key manager"), async || {
        let health: Value = reqwest::get(format!("{api}/v1/health")).await.ok()?.json().await.ok()?;
        let seen = &health["parts"]["key_manager"];
        let status = seen["status"].as_str()?;
        (status != "unknown").then(|| (status.to_owned(), seen["detail"].as_str().unwrap_or_default().to_owned()))
    })
    .await
}

#[tokio::test]
async fn processes_without_our_certificates_get_nothing_from_a_key_manager_with_them() {
    let place = Place::encrypted(&[]);
    let address = format!("127.0.0.1:{}", place.port_base);
    let url = format!("https://{address}");
    let server = Papers { owner: "server", authority: "authority" };
    let own = [("KMS__LISTEN", address.clone()), ("KMS__DATA_DIR", place.path("kms").display().to_string())];
    let kms = start(&place, "kms", &["kms"], &settings("", Some(server), &own));
    until("the key manager serves", async || kms.said().contains("serving keys").then_some(())).await;

    let worker = |name: &str, papers| {
        let folder = place.path(&format!("keys of {name}"));
        let own = [("FHE__KEY_FOLDER", folder.display().to_string())];
        (start(&place, name, &["worker", "--queue", "fhe"], &settings(&url, papers, &own)), folder)
    };
    let (_worker, folder) = worker("worker", Some(OURS));
    until("the worker has the keys", async || (parts_in(&folder) == PARTS).then_some(())).await;

    let mut port = place.port_base;
    let mut api = |name: &str, papers| {
        port += 1;
        let listen = format!("127.0.0.1:{port}");
        let own = [("API__LISTEN", listen.clone()), ("AUTH__SIGNING_KEY_FILE", String::new())];
        (start(&place, name, &["api"], &settings(&url, papers, &own)), format!("http://{listen}"))
    };
    let (_api, origin) = api("api", Some(OURS));
    assert_eq!(key_manager_of(&origin).await, ("ok".to_owned(), String::new()));

    for (what, papers) in WRONG {
        let (worker, folder) = worker(what, papers);
        until(&format!("a worker with {what} is refused"), async || {
            worker.said().contains("waiting for the key manager").then_some(())
        })
        .await;
        assert_eq!(parts_in(&folder), 0, "{what}");
        let (_api, origin) = api(&format!("api, {what}"), papers);
        let (status, detail) = key_manager_of(&origin).await;
        assert_eq!((status.as_str(), detail.as_str()), ("unavailable", "The key manager does not answer."), "{what}");
    }
    assert_eq!(key_manager_of(&origin).await.0, "ok", "it serves those that have one");
}

//! Keycloak as a child process, with the realm of `deploy/keycloak` and people in it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::until;

const REALM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/keycloak/zama.json");
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tools/keycloak.sh");
/// How the script ends where something is missing.
const MISSING: i32 = 3;

/// What people are known by; everybody has the same password.
pub const PASSWORD: &str = "correct horse battery staple";
pub const SECRET: &str = "a-secret-on-amys-phone";

/// Where Keycloak was unpacked.
pub struct Home(PathBuf);

/// It ends when this is dropped.
pub struct Keycloak {
    child: Child,
    folder: TempDir,
    pub issuer: String,
}

impl Home {
    /// Brings it, if that has not been done yet; or says what is missing for that.
    pub fn bring() -> Result<Self, String> {
        let output = Command::new(SCRIPT).stderr(Stdio::inherit()).output().unwrap();
        let told = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        match output.status.code() {
            Some(0) => Ok(Self(told.into())),
            Some(MISSING) => Err(told),
            _ => panic!("{SCRIPT} failed: {told}"),
        }
    }
}

/// Somebody of tenant `acme`.
fn person(name: &str, role: &str, phone: Option<&str>) -> Value {
    let mut credentials = vec![json!({"type": "password", "value": PASSWORD, "temporary": false})];
    credentials.extend(phone.map(|secret| {
        let data = json!({"subType": "totp", "digits": 6, "counter": 0, "period": 30, "algorithm": "HmacSHA256"});
        let secret = json!({"value": secret});
        json!({"type": "otp", "secretData": secret.to_string(), "credentialData": data.to_string()})
    }));
    json!({
        "username": name, "enabled": true, "email": format!("{name}@example.test"), "emailVerified": true,
        "firstName": name, "lastName": "Example", "realmRoles": [role], "groups": ["/acme"], "credentials": credentials
    })
}

impl Keycloak {
    /// Starts it on a port and does not wait.
    pub fn begin(Home(home): &Home, port: u16) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let own = |name: &str| folder.path().join(name);
        // What it writes is the test's own; what it only reads is shared.
        for shared in ["lib", "conf", "providers", "themes"] {
            symlink(home.join(shared), own(shared)).unwrap();
        }
        fs::create_dir_all(own("bin")).unwrap();
        fs::create_dir_all(own("data/import")).unwrap();
        fs::copy(home.join("bin/kc.sh"), own("bin/kc.sh")).unwrap();
        let mut realm: Value = serde_json::from_str(&fs::read_to_string(REALM).unwrap()).unwrap();
        realm["users"] = json!([
            person("ada", "zama-developer", None),
            person("amy", "zama-admin", Some(SECRET)),
            person("ann", "zama-admin", None),
            {"username": "guest", "enabled": true, "email": "guest@example.test", "emailVerified": true,
             "firstName": "Guest", "lastName": "Example",
             "credentials": [{"type": "password", "value": PASSWORD, "temporary": false}]},
        ]);
        fs::write(own("data/import/zama.json"), realm.to_string()).unwrap();
        let child = start(folder.path(), port);
        Self { child, issuer: format!("http://127.0.0.1:{port}/realms/zama"), folder }
    }

    fn told(&self) -> String {
        fs::read_to_string(self.folder.path().join("keycloak.log")).unwrap_or_default()
    }

    /// Waits until the realm is served.
    pub async fn serves(&mut self) {
        let configuration = format!("{}/.well-known/openid-configuration", self.issuer);
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        until("Keycloak serves the realm", async || {
            assert!(self.child.try_wait().unwrap().is_none(), "Keycloak ended: {}", self.told());
            let answer = http.get(&configuration).send().await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
    }
}

fn start(folder: &Path, port: u16) -> Child {
    let log = fs::File::create(folder.join("keycloak.log")).unwrap();
    let mut command = Command::new(crate::harness::PROGRAM);
    // Whatever becomes of the test, it goes with it: the script, and Java in its place.
    command.args(["spawn", "--parent", &std::process::id().to_string(), "--death-signal", "SIGKILL", "--", "sh"]);
    command.arg(folder.join("bin/kc.sh"));
    command.args(["start-dev", "--import-realm", "--db=dev-mem", "--http-host=127.0.0.1"]);
    command.arg(format!("--http-port={port}"));
    // It runs for a minute: what is compiled twice is not used.
    command.env("JAVA_OPTS_APPEND", "-XX:TieredStopAtLevel=1");
    command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    crate::harness::spawn(command)
}

impl Drop for Keycloak {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("Keycloak said:\n{}", self.told());
        }
    }
}

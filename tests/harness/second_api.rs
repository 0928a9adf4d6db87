//! A second process of the API beside the stack's own, and a third: same database, same engine, same settings.

use std::process::{Child, Command, Stdio};

use super::dev::spawn;
use super::patience::until;
use super::place::{PORTS_A_STACK, PROGRAM};
use super::stack::Stack;

pub struct SecondApi {
    child: Child,
    pub origin: String,
}

impl SecondApi {
    /// Starts it and waits until it serves.
    pub async fn start(stack: &Stack) -> Self {
        Self::start_at(stack, stack.place.port_base + PORTS_A_STACK - 1).await
    }

    /// As [`SecondApi::start`], beside a second one.
    pub async fn start_third(stack: &Stack) -> Self {
        Self::start_at(stack, stack.place.port_base + PORTS_A_STACK - 2).await
    }

    async fn start_at(stack: &Stack, port: u16) -> Self {
        let address = format!("127.0.0.1:{port}");
        let environment = stack.place.path("dev.env");
        let script = format!(
            "set -a; . {}; ZAMA__API__LISTEN={address}; ZAMA__TEMPORAL__CODEC_LISTEN=; exec {PROGRAM} api",
            environment.display()
        );
        let mut command = Command::new(PROGRAM);
        command.args(["spawn", "--parent", &std::process::id().to_string(), "--death-signal", "SIGKILL", "--"]);
        command.envs(stack.place.settings.iter().copied());
        command.args(["sh", "-euc", &script]).current_dir(stack.place.data_dir());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let api = Self { child: spawn(command), origin: format!("http://{address}") };
        until("the second API serves", async || {
            let answer = reqwest::get(format!("{}/readyz", api.origin)).await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
        api
    }
}

impl Drop for SecondApi {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

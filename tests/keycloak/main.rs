//! People log in at the real Keycloak, with the realm of `deploy/keycloak`, and work with its tokens.
//!
//! It needs Java, and Maven to bring Keycloak once. Where one is missing the test is ignored by name, as the runner counts
//! it, and says why; for that it is its own runner.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod browser;
mod keycloak;
mod one_time_code;
mod runner;
mod story;

#[path = "../harness/mod.rs"]
mod harness;

use std::process::ExitCode;

use keycloak::Home;

const TEST: &str = "keycloak::people_log_in_and_administer_with_a_second_factor";

fn main() -> ExitCode {
    runner::run(TEST, || match Home::bring() {
        Ok(home) => runner::Outcome::Run(Box::new(move || story::told(&home))),
        Err(missing) => runner::Outcome::Ignored(missing),
    })
}

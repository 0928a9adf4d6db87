//! The line under which nobody takes the Lago stand-in for Lago: beside whatever a command prints of the billing system. It
//! goes to stderr, since stdout is what scripts read.

use std::time::Duration;

use ::billing::{LagoClient, standin};
use settings::Settings;

use super::parts;
use crate::output;

/// For a name alone nobody waits for as long as for an answer that matters.
const PATIENCE: Duration = Duration::from_secs(5);

/// Names the stand-in, if an answer has come from it.
pub(super) fn name(lago: &LagoClient) {
    if lago.is_stand_in() {
        output::notice(format_args!("note: {} is {}", lago.origin(), standin::NAME));
    }
}

/// The same where perhaps nothing was asked for yet. Who does not answer has no name, and holds nothing back.
pub(super) async fn ask(lago: &LagoClient) {
    if !lago.is_stand_in() {
        drop(tokio::time::timeout(PATIENCE, lago.health()).await);
    }
    name(lago);
}

/// The same for what our database remembers of the billing system that the settings name.
pub(super) async fn ask_configured(settings: &Settings) {
    if let Ok(Some(lago)) = parts::lago(settings) {
        ask(&lago).await;
    }
}

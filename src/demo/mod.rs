//! `zama-jobs demo`: a plain job and an encrypted one, from submit to invoice line, on a stack of its own, for people to
//! see.

mod encrypted;
mod plain;
mod story;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Args;
use client::{Client, JobFilter};
use tokio_util::sync::CancellationToken;

use crate::dev::console::{StartArgs, watch_signals};
use crate::dev::progress::Progress;
use crate::dev::stack::Stack;
use crate::dev::wiring::Wiring;
use crate::output;
use story::Story;

#[derive(Args)]
pub struct DemoArgs {
    #[command(flatten)]
    start: StartArgs,
}

/// # Errors
/// What went wrong first; the stack is stopped all the same.
pub fn run(args: &DemoArgs) -> Result<ExitCode> {
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let interrupt = CancellationToken::new();
        watch_signals(interrupt.clone())?;
        output::line("Starting the stack")?;
        let progress: Progress = Arc::new(|event| output::progress(format_args!("  {event}")));
        let stack = Stack::start(args.start.options(interrupt.clone())?, progress).await?;
        let shown = tokio::select! {
            shown = show(stack.wiring()) => shown,
            () = interrupt.cancelled() => Err(anyhow::anyhow!("interrupted")),
        };
        output::progress("\nStopping the stack");
        stack.stop().await;
        shown.map(|()| ExitCode::SUCCESS)
    })
}

async fn show(wiring: &Wiring) -> Result<()> {
    let token = wiring.token.as_deref().context("there is no token")?;
    let story = Story { zama: Client::new(&wiring.api_url(), token)?, wiring };
    Box::pin(plain::show(&story)).await?;
    Box::pin(encrypted::show(&story)).await?;
    story.tell_invoice().await?;
    let workflow = format!("{}/namespaces/zama-jobs/workflows", wiring.temporal_ui());
    output::line(format_args!(
        "\nThe workflows stood in the Temporal UI at {workflow} (`make dev` keeps it running)."
    ))?;
    let listed = story.zama.list(&JobFilter::default()).await?.data.len();
    output::line(format_args!("Jobs of tenant {} on this stack, newest page: {listed}", story::TENANT))
}

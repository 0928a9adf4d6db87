//! Starts the Lago stand-in alone: `standin lago-standin --listen 127.0.0.1:PORT --data FILE --key KEY`.

use std::path::PathBuf;

use anyhow::{Context, Result};
use billing::standin;

#[tokio::main]
async fn main() -> Result<()> {
    let mut listen = None;
    let mut data = None;
    let mut key = None;
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        match name.as_str() {
            "lago-standin" => {}
            "--listen" => listen = arguments.next(),
            "--data" => data = arguments.next().map(PathBuf::from),
            "--key" => key = arguments.next(),
            other => anyhow::bail!("{other} is not an argument of the stand-in"),
        }
    }
    let listener = tokio::net::TcpListener::bind(listen.context("--listen is missing")?).await?;
    println!("{}", standin::banner(listener.local_addr()?));
    let stopped = async { drop(tokio::signal::ctrl_c().await) };
    standin::serve(listener, data.context("--data is missing")?, key.context("--key is missing")?, stopped).await
}

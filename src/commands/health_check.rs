//! `zama-jobs health`: asks a process on this machine once whether it serves. For containers' health checks: the images
//! have no other client.

use std::time::Duration;

use anyhow::{Context, Result};
use clap::ValueEnum;
use settings::Settings;
use tokio::time::timeout;

use super::{Role, key_manager, process};
use crate::dev::Probe;

/// How long the key manager may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whom to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Serving {
    /// The API at api.listen: its database answers.
    Api,
    /// The worker at worker.metrics_listen: it lives.
    Worker,
    /// The key manager at kms.url: it serves keys.
    Kms,
}

/// Ends well if it serves.
///
/// # Errors
/// It does not answer within two seconds, or says that it does not serve.
pub fn run(settings: &Settings, serving: Serving) -> Result<()> {
    process::run(settings, Role::Tool, |_stop| async move {
        match serving {
            Serving::Api => http(&api_address(settings)?).await,
            Serving::Worker => http(&format!("http://{}/livez", on_loopback(&settings.worker.metrics_listen)?)).await,
            Serving::Kms => ask_key_manager(settings).await,
        }
    })
}

fn api_address(settings: &Settings) -> Result<String> {
    let scheme = if settings.api.tls_certificate_file.is_empty() { "http" } else { "https" };
    Ok(format!("{scheme}://{}/readyz", on_loopback(&settings.api.listen)?))
}

/// An address to listen on, as this machine reaches it.
fn on_loopback(listen: &str) -> Result<String> {
    let (_, port) = listen.rsplit_once(':').context("the process listens nowhere")?;
    Ok(format!("127.0.0.1:{port}"))
}

/// The certificate is another name's, and nothing is told here: it is this machine that we speak to.
async fn http(url: &str) -> Result<()> {
    let client = reqwest::Client::builder().tls_danger_accept_invalid_certs(true).no_proxy().build()?;
    Probe::Http { url: url.to_owned() }.ask(&client).await
}

async fn ask_key_manager(settings: &Settings) -> Result<()> {
    let client = key_manager::of_api(settings)?.context("kms.url is empty")?;
    timeout(PATIENCE, client.health()).await.context("no answer within 2 s")??;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> Settings {
        let variables = variables.iter().map(|(key, value)| (format!("ZAMA__{key}"), (*value).to_owned()));
        Settings::load_with(None, variables).unwrap()
    }

    #[test]
    fn who_listens_everywhere_is_asked_on_loopback() {
        assert_eq!(on_loopback("0.0.0.0:8080").unwrap(), "127.0.0.1:8080");
        assert_eq!(on_loopback("[::]:8080").unwrap(), "127.0.0.1:8080");
        assert!(on_loopback("").is_err(), "a worker without metrics cannot be asked");
    }

    #[test]
    fn the_api_is_asked_as_it_serves() {
        let plain = settings(&[("API__LISTEN", "0.0.0.0:1")]);
        assert_eq!(api_address(&plain).unwrap(), "http://127.0.0.1:1/readyz");
        let tls =
            settings(&[("API__LISTEN", "0.0.0.0:1"), ("API__TLS_CERTIFICATE_FILE", "c"), ("API__TLS_KEY_FILE", "k")]);
        assert_eq!(api_address(&tls).unwrap(), "https://127.0.0.1:1/readyz");
    }
}

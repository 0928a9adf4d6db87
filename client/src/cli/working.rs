//! Progress of what happens on this machine and on the wire, on stderr: a bar of bytes, a spinner with the time.

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::output::to_stderr;
use crate::encrypted::OnBytes;

const BYTES: &str = "{spinner} {msg} {bar:30} {bytes} of {total_bytes}  {elapsed}";
const SPINNER: &str = "{spinner} {msg} {elapsed}";
const TICK: Duration = Duration::from_millis(100);

/// Shows that something goes on until it is dropped. Where no terminal is, one line says so.
pub(super) struct Working(ProgressBar);

impl Working {
    /// Something of unknown length.
    pub fn start(what: &'static str) -> Self {
        Self::shown(ProgressBar::new_spinner(), SPINNER, what)
    }

    /// A transfer of `total` bytes.
    pub fn transfer(what: &'static str, total: u64) -> Self {
        Self::shown(ProgressBar::new(total), BYTES, what)
    }

    fn shown(bar: ProgressBar, template: &str, what: &'static str) -> Self {
        if !std::io::stderr().is_terminal() {
            to_stderr(&format!("{what}\n"));
            return Self(ProgressBar::hidden());
        }
        // The templates are fixed; a wrong one costs its looks, not the work.
        bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_message(what);
        bar.enable_steady_tick(TICK);
        Self(bar)
    }

    /// Who is told the bytes.
    pub fn on_bytes(&self) -> OnBytes {
        let bar = self.0.clone();
        Arc::new(move |bytes| bar.set_position(bytes))
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_are_valid() {
        for template in [BYTES, SPINNER] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }
}

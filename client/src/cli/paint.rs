//! Colours, where a person looks and wants them.

use std::io::IsTerminal;

use jobs::JobStatus;

/// Whether to colour, decided once a stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paint {
    on: bool,
}

impl Paint {
    /// Colours a terminal, unless `NO_COLOR` is set (no-color.org) or the terminal is dumb.
    pub fn of(stream: &impl IsTerminal) -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        Self { on: stream.is_terminal() && !refused && !dumb }
    }

    #[cfg(test)]
    pub const fn plain() -> Self {
        Self { on: false }
    }

    pub fn strong(self, text: &str) -> String {
        self.with("1", text)
    }

    pub fn faint(self, text: &str) -> String {
        self.with("2", text)
    }

    pub fn bad(self, text: &str) -> String {
        self.with("1;31", text)
    }

    pub fn good(self, text: &str) -> String {
        self.with("32", text)
    }

    pub fn status(self, status: JobStatus, text: &str) -> String {
        let code = match status {
            JobStatus::Completed => "32",
            JobStatus::Failed => "31",
            JobStatus::Cancelled => "33",
            JobStatus::Pending | JobStatus::Processing | JobStatus::Confirming => "36",
        };
        self.with(code, text)
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.on { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// Text from elsewhere without control characters, which could move the cursor or rewrite the screen.
pub(super) fn tame(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_is_only_added_when_it_is_on() {
        assert_eq!(Paint::plain().status(JobStatus::Failed, "FAILED"), "FAILED");
        assert_eq!(Paint { on: true }.status(JobStatus::Failed, "FAILED"), "\u{1b}[31mFAILED\u{1b}[0m");
    }

    #[test]
    fn foreign_text_cannot_steer_the_terminal() {
        assert_eq!(tame("a\u{1b}[2J\r\nb\u{9b}c"), "a [2J  b c");
    }
}

//! The question whether what was shown shall be done.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use anyhow::{Context, Result};

use crate::output;

/// Asks on the terminal, and says `declined` unless the answer is yes. Where nobody is there to ask, it is no.
///
/// # Errors
/// The terminal cannot be read, or nobody sees the question.
pub(super) fn is_agreed(question: &str, declined: &str) -> Result<bool> {
    let input = std::io::stdin();
    if !input.is_terminal() {
        output::notice(format_args!("{declined}: nobody is there to ask; give --yes"));
        return Ok(false);
    }
    std::io::stderr().write_all(format!("{question} [y/N] ").as_bytes()).context("Failed to ask")?;
    let mut line = String::new();
    input.lock().read_line(&mut line).context("Failed to read the answer")?;
    let agreed = is_yes(&line);
    if !agreed {
        output::notice(declined);
    }
    Ok(agreed)
}

fn is_yes(line: &str) -> bool {
    matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_yes_is_one() {
        assert!(["y\n", "YES\n", " yes "].iter().all(|line| is_yes(line)));
        assert!(!["\n", "", "n\n", "yess\n", "j\n"].iter().any(|line| is_yes(line)));
    }
}

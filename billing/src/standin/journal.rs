//! The data file: one line a change, appended and synced before the change is answered.
//!
//! A line holds all records of one request, so that a batch is kept whole or not at all. A last line that lacks its
//! end was never answered; opening cuts it off.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::records::Record;

#[derive(Debug)]
pub(super) struct Journal {
    file: File,
    /// Bytes that are known to be whole lines.
    length: u64,
}

impl Journal {
    /// Opens or creates the file for this process alone, and hands back what it holds.
    pub(super) fn open(path: &Path) -> Result<(Self, Vec<Record>)> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).with_context(|| format!("Failed to create {}", folder.display()))?;
        }
        // It holds the key of webhooks, too.
        let opened = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path);
        let mut file = opened.with_context(|| format!("Failed to open {}", path.display()))?;
        if let Err(error) = file.try_lock() {
            bail!("{} is in use by another Lago stand-in ({error})", path.display());
        }
        let mut text = Vec::new();
        file.read_to_end(&mut text).with_context(|| format!("Failed to read {}", path.display()))?;
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        if whole < text.len() {
            tracing::warn!("Lago stand-in drops an unfinished last line of {}", path.display());
            file.set_len(whole as u64).with_context(|| format!("Failed to shorten {}", path.display()))?;
        }
        let mut records = Vec::new();
        for (number, line) in
            text[..whole].split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty())
        {
            let change: Vec<Record> = serde_json::from_slice(line)
                .with_context(|| format!("Line {} of {} is damaged", number + 1, path.display()))?;
            records.extend(change);
        }
        Ok((Self { file, length: whole as u64 }, records))
    }

    /// Returns when the change is on disk; after an error the file is as before.
    pub(super) fn append(&mut self, change: &[Record]) -> Result<()> {
        let mut line = serde_json::to_vec(change).context("Failed to write a record")?;
        line.push(b'\n');
        let written = self.file.write_all(&line).and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            self.file.set_len(self.length).context("Failed to undo an unfinished write")?;
            self.file.seek(SeekFrom::End(0)).context("Failed to undo an unfinished write")?;
            return Err(error).context("Failed to write the data file");
        }
        self.length += line.len() as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use chrono::Utc;
    use uuid::Uuid;

    use super::super::records::WebhookEndpoint;
    use super::*;

    fn record(url: &str) -> Record {
        Record::WebhookEndpoint(WebhookEndpoint {
            id: Uuid::nil(),
            webhook_url: url.to_owned(),
            signature_algo: "jwt".to_owned(),
            name: None,
            event_types: None,
            created_at: Utc::now(),
        })
    }

    #[test]
    fn an_unfinished_last_line_is_cut_off_and_the_rest_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new").join("lago.jsonl");
        let (mut journal, empty) = Journal::open(&path).unwrap();
        assert!(empty.is_empty());
        journal.append(&[record("a"), record("b")]).unwrap();
        drop(journal);
        let mut torn = std::fs::read(&path).unwrap();
        torn.extend_from_slice(br#"[{"kind":"webho"#);
        std::fs::write(&path, torn).unwrap();

        let (mut journal, kept) = Journal::open(&path).unwrap();
        assert_eq!(kept.len(), 2);
        journal.append(&[record("c")]).unwrap();
        drop(journal);
        assert_eq!(Journal::open(&path).unwrap().1.len(), 3);
    }

    #[test]
    fn a_file_serves_one_stand_in_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lago.jsonl");
        let first = Journal::open(&path).unwrap();
        assert!(format!("{:#}", Journal::open(&path).unwrap_err()).contains("in use"));
        drop(first);
        assert!(Journal::open(&path).is_ok());
    }

    #[test]
    fn a_damaged_line_is_named_and_nothing_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lago.jsonl");
        std::fs::write(&path, "[]\nrubbish\n").unwrap();
        assert!(format!("{:#}", Journal::open(&path).unwrap_err()).contains("Line 2"));
        assert_eq!(std::fs::read(&path).unwrap(), b"[]\nrubbish\n");
    }
}

//! `audit verify`

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use clap::Args;
use jobs::audit::{Head, Walk};
use serde_json::{Value, json};

use super::super::error::CliError;
use super::super::exit::Exit;
use super::super::globals::Session;
use super::super::paint::{Paint, tame};
use super::super::table::pairs;

/// What is said of lines that do not end with a head.
pub(super) const NO_HEAD: &str = "the export broke off: its last line, the head, is missing";

/// What `audit verify` takes.
#[derive(Args, Debug)]
pub struct VerifyArgs {
    /// An export to check, with nobody's help; without it the log as it is now
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// A head that was kept, as `audit export` prints it: the log must still hold that very entry. May be given again
    #[arg(long, value_name = "SEQ:HASH", value_parser = kept)]
    head: Vec<Head>,
    /// The log of the tenant's sandbox, in which its test keys act
    #[arg(long, conflicts_with = "file")]
    test_mode: bool,
}

/// What the check found.
#[derive(Debug, PartialEq)]
struct Verdict {
    /// As far as the entries were sound.
    head: Head,
    /// What is wrong, if anything.
    broken: Option<String>,
}

pub(super) async fn verify(session: &Session, args: &VerifyArgs) -> Result<Exit, CliError> {
    let mut check = Check::new(args.head.clone());
    match &args.file {
        Some(file) => read(file, &mut check)?,
        None => {
            let mut export = session.client()?.audit_export(args.test_mode).await?;
            while let Some(line) = export.line().await? {
                check.line(&line);
            }
        }
    }
    let verdict = check.finish();
    let document = json!({"verified": verdict.broken.is_none(), "head": verdict.head, "broken": verdict.broken});
    session.output.result(&document, |paint| text(&verdict, paint))?;
    Ok(if verdict.broken.is_none() { Exit::Success } else { Exit::NotVerified })
}

fn read(file: &Path, check: &mut Check) -> Result<(), CliError> {
    let unreadable = |error| CliError::usage(format!("cannot read {}: {error}", file.display()));
    for line in BufReader::new(File::open(file).map_err(unreadable)?).split(b'\n') {
        check.line(&line.map_err(unreadable)?);
    }
    Ok(())
}

/// Lines on their way to a verdict; after the first fault the others say nothing.
struct Check {
    walk: Walk,
    head: Option<Head>,
    broken: Option<String>,
}

impl Check {
    fn new(kept: Vec<Head>) -> Self {
        Self { walk: Walk::past(kept), head: None, broken: None }
    }

    fn line(&mut self, line: &[u8]) {
        if self.broken.is_some() {
            return;
        }
        if self.head.is_some() {
            self.broken = Some("something follows the head".to_owned());
            return;
        }
        // What is no JSON is no entry.
        let line: Value = serde_json::from_slice(line).unwrap_or_default();
        match head_of(&line) {
            Some(head) => self.head = Some(head),
            None => self.broken = self.walk.step(&line).err().map(|broken| broken.to_string()),
        }
    }

    fn finish(self) -> Verdict {
        let head = self.walk.head();
        let broken = self.broken.or_else(|| match self.head {
            Some(told) => self.walk.finish(told).err().map(|broken| broken.to_string()),
            None => Some(NO_HEAD.to_owned()),
        });
        Verdict { head, broken }
    }
}

/// The head, if that is what a line holds.
pub(super) fn head_of(line: &Value) -> Option<Head> {
    serde_json::from_value(line.get("head")?.clone()).ok()
}

fn kept(text: &str) -> Result<Head, String> {
    let (seq, hash) = text.split_once(':').ok_or("is not SEQ:HASH")?;
    let seq = seq.parse().ok().filter(|seq| *seq > 0).ok_or("does not begin with the number of an entry")?;
    let hash = hash.parse().map_err(|_| "does not end with a hash, 32 bytes in 0x-hex")?;
    Ok(Head { seq, hash })
}

fn text(verdict: &Verdict, paint: Paint) -> String {
    let Verdict { head, broken } = verdict;
    match broken {
        None => pairs(&[
            ("Verdict", paint.strong("the log is whole")),
            ("Entries", head.seq.to_string()),
            ("Head", format!("{}:{}", head.seq, head.hash)),
        ]),
        Some(broken) => pairs(&[
            ("Verdict", paint.bad("the log does not verify")),
            ("Because", tame(broken)),
            ("Sound", format!("up to entry {}", head.seq)),
        ]),
    }
}

#[cfg(test)]
mod tests {
    use alloy::primitives::B256;
    use jobs::audit::{AuditEntry, link};

    use super::*;

    /// An export of so many entries.
    fn export(entries: i64) -> Vec<String> {
        let mut head = Head::default();
        let mut lines = Vec::new();
        for number in 0..entries {
            let entry = AuditEntry::of_operator("test", format!("/{number}"), json!({}));
            let Value::Object(members) = serde_json::to_value(entry).unwrap() else { panic!("an object") };
            let linked = link(&"acme".parse().unwrap(), members, head);
            head = linked.head;
            let mut entry: Value = serde_json::from_str(&linked.text).unwrap();
            entry["hash"] = json!(head.hash);
            lines.push(entry.to_string());
        }
        lines.push(json!({ "head": head }).to_string());
        lines
    }

    fn verdict(lines: &[String], kept: Vec<Head>) -> Verdict {
        let mut check = Check::new(kept);
        lines.iter().for_each(|line| check.line(line.as_bytes()));
        check.finish()
    }

    fn broken(lines: &[String]) -> String {
        verdict(lines, Vec::new()).broken.expect("it does not verify")
    }

    #[test]
    fn a_whole_export_verifies_and_every_other_one_says_why_not() {
        let lines = export(3);
        let whole = verdict(&lines, Vec::new());
        assert_eq!((whole.head.seq, whole.broken), (3, None));
        assert_eq!(verdict(&export(0), Vec::new()).broken, None);
        let changed = lines[1].replace("\"/1\"", "\"/7\"");
        assert!(
            broken(&[lines[0].clone(), changed, lines[2].clone(), lines[3].clone()]).contains("entry 2 was changed")
        );
        assert!(broken(&[lines[0].clone(), lines[2].clone(), lines[3].clone()]).contains("entry 2 is missing"));
        assert!(broken(&[lines[1].clone(), lines[0].clone()]).contains("entry 1 is missing"));
        assert!(broken(&[&lines[..2], &lines[3..]].concat()).contains("the end is missing"));
        assert_eq!(broken(&lines[..3]), NO_HEAD);
        assert_eq!(broken(&[]), NO_HEAD);
        assert_eq!(broken(&[&lines[..], &lines[..1]].concat()), "something follows the head");
        assert!(broken(&["no JSON".to_owned()]).contains("no entry"));
    }

    #[test]
    fn a_kept_head_must_still_be_there() {
        let lines = export(3);
        let second: Value = serde_json::from_str(&lines[1]).unwrap();
        let known = kept(&format!("2:{}", second["hash"].as_str().unwrap())).unwrap();
        assert_eq!(verdict(&lines, vec![known]).broken, None);
        let other = Head { hash: B256::repeat_byte(7), ..known };
        assert!(verdict(&lines, vec![other]).broken.unwrap().contains("not the one that was known"));
        assert!(verdict(&lines, vec![Head { seq: 9, ..known }]).broken.unwrap().contains("the end is missing"));
        for wrong in ["", "2", "2:0x00", "x:0x00", "0:0x00"] {
            assert!(kept(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_verdict_stands_first() {
        let whole = verdict(&export(2), Vec::new());
        assert!(text(&whole, Paint::plain()).starts_with("Verdict  the log is whole\nEntries  2\nHead     2:0x"));
        let none = verdict(&[], Vec::new());
        assert!(text(&none, Paint::plain()).contains("Sound    up to entry 0\n"));
    }
}

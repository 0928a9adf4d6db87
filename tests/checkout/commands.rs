//! Commands that the documents print are the program's: each with its subcommands and its flags, as `--help` tells them.

use std::collections::BTreeMap;
use std::process::Command;

use crate::documents::{Document, Line, documents, lines, spans};

const PROGRAM: &str = env!("CARGO_BIN_EXE_zama-jobs");
const CALL: &str = "zama-jobs ";
/// What a document says in code and is no command: a message.
const MESSAGES: [&str; 1] = ["dev already runs on DIR (pid P)"];

/// The program's help texts, each asked for once.
#[derive(Default)]
struct Helps(BTreeMap<String, String>);

impl Helps {
    fn of(&mut self, path: &[&str]) -> &str {
        self.0.entry(path.join(" ")).or_insert_with(|| {
            let output = Command::new(PROGRAM).args(path).arg("--help").output().unwrap();
            assert!(output.status.success(), "zama-jobs {} --help: {output:?}", path.join(" "));
            String::from_utf8(output.stdout).unwrap()
        })
    }

    /// The commands below one.
    fn commands(&mut self, path: &[&str]) -> Vec<String> {
        let lines = self.of(path).lines().skip_while(|line| *line != "Commands:").skip(1);
        let listed = lines.take_while(|line| !line.is_empty()).filter_map(|line| line.strip_prefix("  "));
        listed
            .filter(|line| !line.starts_with(' '))
            .filter_map(|line| line.split(' ').next())
            .map(str::to_owned)
            .collect()
    }

    /// What is wrong with a call, if anything is.
    fn fault(&mut self, call: &str) -> Option<String> {
        let words = words(call);
        let mut path: Vec<&str> = Vec::new();
        for word in &words {
            let known = self.commands(&path);
            let alternatives: Vec<&str> = word.split('|').collect();
            if known.is_empty() || !alternatives.iter().all(|name| is_name(name)) {
                break;
            }
            if let Some(unknown) = alternatives.iter().find(|name| !known.iter().any(|command| command == *name)) {
                return Some(format!("zama-jobs {} has no command {unknown}", path.join(" ")));
            }
            if alternatives.len() > 1 {
                // Flags that follow belong to one of them.
                return None;
            }
            path.push(word);
        }
        let help = self.of(&path);
        let is_told = |flag: &str| help.split([' ', ',', '\n', '=']).any(|word| word == flag);
        let mut flags = words.iter().filter(|word| word.starts_with("--")).filter_map(|word| word.split('=').next());
        flags.find(|flag| !is_told(flag)).map(|flag| format!("zama-jobs {} has no {flag}", path.join(" ")))
    }
}

fn is_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_lowercase()) && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

/// The words of a call up to the end of its command, without the options in front of the command.
fn words(call: &str) -> Vec<&str> {
    let mut words: Vec<&str> = Vec::new();
    for word in call.split_whitespace() {
        if word.starts_with(['#', '|', '&', '>', '<', ';']) {
            break;
        }
        words.push(word.trim_matches(['[', ']', '(', ')', ',', ';', ':', '.', '…']));
        if word.ends_with([';', ')']) {
            break;
        }
    }
    while words.first().is_some_and(|word| word.starts_with("--")) {
        words.drain(..words.len().min(2));
    }
    words
}

/// What stands behind `zama-jobs` in a document's code, each time, with the number of its line.
fn calls(document: &str) -> Vec<(usize, &str)> {
    let mut calls = Vec::new();
    for (number, line) in lines(document) {
        match line {
            Line::Code(line) => {
                let begins = line
                    .match_indices(CALL)
                    .filter(|(at, _)| line[..*at].chars().next_back().is_none_or(|before| " (\"'=`".contains(before)));
                calls.extend(begins.map(|(at, _)| (number, &line[at + CALL.len()..])));
            }
            Line::Prose(line) => {
                calls.extend(spans(line).filter_map(|code| Some((number, code.strip_prefix(CALL)?))));
            }
        }
    }
    calls.retain(|(_, call)| !MESSAGES.contains(call));
    calls
}

#[test]
fn documents_print_commands_that_there_are() {
    let mut helps = Helps::default();
    let mut faults = Vec::new();
    let mut seen = 0;
    for Document { path, text } in documents() {
        for (number, call) in calls(&text) {
            seen += 1;
            let fault = helps.fault(call).map(|fault| format!("{}:{number}: {fault}", path.display()));
            faults.extend(fault);
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(seen > 100, "only {seen} commands were found: the documents are written in another way");
}

#[test]
fn what_is_no_command_is_found() {
    let mut helps = Helps::default();
    for (call, said) in [
        ("bill setup", "zama-jobs  has no command bill"),
        ("billing set-up --yes", "zama-jobs billing has no command set-up"),
        ("billing reconcile --fix", "zama-jobs billing reconcile has no --fix"),
        ("api-keys create|remove", "zama-jobs api-keys has no command remove"),
    ] {
        assert_eq!(helps.fault(call).as_deref(), Some(said));
    }
    for call in
        ["billing reconcile [--month 2026-11] [--format table|json|csv]", "--api https://a login", "verify FILE"]
    {
        assert_eq!(helps.fault(call), None, "{call}");
    }
    let document = "`zama-jobs dev` and\n```\n$ zama-jobs api # zama-jobs\nx-zama-jobs no\n```\n";
    assert_eq!(calls(document), [(1, "dev"), (3, "api # zama-jobs")]);
}

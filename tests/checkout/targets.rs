//! Targets of `make` that the documents print are the Makefile's.

use std::collections::BTreeSet;

use crate::documents::{Line, documents, lines, spans};

fn targets(makefile: &str) -> BTreeSet<&str> {
    let rules = makefile.lines().filter_map(|line| line.split_once(':')).filter(|(_, rest)| !rest.starts_with('='));
    rules.map(|(name, _)| name).filter(|name| is_target(name)).collect()
}

fn is_target(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_lowercase())
        && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

/// What `make` is asked for in a line of a shell.
fn goals(line: &str) -> Vec<&str> {
    let line = line.split_once(" #").map_or(line, |(line, _)| line);
    let mut goals = Vec::new();
    for command in line.split(['&', ';', '|', '(', ')']) {
        let is_setting = |word: &&str| word.contains('=');
        let mut words = command.split_whitespace().skip_while(|word| *word == "$" || is_setting(word));
        if words.next() == Some("make") {
            goals.extend(words.skip_while(is_setting).take_while(|word| !is_setting(word)));
        }
    }
    goals
}

#[test]
fn documents_print_targets_that_there_are() {
    let targets = targets(include_str!("../../Makefile"));
    let (mut faults, mut seen) = (Vec::new(), 0);
    for document in documents() {
        for (number, line) in lines(&document.text) {
            let asked: Vec<&str> = match line {
                Line::Code(line) => goals(line),
                Line::Prose(line) => spans(line).flat_map(goals).collect(),
            };
            seen += asked.len();
            let unknown = asked.into_iter().filter(|goal| !targets.contains(goal));
            faults.extend(unknown.map(|goal| format!("{}:{number}: make {goal}", document.path.display())));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(seen > 30, "only {seen} targets were found: the documents are written in another way");
}

#[test]
fn what_is_no_target_is_found() {
    let known = targets("A := b\nhelp: ## Show.\n\techo a: b\n.PHONY: help\ntest-fhe: help\nx := y\n");
    assert_eq!(known.into_iter().collect::<Vec<_>>(), ["help", "test-fhe"]);
    for (line, expected) in [
        ("$ make dev ARGS='--port-base 7700'  # make this", vec!["dev"]),
        ("ROUNDS=9 make bench-fhe", vec!["bench-fhe"]),
        ("make WHICH=all compose-run", vec!["compose-run"]),
        ("cd a && make lint fmt; make check", vec!["lint", "fmt", "check"]),
        ("make", vec![]),
        ("\"detail\": \"make another one first\"", vec![]),
    ] {
        assert_eq!(goals(line), expected, "{line}");
    }
}

//! The metrics that README.md and the finance guide tell are those that the programs have.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use crate::documents::{files, root};

const PREFIX: &str = "zama_";
const PAGES: [&str; 2] = ["README.md", "docs/finance.md"];
/// What begins as a metric does and is none: an example's key, a role of the database, the stand-in's key in development,
/// and the name under which Lago keeps a top-up's id.
const NO_METRICS: [&str; 4] = ["zama_2026", "zama_app", "zama_key", "zama_top_up"];

fn is_part(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'
}

/// Names of a document.
fn told(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !is_part(c)).filter(|word| word.starts_with(PREFIX))
}

/// Names of a program: whole literals.
fn given(source: &str) -> impl Iterator<Item = &str> {
    source.match_indices("\"zama_").filter_map(|(at, _)| {
        let (literal, _) = source[at + 1..].split_once('"')?;
        literal.chars().all(is_part).then_some(literal)
    })
}

#[test]
fn every_metric_is_told_and_no_other_is() {
    let root = root();
    let read = |path: PathBuf| fs::read_to_string(path).unwrap();
    let is_of_a_program =
        |path: &PathBuf| path.strip_prefix(&root).unwrap().components().any(|part| part.as_os_str() == "src");
    let sources: Vec<String> = files("rs").into_iter().filter(is_of_a_program).map(read).collect();
    let pages = PAGES.map(|page| read(root.join(page)));
    let is_metric = |name: &&str| !NO_METRICS.contains(name);
    let given: BTreeSet<&str> = sources.iter().flat_map(|source| given(source)).filter(is_metric).collect();
    let told: BTreeSet<&str> = pages.iter().flat_map(|page| told(page)).filter(is_metric).collect();
    assert!(given.len() > 30, "only {} metrics were found: they are named in another way", given.len());
    let unsaid: Vec<&&str> = given.difference(&told).collect();
    assert!(unsaid.is_empty(), "told by none of {PAGES:?}: {unsaid:?}");
    let unknown: Vec<&&str> = told.difference(&given).collect();
    assert!(unknown.is_empty(), "no program has {unknown:?}");
}

#[test]
fn names_are_found_as_they_are_written() {
    let source =
        "counter!(\"zama_a_total\", \"x\" => 1); const B: &str = \"zama_b\"; text.contains(\"zama_a_total 1\")";
    assert_eq!(given(source).collect::<Vec<_>>(), ["zama_a_total", "zama_b"]);
    let page = "| `zama_a_total{x}`, `zama_b` | sum(zama_b[2h]) is no `tzama_c` or ZAMA_API |";
    assert_eq!(told(page).collect::<Vec<_>>(), ["zama_a_total", "zama_b", "zama_b"]);
}

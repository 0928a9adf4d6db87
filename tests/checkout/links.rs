//! Where the documents lead: every relative link to something that there is, from README.md to every document, and within
//! DESIGN.md to its sections and decisions.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::documents::{Document, Line, documents, lines, root};

/// Links within the repository, with the numbers of their lines.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut links = Vec::new();
    for (number, line) in lines(text) {
        let Line::Prose(line) = line else { continue };
        let is_prose = |at: usize| line[..at].matches('`').count().is_multiple_of(2);
        let targets = line.match_indices("](").filter(|(at, _)| is_prose(*at)).map(|(at, found)| {
            let rest = &line[at + found.len()..];
            rest.split([')', ' ']).next().unwrap_or(rest)
        });
        let is_relative = |target: &&str| !target.contains("://") && !target.starts_with("mailto:");
        links.extend(targets.filter(is_relative).map(|target| (number, target)));
    }
    links
}

/// The titles of a document's sections.
fn headings(text: &str) -> Vec<&str> {
    let prose = lines(text).into_iter().filter_map(|(_, line)| match line {
        Line::Prose(line) if line.starts_with('#') => Some(line.trim_start_matches('#')),
        _ => None,
    });
    prose.filter_map(|title| title.strip_prefix(' ')).collect()
}

/// What leads to a document's sections, as GitHub makes it.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    let mut anchors = BTreeSet::new();
    for title in headings(text) {
        let slug = slug(title);
        let before = times.entry(slug.clone()).or_default();
        anchors.insert(if *before == 0 { slug } else { format!("{slug}-{before}") });
        *before += 1;
    }
    anchors
}

fn slug(title: &str) -> String {
    let kept = title.trim().to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// Where a link leads, or what is wrong with it.
fn destination(from: &Path, target: &str) -> Result<PathBuf, String> {
    let (path, anchor) = target.split_once('#').map_or((target, None), |(path, anchor)| (path, Some(anchor)));
    let file = if path.is_empty() { from.to_owned() } else { from.with_file_name(path) };
    let file = file.canonicalize().map_err(|_| format!("there is no {path}"))?;
    if let Some(anchor) = anchor {
        let text = fs::read_to_string(&file).map_err(|_| format!("{path} has no sections"))?;
        if !anchors(&text).contains(anchor) {
            return Err(format!("{} has no section #{anchor}", file.display()));
        }
    }
    Ok(file)
}

#[test]
fn links_lead_to_what_there_is() {
    let (mut faults, mut seen) = (Vec::new(), 0);
    for Document { path, text } in documents() {
        for (number, target) in links(&text) {
            seen += 1;
            let fault = destination(&path, target).err();
            faults.extend(fault.map(|fault| format!("{}:{number}: {fault}", path.display())));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(seen > 150, "only {seen} links were found: the documents are written in another way");
}

#[test]
fn every_document_is_led_to_from_the_readme() {
    let mut left: BTreeMap<PathBuf, String> =
        documents().into_iter().map(|document| (document.path, document.text)).collect();
    let mut open = vec![root().join("README.md")];
    while let Some(path) = open.pop() {
        let Some(text) = left.remove(&path) else { continue };
        for found in links(&text).into_iter().filter_map(|(_, target)| destination(&path, target).ok()) {
            // A folder leads to what is in it.
            open.extend(left.keys().filter(|path| path.parent() == Some(found.as_path())).cloned());
            open.push(found);
        }
    }
    assert!(left.is_empty(), "nobody is led to {:#?}", left.keys());
}

/// Numbers behind a word, in a document's prose.
fn numbers_behind(text: &str, word: &str) -> Vec<usize> {
    let behind = text.match_indices(word).map(|(at, _)| &text[at + word.len()..]);
    behind.filter_map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()).collect()
}

#[test]
fn sections_and_decisions_that_the_design_names_are_there() {
    let design = include_str!("../../DESIGN.md");
    let numbered = |titles: Vec<&str>| -> Vec<usize> {
        titles.into_iter().filter_map(|title| title.split_once(". ")?.0.parse().ok()).collect()
    };
    let sections = numbered(headings(design));
    let decisions = numbered(design.lines().filter_map(|line| line.strip_prefix("**")).collect());
    for (all, word) in [(&sections, "section "), (&decisions, "decision ")] {
        assert_eq!(*all, (1..=all.len()).collect::<Vec<_>>(), "each {word}has a number of its own, in order");
        assert!(all.len() > 10, "only {all:?}");
        let named = numbers_behind(design, word);
        assert!(named.iter().all(|number| all.contains(number)), "{word}{named:?}: there is one that is not there");
    }
}

#[test]
fn what_leads_nowhere_is_found() {
    let readme = root().join("README.md");
    for (target, fault) in [
        ("DESIGN.md#2-rooms", None),
        ("#tests", None),
        ("docs/errors", None),
        ("docs/no-such.md", Some("there is no docs/no-such.md")),
        ("docs/errors#retries", Some("docs/errors has no sections")),
    ] {
        assert_eq!(destination(&readme, target).err().as_deref(), fault, "{target}");
    }
    let unknown = destination(&readme, "DESIGN.md#2-room").unwrap_err();
    assert!(unknown.ends_with("DESIGN.md has no section #2-room"), "{unknown}");
    let document = "# The `first`: one, *or* two_b\n## A-B\n## A-B\n#no title\n```\n# code\n[a](b)\n```\n";
    assert_eq!(anchors(document).into_iter().collect::<Vec<_>>(), ["a-b", "a-b-1", "the-first-one-or-two_b"]);
    let line = "[a](b.md#c) and `[d](e)`, [`f`](g \"title\"), [h](https://i), [j](mailto:k), ![l](../m.png)";
    assert_eq!(links(line), [(1, "b.md#c"), (1, "g"), (1, "../m.png")]);
    assert_eq!(numbers_behind("section 7, section , sections 9 and (section 11)", "section "), [7, 11]);
}

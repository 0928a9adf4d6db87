//! The documents of the repository, and what in them is code.

use std::fs;
use std::path::{Path, PathBuf};

/// What builds leave in the checkout.
const LEFT_BEHIND: [&str; 2] = ["node_modules", "target"];

pub struct Document {
    pub path: PathBuf,
    pub text: String,
}

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).canonicalize().unwrap()
}

pub fn documents() -> Vec<Document> {
    let read = |path: PathBuf| Document { text: fs::read_to_string(&path).unwrap(), path };
    files("md").into_iter().map(read).collect()
}

/// All of a kind that belong to the repository.
pub fn files(extension: &str) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![root()]);
    while let Some(folder) = folders.pop() {
        // A folder of another test's may be gone by now.
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries.map(Result::unwrap) {
            let (name, path) = (entry.file_name(), entry.path());
            if name.to_string_lossy().starts_with('.') || LEFT_BEHIND.iter().any(|left| name == *left) {
                continue;
            }
            if entry.file_type().unwrap().is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|its| its == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// Of a block of code.
    Code(&'a str),
    Prose(&'a str),
}

/// A document's lines with their numbers, without the fences of its blocks.
pub fn lines(text: &str) -> Vec<(usize, Line<'_>)> {
    let mut lines = Vec::new();
    let mut is_block = false;
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim_start().starts_with("```") {
            is_block = !is_block;
        } else {
            lines.push((number, if is_block { Line::Code(line) } else { Line::Prose(line) }));
        }
    }
    lines
}

/// The code within a line of prose.
pub fn spans(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

#[test]
fn documents_are_found_wherever_they_are() {
    let found: Vec<PathBuf> = documents().into_iter().map(|document| document.path).collect();
    for path in
        ["README.md", "docs/errors/README.md", "migrations/README.md", "contracts/examples/verify-receipt/README.md"]
    {
        assert!(found.contains(&root().join(path)), "{path}");
    }
    let text = "a `b` c\n```\nd `e`\n```\n`f`g\n";
    assert_eq!(lines(text), [(1, Line::Prose("a `b` c")), (3, Line::Code("d `e`")), (5, Line::Prose("`f`g"))]);
    assert_eq!(spans("a `b` c `d`").collect::<Vec<_>>(), ["b", "d"]);
}

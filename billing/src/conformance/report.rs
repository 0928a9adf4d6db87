//! What a run of the cases found.

use serde::Serialize;

/// A whole run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Who was asked.
    pub lago_url: String,
    /// Whether it said that it is the stand-in, by its header.
    pub is_stand_in: bool,
    /// What the names of everything that was made begin with.
    pub prefix: String,
    pub cases: Vec<CaseReport>,
    /// Things that were removed in the end.
    pub removed: usize,
    /// Things that stay.
    pub leftovers: Vec<Leftover>,
}

/// A case that was run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CaseReport {
    pub name: String,
    /// The status that was answered, where something was.
    pub status: Option<u16>,
    #[serde(flatten)]
    pub outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "outcome", content = "why")]
pub enum Outcome {
    Same,
    /// Each difference with its place.
    Differs(Vec<String>),
    /// It needs what an earlier case did not bring.
    Skipped(String),
}

/// Something that a run leaves.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Leftover {
    pub what: String,
    pub why: String,
}

impl Report {
    /// Whether every case was answered as it is recorded.
    #[must_use]
    pub fn is_conformant(&self) -> bool {
        self.cases.iter().all(|case| case.outcome == Outcome::Same)
    }

    /// How many cases were answered so, differently, and not asked.
    #[must_use]
    pub fn counts(&self) -> [usize; 3] {
        let count = |wanted: fn(&Outcome) -> bool| self.cases.iter().filter(|case| wanted(&case.outcome)).count();
        [
            count(|outcome| *outcome == Outcome::Same),
            count(|outcome| matches!(outcome, Outcome::Differs(_))),
            count(|outcome| matches!(outcome, Outcome::Skipped(_))),
        ]
    }
}

//! What a comparison found and what became of it, as a table and as JSON.

use ::chain::{Block, ConfirmedBatch};
use alloy::primitives::B256;
use jobs::merkle;
use serde::Serialize;
use serde_json::{Value, json};

/// What became of a difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", content = "detail", rename_all = "snake_case")]
pub(super) enum Outcome {
    Mended(String),
    /// A dry run changes nothing.
    WouldMend(String),
    /// A person must look at it.
    Left(String),
}

impl Outcome {
    pub(super) fn mended(detail: impl Into<String>) -> Self {
        Self::Mended(detail.into())
    }

    pub(super) fn would(detail: impl Into<String>) -> Self {
        Self::WouldMend(detail.into())
    }

    pub(super) fn left(detail: impl Into<String>) -> Self {
        Self::Left(detail.into())
    }

    fn told(&self) -> String {
        match self {
            Self::Mended(detail) => format!("mended: {detail}"),
            Self::WouldMend(detail) => format!("would mend: {detail}"),
            Self::Left(detail) => format!("LEFT: {detail}"),
        }
    }
}

/// One difference.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Row {
    /// Of the batch; none where it is about the sequence of indices.
    pub root: Option<B256>,
    pub block: Option<u64>,
    /// How many indices the event names.
    pub jobs: Option<usize>,
    pub what: String,
    #[serde(flatten)]
    pub outcome: Outcome,
}

impl Row {
    pub(super) fn of_batch(batch: &ConfirmedBatch, what: &str, outcome: Outcome) -> Self {
        Self {
            root: Some(batch.root),
            block: Some(batch.block.number),
            jobs: Some(merkle::count(&batch.entries)),
            what: what.to_owned(),
            outcome,
        }
    }
}

/// All of them.
pub(super) struct Report {
    pub is_dry_run: bool,
    /// Up to which block the chain was read.
    pub to: Block,
    /// Batches that are the same on both sides.
    pub agreeing: usize,
    /// Receipts that were left aside.
    pub ignored: Vec<String>,
    pub rows: Vec<Row>,
}

impl Report {
    /// Whether chain and database agree by now.
    pub(super) fn is_clean(&self) -> bool {
        self.rows.iter().all(|row| matches!(row.outcome, Outcome::Mended(_)))
    }

    pub(super) fn document(&self) -> Value {
        json!({
            "dry_run": self.is_dry_run,
            "to_block": self.to.number,
            "agreeing_batches": self.agreeing,
            "drift": self.rows,
            "ignored_receipts": self.ignored,
            "clean": self.is_clean(),
        })
    }

    pub(super) fn text(&self) -> String {
        let mut text = format!("read to block {}: {} batches agree\n", self.to.number, self.agreeing);
        for file in &self.ignored {
            text.push_str(&format!("left aside: {file}\n"));
        }
        if self.rows.is_empty() {
            return text + "no drift\n";
        }
        text.push_str(&format!("{:<12}  {:>8}  {:>5}  drift\n", "root", "block", "jobs"));
        for row in &self.rows {
            let root = row.root.map_or("-".to_owned(), |root| format!("{}…", &root.to_string()[..11]));
            let block = row.block.map_or("-".to_owned(), |block| block.to_string());
            let jobs = row.jobs.map_or("-".to_owned(), |jobs| jobs.to_string());
            text.push_str(&format!("{root:<12}  {block:>8}  {jobs:>5}  {}\n", row.what));
            text.push_str(&format!("{:31}{}\n", "", row.outcome.told()));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(outcomes: &[Outcome]) -> Report {
        let row = |outcome: &Outcome| Row {
            root: Some(B256::repeat_byte(0x12)),
            block: Some(7),
            jobs: Some(3),
            what: "has no row here".to_owned(),
            outcome: outcome.clone(),
        };
        let to = Block { number: 9, hash: B256::ZERO };
        Report { is_dry_run: false, to, agreeing: 4, ignored: Vec::new(), rows: outcomes.iter().map(row).collect() }
    }

    #[test]
    fn only_what_was_mended_is_clean() {
        assert!(report(&[]).is_clean());
        assert!(report(&[Outcome::mended("a")]).is_clean());
        assert!(!report(&[Outcome::mended("a"), Outcome::left("b")]).is_clean());
        assert!(!report(&[Outcome::would("c")]).is_clean(), "a dry run leaves it as it is");
    }

    #[test]
    fn the_table_has_a_line_a_batch_and_one_for_what_became_of_it() {
        let expected = "\
read to block 9: 4 batches agree
root             block   jobs  drift
0x121212121…         7      3  has no row here
                               mended: put back with 3 jobs
";
        assert_eq!(report(&[Outcome::mended("put back with 3 jobs")]).text(), expected);
        assert_eq!(report(&[]).text(), "read to block 9: 4 batches agree\nno drift\n");
        let document = report(&[Outcome::left("b")]).document();
        assert_eq!((&document["drift"][0]["outcome"], &document["drift"][0]["detail"]), (&json!("left"), &json!("b")));
    }
}

//! Nobody takes the Lago stand-in for Lago: whatever tells something of it names it, on stderr, as stdout is what scripts
//! read.

use chrono::{TimeDelta, Utc};

use super::program::Run;
use crate::stage::{Stage, this_month};
use crate::unreliable::Line;

const RECONCILE: &[&str] = &["--json", "billing", "reconcile"];
/// All that change nothing.
const COMMANDS: [&[&str]; 7] = [
    RECONCILE,
    &["--json", "billing", "usage", "acme"],
    &["--json", "billing", "setup", "--check"],
    &["--json", "billing", "dead-letters", "list"],
    &["--json", "billing", "notices"],
    &["--json", "credits", "show", "acme"],
    &["--json", "credits", "list", "acme"],
];

impl Stage {
    /// A run says once, and to people alone, who answered as Lago.
    fn is_named_by(&self, run: &Run) {
        let note = format!("note: {} is the Lago stand-in (not a billing system)\n", self.origin);
        assert_eq!(run.stderr.matches(note.as_str()).count(), 1, "{run:#?}");
        assert!(!run.stdout.contains("stand-in"), "{run:#?}");
    }
}

#[tokio::test]
async fn the_stand_in_is_named_beside_what_is_told_of_it() {
    let stage = Stage::new().await;
    // Nothing is asked of it yet for a tenant without an account.
    stage.is_named_by(&stage.runs(RECONCILE).await.ends(0));
    stage.is_named_by(&stage.runs(&["billing", "setup", "--yes"]).await.ends(0));
    for command in COMMANDS {
        let run = stage.runs(command).await.ends(0);
        run.json();
        stage.is_named_by(&run);
    }
    // Nor is a refusal taken for one of Lago's.
    stage.is_named_by(&stage.runs(&["billing", "usage", "nobody"]).await.ends(1));
    stage.is_named_by(&stage.runs(&["billing", "close-month", &this_month().to_string()]).await.ends(1));
    let row = stage.used("one", 3, Utc::now() - TimeDelta::seconds(2)).await;
    stage.delivers().await;
    let correct = ["--json", "billing", "correct", &row, "--units", "-1", "--reason", "counted twice"];
    stage.is_named_by(&stage.runs(&correct).await.ends(0));
}

/// Through something that passes on no headers, as if it were one.
#[tokio::test]
async fn a_lago_is_not_named_as_a_stand_in() {
    let mut stage = Stage::new().await;
    stage.runs(&["billing", "setup", "--yes"]).await.ends(0);
    stage.origin = Line::before(&stage.origin).await.origin;
    for command in COMMANDS {
        let run = stage.runs(command).await.ends(0);
        assert!(!run.stderr.contains("stand-in"), "{run:#?}");
    }
}

/// What our database remembers is told all the same.
#[tokio::test]
async fn one_that_is_away_holds_nothing_back() {
    let mut stage = Stage::new().await;
    let line = Line::before(&stage.origin).await;
    line.is_cut(true);
    stage.origin.clone_from(&line.origin);
    for command in [&["--json", "billing", "notices"][..], &["--json", "credits", "list", "acme"]] {
        stage.runs(command).await.ends(0).json();
    }
}

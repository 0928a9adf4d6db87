//! A job under a quote: it costs no more than was promised, and one that would is not computed.

use jobs::quote::Quote;
use jobs::usage::Metric;
use serde_json::{Value, json};

use crate::harness::{Stack, factor, under};

#[tokio::test]
async fn a_job_costs_no_more_than_its_quote_in_any_metric() {
    let zama = Stack::shared().tenant();
    let body = factor(1_000_003);
    let quote = zama.quotes(&body).await;
    let job = zama.submit(&under(&quote, &body)).await;
    let ended = job.completes().await;
    let rows = job.is_billed().await;
    let allowed = |metric: &str| {
        let line = quote.lines.iter().find(|line| line.metric.as_str() == metric);
        line.unwrap_or_else(|| panic!("{metric} was not quoted")).units
    };
    assert!(rows.iter().all(|row| row.units <= allowed(&row.metric)), "{rows:?} {quote:?}");
    assert_eq!(rows.len(), quote.lines.len(), "{rows:?}");
    assert_eq!(allowed(Metric::ComputeUnits.as_str()), 2, "and it is the price: {quote:?}");
    let used = zama.get(&format!("/v1/quotes/{}", quote.quote_id)).await;
    assert_eq!(used.body["job_id"], json!(ended.job_id));
}

/// Whoever changed the price list between a quote and its use cannot make a client pay more: the quote is made to look as an
/// older list would have made it.
#[tokio::test]
async fn what_costs_more_than_was_quoted_is_refused_before_anything_is_computed() {
    let stack = Stack::shared();
    let zama = stack.tenant();
    let body = factor(1_000_033);
    let quote = zama.quotes(&body).await;
    let cheaper = sqlx::query("UPDATE job_quotes SET units = 1 WHERE id = $1").bind(quote.quote_id.0);
    assert_eq!(stack.execute(cheaper).await, 1);
    let refused = zama.posts(&under(&quote, &body), &[]).await;
    assert_eq!((refused.status, refused.code()), (402, "COST_CEILING_EXCEEDED"), "{refused:?}");
    assert!(zama.jobs().await.is_empty());
    let billed = zama.get("/v1/usage?metric=compute_units").await;
    assert_eq!(billed.body["totals"], json!({}));
}

#[tokio::test]
async fn the_command_line_quotes_what_it_then_submits() {
    let zama = Stack::shared().tenant();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("job.json").display().to_string();
    let flags = ["prime_factorization", "--number", "91", "--deadline", "1h", "--output", &file];
    let run = zama.runs(&[&["quote"], &flags[..]].concat());
    assert_eq!(run.code, Some(0), "{run:?}");
    let id = run.stdout.lines().find_map(|line| line.strip_prefix("Quote")).unwrap().trim().to_owned();
    assert!(run.stdout.contains("compute_units"), "{run:?}");
    assert_eq!(run.stderr, format!("submit it with: zama-jobs submit --file {file} --quote {id}\n"));

    let submit = ["submit", "--file", &file, "--quote", &id, "--wait", "--json"];
    let run = zama.runs(&submit);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(run.document::<Value>()["status"], "COMPLETED");
    let run = zama.runs(&submit);
    assert_eq!(run.code, Some(3), "{run:?}");
    assert!(run.stderr.contains("QUOTE_USED"), "{run:?}");
    let run = zama.runs(&["quote", "--file", &file, "--json"]);
    let quote: Quote = run.document();
    assert_eq!((quote.job_id, quote.lines.len()), (None, 4), "{run:?}");
}

//! `quote`: what a job would cost at most, promised for fifteen minutes.

use std::path::PathBuf;

use clap::Args;
use jobs::quote::{Quote, QuoteCredits};

use super::card;
use super::error::CliError;
use super::exit::Exit;
use super::globals::Session;
use super::job_source::JobSource;
use super::paint::Paint;
use super::table::{Table, pairs};

/// What `quote` takes.
#[derive(Args, Debug)]
pub struct QuoteArgs {
    /// Write the job to this file as it was quoted, for submit --file FILE --quote ID: ciphertexts are others each time, and so
    /// is a relative deadline
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    job: JobSource,
}

pub(super) async fn quote(session: &Session, args: &QuoteArgs) -> Result<Exit, CliError> {
    let body = args.job.body(session).await?;
    let quote = session.client()?.quote(&body).await?;
    if let Some(file) = &args.output {
        std::fs::write(file, format!("{body:#}\n"))
            .map_err(|source| CliError::Write { target: file.display().to_string(), source })?;
    }
    session.output.result(&quote, |paint| text(&quote, paint))?;
    if !session.output.is_json() {
        let job = args.output.as_ref().map_or("…".to_owned(), |file| format!("--file {}", file.display()));
        session.output.notice(&format!("submit it with: zama-jobs submit {job} --quote {}", quote.quote_id));
    }
    Ok(Exit::Success)
}

fn text(quote: &Quote, paint: Paint) -> String {
    let mut head = vec![
        ("Quote", paint.strong(&quote.quote_id.to_string())),
        ("Content hash", quote.content_hash.to_string()),
        ("Expires", card::time(quote.expires_at)),
    ];
    head.extend(quote.credits.as_ref().map(|of| ("Credits", credits(of))));
    let head = pairs(&head);
    let mut table = Table::new(&["METRIC", "AT MOST"]);
    for line in &quote.lines {
        table.row(vec![line.metric.to_string(), line.units.to_string()]);
    }
    let lines = table.render(|row, _, cell| if row.is_none() { paint.strong(cell) } else { cell.to_owned() });
    format!("{head}\n{lines}")
}

/// Whether the tenant's credits would pay for the job now; currencies here have two decimals.
fn credits(of: &QuoteCredits) -> String {
    let (Some(cents), Some(currency)) = (of.available_cents, &of.currency) else {
        return "not sufficient: nothing is known of them yet".to_owned();
    };
    let (verdict, sign) =
        (if of.sufficient { "sufficient" } else { "not sufficient" }, if cents < 0 { "-" } else { "" });
    let cents = cents.unsigned_abs();
    format!("{verdict}: {sign}{}.{:02} {currency} are left", cents / 100, cents % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_stand_below_the_quote() {
        let quote: Quote = serde_json::from_value(serde_json::json!({
            "quote_id": "019cebab-804e-7c41-9b5e-3f2a8d6c1e07",
            "content_hash": format!("0x{}", "2e".repeat(32)),
            "test_mode": false,
            "created_at": "2026-03-14T09:26:53.589Z",
            "expires_at": "2026-03-14T09:41:53.589Z",
            "lines": [{"metric": "jobs_submitted", "units": 1}, {"metric": "compute_units", "units": 66}],
            "job_id": null
        }))
        .unwrap();
        let expected = format!(
            "\
Quote         019cebab-804e-7c41-9b5e-3f2a8d6c1e07
Content hash  0x{}
Expires       2026-03-14 09:41:53Z

METRIC          AT MOST
jobs_submitted  1
compute_units   66
",
            "2e".repeat(32)
        );
        assert_eq!(text(&quote, Paint::plain()), expected);
    }

    #[test]
    fn credits_are_told_where_they_are_needed() {
        let of = |sufficient, available_cents: Option<i64>| QuoteCredits {
            required: true,
            sufficient,
            available_cents,
            currency: available_cents.map(|_| "EUR".to_owned()),
        };
        assert_eq!(credits(&of(true, Some(4_184))), "sufficient: 41.84 EUR are left");
        assert_eq!(credits(&of(false, Some(-7))), "not sufficient: -0.07 EUR are left");
        assert_eq!(credits(&of(false, None)), "not sufficient: nothing is known of them yet");
    }
}

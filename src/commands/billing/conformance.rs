//! `zama-jobs billing conformance`: whether a Lago answers as Zama Jobs relies on, case by case.

use ::billing::Origin;
use ::billing::conformance::{Case, CaseReport, Outcome, Report, Table, Target};
use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::json;
use settings::Settings;

use super::End;
use crate::output;

/// What `conformance` takes.
#[derive(Args)]
pub struct ConformanceArgs {
    /// Lago's address without a path; that of the settings when not given.
    #[arg(long)]
    lago_url: Option<String>,
    /// API key of an organisation in which things may be made; that of the settings when not given.
    #[arg(long, env = "ZAMA_LAGO_KEY", hide_env_values = true)]
    api_key: Option<String>,
    /// Only cases whose names begin so, with those that they need; may be given several times.
    #[arg(long)]
    only: Vec<String>,
    /// Ask nobody: list the cases.
    #[arg(long)]
    list: bool,
}

pub(super) async fn run(settings: &Settings, args: &ConformanceArgs, json: bool) -> Result<End> {
    let table = Table::recorded()?;
    let cases = table.selected(&args.only)?;
    if args.list {
        output::text(listed(&cases, json))?;
        return Ok(End::Done);
    }
    let target = target(settings, args)?;
    output::notice(format_args!("asking {} ({} cases)", target.origin, cases.len()));
    // What was made there is removed whatever becomes of stdout.
    let mut told = Ok(());
    let mut tell = |case: &CaseReport| {
        if !json && told.is_ok() {
            told = output::text(line(case));
        }
    };
    let report = Box::pin(::billing::conformance::run(&target, &cases, &mut tell)).await;
    let report = report.with_context(|| format!("{} does not answer", target.origin))?;
    told?;
    if json {
        output::document(&json!(report))?;
    } else {
        output::text(summary(&report))?;
    }
    Ok(if report.is_conformant() { End::Done } else { End::Trouble })
}

fn target(settings: &Settings, args: &ConformanceArgs) -> Result<Target> {
    let own = &settings.billing;
    let url = args.lago_url.as_deref().unwrap_or(&own.lago_url);
    ensure!(!url.is_empty(), "whom? Give --lago-url, or set billing.lago_url");
    let api_key = args.api_key.as_deref().unwrap_or(&own.lago_key);
    ensure!(!api_key.is_empty(), "give --api-key, or set billing.lago_key");
    Ok(Target { origin: Origin::parse(url)?, api_key: api_key.to_owned() })
}

fn listed(cases: &[&Case], json: bool) -> String {
    if json {
        let list = cases
            .iter()
            .map(|case| json!({ "name": case.name, "request": case.request_line(), "expected_status": case.status() }));
        return format!("{:#}\n", json!({ "data": list.collect::<Vec<_>>() }));
    }
    cases.iter().map(|case| format!("{:<55} {}  {}\n", case.name, case.status(), case.request_line())).collect()
}

/// A case, and below it what differs.
fn line(case: &CaseReport) -> String {
    let (word, why) = match &case.outcome {
        Outcome::Same => ("ok", Vec::new()),
        Outcome::Differs(differing) => ("DIFFERS", differing.clone()),
        Outcome::Skipped(why) => ("skipped", vec![why.clone()]),
    };
    let status = case.status.map_or_else(|| "-".to_owned(), |status| status.to_string());
    let head = format!("{word:<8} {status:>3}  {}\n", case.name);
    why.iter().fold(head, |text, why| text + &format!("              {why}\n"))
}

fn summary(report: &Report) -> String {
    let who = if report.is_stand_in {
        "the Lago stand-in of Zama Jobs, which is not Lago: it says so in its header"
    } else {
        "no stand-in: it does not name itself as one"
    };
    let [same, differing, skipped] = report.counts();
    let mut text = format!("{} is {who}\n", report.lago_url);
    text += &format!("{same} as recorded, {differing} differ, {skipped} not asked\n");
    text += &format!("removed: {}; what stays of {}…:\n", report.removed, report.prefix);
    for leftover in &report.leftovers {
        text += &format!("  {}: {}\n", leftover.what, leftover.why);
    }
    if report.leftovers.is_empty() {
        text += "  nothing\n";
    }
    text
}

#[cfg(test)]
mod tests {
    use ::billing::conformance::Leftover;

    use super::*;

    fn report(is_stand_in: bool) -> Report {
        let case = |name: &str, outcome| CaseReport { name: name.to_owned(), status: Some(200), outcome };
        Report {
            lago_url: "http://127.0.0.1:1".to_owned(),
            is_stand_in,
            prefix: "zc1".to_owned(),
            cases: vec![
                case("plans: show", Outcome::Same),
                case("plans: list", Outcome::Differs(vec!["/plans: missing".to_owned()])),
            ],
            removed: 3,
            leftovers: vec![Leftover { what: "events".to_owned(), why: "events cannot be removed".to_owned() }],
        }
    }

    #[test]
    fn it_says_who_answered_what_differs_and_what_stays() {
        let told = summary(&report(true));
        assert!(told.contains("which is not Lago"), "{told}");
        assert!(told.contains("1 as recorded, 1 differ, 0 not asked"), "{told}");
        assert!(told.contains("events: events cannot be removed"), "{told}");
        assert!(summary(&report(false)).contains("is no stand-in"), "a real one is told as such");
        let line = line(&report(true).cases[1]);
        assert!(line.starts_with("DIFFERS  200  plans: list\n") && line.contains("/plans: missing"), "{line}");
        assert!(!report(true).is_conformant());
    }

    #[test]
    fn the_list_names_every_case_with_its_request() {
        let table = Table::recorded().unwrap();
        let list = listed(&table.selected(&[]).unwrap(), false);
        assert_eq!(list.lines().count(), table.cases().len());
        assert!(list.contains("200  POST wallet_transactions\n"), "{list}");
    }
}

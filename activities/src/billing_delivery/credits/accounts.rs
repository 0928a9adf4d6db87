//! What the billing system tells of an account: what is left in its wallets, and what was used and is not drawn from them yet.

use anyhow::{Context, Result};
use billing::{Catalogue, CurrentUsage, ExternalId, PriceBook, WalletStatus};
use chrono::{DateTime, Datelike as _, Months, NaiveTime, Utc};
use jobs::credits::{Counted, PriceList, Told};
use jobs::usage::{Metric, Quantity};
use store::credits::accounts::{self, Account, Asking, Owed};
use store::usage::periods::{self, Span};

use crate::billing_delivery::periods::first_second;
use crate::billing_delivery::{BillingDelivery, Standing};

impl BillingDelivery {
    /// Asks what a tenant has, and has used in the open period, and keeps the answer.
    ///
    /// # Errors
    /// Database or billing system away: what was told before stays.
    pub async fn ask_for_account(&self, tenant: &str) -> Result<()> {
        let (account, known) = (ExternalId::parse(tenant)?, self.account_of(tenant).await?);
        // None is made of a closed tenant to see that nothing is in it.
        if known.is_closed && !known.is_ready {
            return Ok(());
        }
        if self.ensure_account(tenant, &account).await? == Standing::Ended {
            return Ok(());
        }
        // Before anything is asked: what is delivered from now on may be in the answer, and counts as if it were not.
        let asking = accounts::asking(&self.pool, tenant).await?;
        let subscription = self.lago.subscription(&account).await?.context("there is no subscription")?;
        let usage = self.lago.current_usage(&account).await?;
        let prices = PriceBook::new(Catalogue::standard(), self.default_plan.clone());
        let since = first_second(&usage, Some(&subscription));
        let taken = periods::taken(&self.pool, tenant, since, asking.as_of).await?;
        let (units, usage_cents) = used(&usage, &subscription.plan, &taken, &prices);
        let owed = Box::pin(self.owed(tenant, &account, usage.from, asking, &prices)).await?;
        // Last: what an invoice draws meanwhile is counted twice for a moment, and never not at all.
        let wallets = self.lago.wallets(&account).await?;
        let counts =
            wallets.iter().filter(|wallet| wallet.status == WalletStatus::Active && wallet.currency == usage.currency);
        let told = Told {
            balance_cents: counts.map(|wallet| wallet.balance_cents).fold(0, i64::saturating_add),
            usage_cents,
            units,
            owed_cents: owed.iter().map(|owed| owed.cents).fold(0, i64::saturating_add),
            as_of: asking.as_of,
            plan: subscription.plan,
            currency: usage.currency,
        };
        let told = Account { told, period_from: usage.from, owed, rows_from: asking.rows_from };
        accounts::keep(&self.pool, tenant, &told).await?;
        Ok(())
    }

    /// What was used in periods that are over, until their invoices have drawn it: meanwhile it is in no current usage. The
    /// ledger says how much it was: what was told last was told before their end.
    async fn owed(
        &self,
        tenant: &str,
        account: &ExternalId,
        open_from: DateTime<Utc>,
        asking: Asking,
        prices: &PriceBook,
    ) -> Result<Vec<Owed>> {
        let Some(before) = accounts::find(&self.pool, tenant).await? else { return Ok(Vec::new()) };
        let known = before.owed.len();
        let mut owed = before.owed.clone();
        owed.extend(closed(&before, open_from, prices));
        let Some((first, last)) = owed.first().map(last_second).zip(owed.last().map(|last| last.until)) else {
            return Ok(Vec::new());
        };
        let invoices = self.lago.invoices_of(account, first, last).await?;
        let mut open = Vec::with_capacity(owed.len());
        for (place, mut owed) in owed.into_iter().enumerate() {
            // By its last second: the invoice of the period before may reach into the first one. A draft draws nothing yet.
            let moment = last_second(&owed);
            if invoices.iter().any(|invoice| invoice.head.is_final() && invoice.covers(account, moment)) {
                continue;
            }
            // Later on nothing is billed in it any more, and what was added up stays so.
            if place >= known || before.rows_from < owed.until {
                let span = Span { from: owed.from, until: owed.until };
                let counted = periods::units(&self.pool, tenant, span, asking.as_of).await?;
                owed.cents = prices.month(&owed.plan, &counted).saturating_add(owed.beside_list_cents);
            }
            if owed.cents > 0 || asking.rows_from < owed.until {
                open.push(owed);
            }
        }
        Ok(open)
    }
}

/// The calendar months, or their parts, between the period that was open when an account was told and the one that is open now.
fn closed(before: &Account, open_from: DateTime<Utc>, prices: &dyn PriceList) -> Vec<Owed> {
    let Told { plan, usage_cents, units, .. } = &before.told;
    // What was told had the billing system's own prices, and the rest has the list's.
    let mut beside_list_cents = usage_cents.saturating_sub(prices.month(plan, units));
    let (mut closed, mut from) = (Vec::new(), before.period_from);
    while from < open_from {
        let until = next_month(from).filter(|next| *next < open_from).unwrap_or(open_from);
        closed.push(Owed { from, until, plan: plan.clone(), cents: 0, beside_list_cents });
        (from, beside_list_cents) = (until, 0);
    }
    closed
}

/// The first moment of the next month (UTC).
fn next_month(moment: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let next = moment.date_naive().with_day(1)?.checked_add_months(Months::new(1))?;
    Some(next.and_time(NaiveTime::MIN).and_utc())
}

fn last_second(owed: &Owed) -> DateTime<Utc> {
    owed.until - chrono::Duration::seconds(1)
}

/// What the open period has used, and its price with taxes. Lago takes events at once and adds them up later: of each metric
/// the larger number counts, its own or that of the ledger's rows that it has `taken`, and what it does not tell yet is priced
/// by the list.
fn used(usage: &CurrentUsage, plan: &str, taken: &Counted, prices: &dyn PriceList) -> (Counted, i64) {
    let told = units(usage);
    let all = told.larger(taken);
    let untold_cents = prices.month(plan, &all).saturating_sub(prices.month(plan, &told));
    (all, usage.total_amount_cents.saturating_add(untold_cents))
}

/// What Lago has counted, as the ledger counts; metrics that are not ours are not.
fn units(usage: &CurrentUsage) -> Counted {
    let counted = usage.lines.iter().filter_map(|line| {
        let metric = line.metric.parse::<Metric>().ok()?;
        let units = line.units.to_string().parse::<Quantity>().ok()?;
        Some((metric, metric.counted(&units)?))
    });
    counted.collect()
}

#[cfg(test)]
mod tests {
    use billing::UsageLine;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    fn told(period_from: &str, usage_cents: i64) -> Account {
        let told = Told {
            currency: "EUR".to_owned(),
            plan: "team".to_owned(),
            balance_cents: 0,
            usage_cents,
            // 9.60 with taxes.
            units: [(Metric::ComputeUnits, 100_000)].into_iter().collect(),
            owed_cents: 0,
            as_of: at("2026-11-30T23:59:40Z"),
        };
        Account { told, period_from: at(period_from), owed: Vec::new(), rows_from: at("2026-11-30T23:58:40Z") }
    }

    fn spans(before: &Account, open_from: &str) -> Vec<(DateTime<Utc>, DateTime<Utc>, i64)> {
        let prices = PriceBook::new(Catalogue::standard(), "developer".to_owned());
        let closed = closed(before, at(open_from), &prices);
        assert!(closed.iter().all(|owed| owed.plan == "team"));
        closed.into_iter().map(|owed| (owed.from, owed.until, owed.beside_list_cents)).collect()
    }

    #[test]
    fn a_period_that_is_over_lasts_until_the_open_one() {
        let november = told("2026-11-01T00:00:00Z", 960);
        assert!(spans(&november, "2026-11-01T00:00:00Z").is_empty());
        let begin = at("2026-11-01T00:00:00Z");
        assert_eq!(spans(&november, "2026-12-01T00:00:00Z"), [(begin, at("2026-12-01T00:00:00Z"), 0)]);
        // A change of plan within a month.
        assert_eq!(spans(&november, "2026-11-17T12:00:00Z"), [(begin, at("2026-11-17T12:00:00Z"), 0)]);
    }

    #[test]
    fn each_month_that_nobody_asked_in_has_an_invoice_of_its_own() {
        let joined = told("2026-11-17T12:00:00Z", 960);
        let [november, december, january] =
            ["2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z", "2027-02-01T00:00:00Z"].map(at);
        let expected = [(at("2026-11-17T12:00:00Z"), november, 0), (november, december, 0), (december, january, 0)];
        assert_eq!(spans(&joined, "2027-02-01T00:00:00Z"), expected);
    }

    #[test]
    fn of_the_open_period_whoever_has_more_is_believed() {
        let usage = |compute: u64, total_amount_cents| CurrentUsage {
            from: at("2026-11-01T00:00:00Z"),
            to: at("2026-11-30T23:59:59Z"),
            currency: "EUR".to_owned(),
            amount_cents: 0,
            taxes_amount_cents: 0,
            total_amount_cents,
            lines: vec![UsageLine {
                metric: "compute_units".to_owned(),
                name: "Compute units".to_owned(),
                charge_model: "graduated".to_owned(),
                units: compute.into(),
                events_count: 1,
                amount_cents: 0,
            }],
        };
        let counted = |compute: i64| -> Counted { [(Metric::ComputeUnits, compute)].into_iter().collect() };
        let prices = PriceBook::new(Catalogue::standard(), "developer".to_owned());
        let used = |compute, cents, taken| used(&usage(compute, cents), "team", &counted(taken), &prices);
        // 100,000 are 9.60 by the list, or whatever finance has made of that, and 10,000 more are 0.72.
        assert_eq!(used(0, 0, 100_000), (counted(100_000), 960));
        assert_eq!(used(100_000, 1_000, 110_000), (counted(110_000), 1_072));
        // What somebody sent by hand, too.
        assert_eq!(used(100_000, 1_000, 90_000), (counted(100_000), 1_000));
    }

    #[test]
    fn prices_that_finance_gave_one_tenant_stay_in_what_was_told() {
        let (from, until) = ("2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z");
        assert_eq!(spans(&told(from, 1_000), until), [(at(from), at(until), 40)]);
        assert_eq!(spans(&told(from, 900), until), [(at(from), at(until), -60)]);
    }
}

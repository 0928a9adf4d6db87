//! Ledger rows to the billing system: what the `meter` and `report_usage` activities share.

mod credits;

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use billing::reconciliation::Closed;
use billing::{
    BilledPeriod, Catalogue, Delivery, ExternalId, LARGEST_BATCH, LagoClient, LagoError, Subscription, UsageEvent,
    WholeInvoice,
};
use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use jobs::usage::Metric;
use store::PgPool;
use store::accounts::{self, Account, plans};
use store::usage::corrections::{self, Anew};
use store::usage::{self, UsageRow};
use tokio::sync::Mutex;

pub use credits::CreditPace;

/// How long the start of an open period is believed.
const PERIOD_TTL: Duration = Duration::from_secs(60);
/// Rows that are sent before a change of plan; what is left of more is billed under the new one.
const LAST_ROWS: i64 = 10_000;

/// How long a metric is believed to be there.
const METRIC_TTL: Duration = Duration::from_secs(60);
/// Within which a row is sent after its period was found open.
const FRESH: Duration = Duration::from_secs(30);
/// How long after a period's end an event of it that was sent before may still arrive: found open, sent within [`FRESH`],
/// given up after ten seconds, and by the billing system itself after a minute.
const IN_DOUBT: TimeDelta = TimeDelta::minutes(2);
/// After which a turn begins with no other tenant; the next one begins there.
const TURN_TIME: Duration = Duration::from_secs(60);
/// Time for tenants that are new, in one turn; the next one has the others.
const NEW_TENANTS: Duration = Duration::from_secs(20);

/// Why the rows of a closed tenant are set aside ...
const CLOSED: &str = "the tenant's subscription was terminated";
/// ... and those of one whose subscription somebody ended without us.
const ENDED: &str = "the tenant's subscription was ended in the billing system: make it anew there, then retry";

/// What became of some rows.
#[derive(Debug, Default)]
pub struct Turn {
    /// How many were delivered.
    pub delivered: u32,
    /// What stopped the first tenant's of which some were not.
    pub failed: Option<anyhow::Error>,
}

/// What became of a row whose period is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The billing system does not have it.
    NotThere,
    /// The billing system has it, and no final invoice of its time yet.
    Uninvoiced,
    /// It is on an invoice.
    Billed,
    /// It came when the invoice was made: nothing bills it.
    TooLate,
}

fn by_tenant(rows: Vec<UsageRow>) -> BTreeMap<String, Vec<UsageRow>> {
    let mut by_tenant: BTreeMap<String, Vec<UsageRow>> = BTreeMap::new();
    for row in rows {
        by_tenant.entry(row.tenant.clone()).or_default().push(row);
    }
    by_tenant
}

/// The way to the billing system.
pub struct BillingDelivery {
    pub pool: PgPool,
    pub lago: Arc<LagoClient>,
    /// Plan of a tenant that billing does not know yet.
    pub default_plan: String,
    /// How long after its period's end nobody knows whether a row was taken.
    pub in_doubt: TimeDelta,
    periods: Mutex<HashMap<String, Period>>,
    /// Metrics that were there a moment ago.
    metrics: Mutex<HashMap<Metric, Instant>>,
    /// Tenant that the last turn had no time for.
    resume: Mutex<Option<String>>,
}

/// An open period, when it was asked for.
#[derive(Clone, Copy)]
struct Period {
    asked: Instant,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
}

impl BillingDelivery {
    #[must_use]
    pub fn new(pool: PgPool, lago: Arc<LagoClient>, default_plan: String) -> Self {
        Self {
            pool,
            lago,
            default_plan,
            in_doubt: IN_DOUBT,
            periods: Mutex::default(),
            metrics: Mutex::default(),
            resume: Mutex::default(),
        }
    }

    /// Sends rows, and notes what became of each. Tells how many were delivered. A tenant whose rows cannot be
    /// delivered does not hold back the others; those of one whose subscription has ended become dead letters.
    ///
    /// # Errors
    /// Database or billing system away, or a tenant without a subscription that has not begun: rows that were not noted
    /// are sent again, and found to be duplicates.
    pub async fn deliver(&self, rows: Vec<UsageRow>) -> Result<u32> {
        let (mut delivered, mut failed) = (0, None);
        for (tenant, rows) in by_tenant(rows) {
            match self.deliver_tenant(&tenant, rows).await {
                Ok(count) => delivered += count,
                Err(error) => drop(failed.get_or_insert_with(|| error.context(format!("usage of {tenant}")))),
            }
        }
        failed.map_or(Ok(delivered), Err)
    }

    /// As [`Self::deliver`] with many tenants: tells how many were delivered whatever stopped the others, and takes no longer
    /// than a turn may; the next one goes on where this one had to stop.
    pub async fn delivers_what_it_can(&self, rows: Vec<UsageRow>) -> Turn {
        let mut by_tenant = by_tenant(rows);
        let mut turn = Turn::default();
        let begun = Instant::now();
        // Those that had to wait come first: slow ones keep nobody waiting for ever.
        let first = self.resume.lock().await.clone().unwrap_or_default();
        let waited = by_tenant.split_off(&first);
        for (tenant, rows) in waited.into_iter().chain(by_tenant) {
            if begun.elapsed() > TURN_TIME {
                *self.resume.lock().await = Some(tenant);
                return turn;
            }
            match self.deliver_tenant(&tenant, rows).await {
                Ok(count) => turn.delivered += count,
                Err(error) => {
                    tracing::warn!(tenant.id = tenant, error = format!("{error:#}"), "usage was not delivered");
                    turn.failed.get_or_insert_with(|| error.context(format!("usage of {tenant}")));
                }
            }
        }
        *self.resume.lock().await = None;
        turn
    }

    async fn deliver_tenant(&self, tenant: &str, rows: Vec<UsageRow>) -> Result<u32> {
        let account = ExternalId::parse(tenant)?;
        if self.ensure_account(tenant, &account).await? == Standing::Ended {
            return self.set_aside(&account, rows, CLOSED).await;
        }
        let looked = Instant::now();
        let Some(period_start) = self.period_start(tenant, &account).await? else {
            return self.set_aside(&account, rows, ENDED).await;
        };
        // Durable before the first send: a repeat must be the same event, whatever day it is by then.
        let ids: Vec<String> = rows.iter().map(|row| row.id.clone()).collect();
        let frozen = usage::freeze(&self.pool, &ids, period_start).await?;
        let (mut open, mut doubted) = (Vec::with_capacity(rows.len()), Vec::new());
        for row in rows {
            let billed_at = *frozen.get(&row.id).context("the row is gone")?;
            if billed_at >= period_start { open.push((row, billed_at)) } else { doubted.push((row, billed_at)) }
        }
        // Neither holds back the other.
        let sent = self.send_rows(tenant, &account, open, looked).await;
        let decided = self.decide(&account, doubted, period_start + self.in_doubt).await;
        Ok(sent?.saturating_add(decided?))
    }

    /// Sends rows of the open period; tells how many the billing system has.
    async fn send_rows(
        &self,
        tenant: &str,
        account: &ExternalId,
        rows: Vec<(UsageRow, DateTime<Utc>)>,
        looked: Instant,
    ) -> Result<u32> {
        let mut known = 0_u32;
        let open = self.of_known_metrics(rows).await?;
        // Noted batch by batch: over a bad connection many in a row would never all be taken.
        for batch in open.chunks(LARGEST_BATCH) {
            // The period may be over by now: what is left is looked at again.
            if looked.elapsed() > FRESH {
                break;
            }
            let events =
                batch.iter().map(|(row, billed_at)| event(row, account, *billed_at)).collect::<Result<Vec<_>>>()?;
            let outcomes = self.lago.send(&events).await?;
            if outcomes.contains(&Delivery::NoSubscription) {
                // It has ended since it was asked for: the next turn sees that.
                self.periods.lock().await.remove(tenant);
            }
            let ids: Vec<String> = batch.iter().map(|(row, _)| row.id.clone()).collect();
            known = known.saturating_add(self.note(tenant, &ids, outcomes).await?);
        }
        Ok(known)
    }

    /// Decides what becomes of rows whose period is over; tells how many of them are billed. Noted one by one: what is known
    /// need not be asked again.
    async fn decide(
        &self,
        account: &ExternalId,
        rows: Vec<(UsageRow, DateTime<Utc>)>,
        certain_at: DateTime<Utc>,
    ) -> Result<u32> {
        let (mut billed, begun) = (0, Instant::now());
        for (row, billed_at) in rows {
            if begun.elapsed() > TURN_TIME {
                break;
            }
            if matches!(self.fate(account, &row.id, billed_at).await?, Fate::Billed | Fate::Uninvoiced) {
                usage::delivered(&self.pool, &[row.id]).await?;
                billed += 1;
            } else if Utc::now() >= certain_at {
                self.book_anew(&row.id, "its billing period was over before it was taken").await?;
            }
        }
        Ok(billed)
    }

    async fn book_anew(&self, id: &str, reason: &str) -> Result<()> {
        corrections::book_anew(&self.pool, id, Anew::Waiting, reason).await?;
        tracing::warn!(usage.id = id, "{reason}: it is booked anew");
        Ok(())
    }

    /// Rows whose metric the billing system has; the others are dead letters, since it would take them and bill them never.
    async fn of_known_metrics(&self, rows: Vec<(UsageRow, DateTime<Utc>)>) -> Result<Vec<(UsageRow, DateTime<Utc>)>> {
        let mut known = Vec::with_capacity(rows.len());
        for (row, billed_at) in rows {
            let metric: Metric = row.metric.parse().map_err(anyhow::Error::msg)?;
            if self.has_metric(metric).await? {
                known.push((row, billed_at));
            } else {
                self.bury(
                    &row.id,
                    &format!("Lago has no metric {}: zama-jobs billing setup makes it", metric.as_str()),
                )
                .await?;
            }
        }
        Ok(known)
    }

    async fn has_metric(&self, metric: Metric) -> Result<bool> {
        if self.metrics.lock().await.get(&metric).is_some_and(|seen| seen.elapsed() < METRIC_TTL) {
            return Ok(true);
        }
        // Nobody waits behind this call.
        let is_there = self.lago.has_metric(metric).await?;
        if is_there {
            self.metrics.lock().await.insert(metric, Instant::now());
        }
        Ok(is_there)
    }

    /// What became of a row whose period is over. One that has no final invoice yet is in time for it.
    pub(crate) async fn fate(&self, account: &ExternalId, id: &str, billed_at: DateTime<Utc>) -> Result<Fate> {
        let Some(event) = self.lago.get_event(id).await? else { return Ok(Fate::NotThere) };
        let moment = event.timestamp;
        let invoices = self.lago.invoices_of(account, moment, billed_at + TimeDelta::seconds(1)).await?;
        let is_closed = |invoice: &&WholeInvoice| invoice.head.is_final() && invoice.covers(account, moment);
        let covering: Vec<_> = invoices.iter().filter(is_closed).collect();
        if covering.is_empty() {
            return Ok(Fate::Uninvoiced);
        }
        let (received, mut is_billed) = (event.received_at.timestamp(), false);
        for invoice in covering {
            is_billed |= match received.cmp(&invoice.created_at.timestamp()) {
                Ordering::Less => true,
                Ordering::Greater => false,
                // Its second does not tell: the invoice's units may, beside all events of its period.
                Ordering::Equal => {
                    let is_of_it = |period: &&BilledPeriod| period.from <= moment && moment < period.until();
                    let Some(period) = invoice.periods.iter().find(is_of_it) else { continue };
                    let events = self.lago.events(account, period.from, period.until()).await?;
                    Closed::by(invoice, account).iter().all(|closed| !closed.left_out(&events).contains(id))
                }
            };
        }
        Ok(if is_billed { Fate::Billed } else { Fate::TooLate })
    }

    /// Puts rows aside that no subscription takes any more. What it took before its end was delivered. Tells how many were.
    async fn set_aside(&self, account: &ExternalId, rows: Vec<UsageRow>, reason: &str) -> Result<u32> {
        let mut taken = 0;
        for row in rows {
            let fate = match row.billed_at {
                Some(billed_at) => self.fate(account, &row.id, billed_at).await?,
                None => Fate::NotThere,
            };
            match fate {
                Fate::Billed => {
                    usage::delivered(&self.pool, &[row.id]).await?;
                    taken += 1;
                }
                Fate::NotThere => self.bury(&row.id, reason).await?,
                // There is no next invoice. Under its id it would be a duplicate once there is a subscription again.
                Fate::Uninvoiced | Fate::TooLate => self.book_anew(&row.id, reason).await?,
            }
        }
        Ok(taken)
    }

    async fn bury(&self, id: &str, reason: &str) -> Result<()> {
        tracing::error!(usage.id = id, reason, "the billing system will never take this row");
        metrics::counter!("zama_billing_dead_letters_total").increment(1);
        usage::dead(&self.pool, id, reason).await?;
        Ok(())
    }

    async fn note(&self, tenant: &str, ids: &[String], outcomes: Vec<Delivery>) -> Result<u32> {
        let mut delivered = Vec::new();
        let (mut unsubscribed, mut is_over) = (0, false);
        for (id, outcome) in ids.iter().zip(outcomes) {
            match outcome {
                Delivery::Delivered => delivered.push(id.clone()),
                Delivery::DeadLetter { reason } => self.bury(id, &reason).await?,
                Delivery::NoSubscription => unsubscribed += 1,
                // Another process has put the tenant on another plan: the row's period is over, and that is seen next time.
                Delivery::BeforeStart => is_over = true,
            }
        }
        if is_over {
            self.periods.lock().await.remove(tenant);
        }
        usage::delivered(&self.pool, &delivered).await?;
        anyhow::ensure!(unsubscribed == 0, "{unsubscribed} rows have no subscription");
        Ok(u32::try_from(delivered.len()).unwrap_or(u32::MAX))
    }

    /// Nothing is sent until billing has confirmed the tenant's subscription. One that is there stays on its plan until the
    /// tenant is put on another one.
    ///
    /// # Errors
    /// Database or billing system away, or no such tenant.
    pub async fn ensure_account(&self, tenant: &str, account: &ExternalId) -> Result<Standing> {
        let known = accounts::find(&self.pool, tenant).await?.context("there is no such tenant")?;
        if known.has_ended {
            return Ok(Standing::Ended);
        }
        if known.is_ready {
            return Ok(Standing::Open);
        }
        anyhow::ensure!(!known.is_sandbox, "{tenant} is a sandbox, which is never billed");
        let plan = self.plan_of(&known)?;
        billing::ensure_tenant(&self.lago, account, &plan, known.created_at).await?;
        self.learn_plan(tenant, account).await?;
        accounts::is_on_plan(&self.pool, tenant, plan.as_str()).await?;
        Ok(Standing::Open)
    }

    /// Tells the billing system of new tenants, of those that were put on another plan, and of those that were closed. Tells
    /// of how many. One that cannot be settled does not hold back the others.
    ///
    /// # Errors
    /// Database or billing system away. What was told is not told again.
    pub async fn settle_accounts(&self) -> Result<u32> {
        let (mut settled, mut failed) = (0, None);
        let mut note = |tenant: &str, done: Result<()>| match done {
            Ok(()) => settled += 1,
            Err(error) => {
                tracing::warn!(tenant.id = tenant, error = format!("{error:#}"), "the account was not settled");
                failed.get_or_insert_with(|| error.context(format!("account of {tenant}")));
            }
        };
        let begun = Instant::now();
        for tenant in accounts::to_begin(&self.pool).await? {
            if begun.elapsed() > NEW_TENANTS {
                break;
            }
            note(&tenant, self.begin(&tenant).await);
        }
        for tenant in accounts::to_move(&self.pool, &catalogue_plans(), &self.default_plan).await? {
            note(&tenant, Box::pin(self.change_plan(&tenant)).await);
        }
        for tenant in accounts::to_end(&self.pool).await? {
            note(&tenant, self.end(&tenant).await);
        }
        // Those from before plans were noted.
        let learned = self.learn_plans(begun).await;
        failed.map_or_else(|| learned.map(|()| settled), Err)
    }

    async fn learn_plans(&self, begun: Instant) -> Result<()> {
        for tenant in plans::unnoted(&self.pool).await? {
            if begun.elapsed() > NEW_TENANTS {
                break;
            }
            let account = ExternalId::parse(&tenant)?;
            self.learn_plan(&tenant, &account).await.with_context(|| format!("plan of {tenant}"))?;
        }
        Ok(())
    }

    /// Asks by which plan a tenant is billed, and since when.
    async fn learn_plan(&self, tenant: &str, account: &ExternalId) -> Result<()> {
        match self.lago.subscription(account).await? {
            Some(subscription) => self.note_plan(tenant, &subscription).await,
            None => Ok(()),
        }
    }

    /// What a job costs is said by the plan that bills it, as the billing system has it: a cheaper one waits for the next
    /// month, and finance may have given it another one.
    async fn note_plan(&self, tenant: &str, subscription: &Subscription) -> Result<()> {
        if let Some(began) = subscription.started_at {
            plans::note(&self.pool, tenant, &subscription.plan, next_second(began)).await?;
        }
        Ok(())
    }

    async fn begin(&self, tenant: &str) -> Result<()> {
        self.ensure_account(tenant, &ExternalId::parse(tenant)?).await?;
        tracing::info!(tenant.id = tenant, "the tenant has a subscription");
        Ok(())
    }

    async fn end(&self, tenant: &str) -> Result<()> {
        billing::end_tenant(&self.lago, &ExternalId::parse(tenant)?).await?;
        accounts::has_ended(&self.pool, tenant).await?;
        tracing::info!(tenant.id = tenant, "the subscription was terminated");
        Ok(())
    }

    async fn change_plan(&self, tenant: &str) -> Result<()> {
        let known = accounts::find(&self.pool, tenant).await?.context("there is no such tenant")?;
        let (account, plan) = (ExternalId::parse(tenant)?, self.plan_of(&known)?);
        // What is there already from before this was noted stays as finance has it.
        if known.billing_plan.is_some() {
            // What was used under the plan that ends is billed under it.
            self.deliver_tenant(tenant, usage::due_for_tenant(&self.pool, tenant, LAST_ROWS).await?).await?;
            billing::change_plan(&self.lago, &account, &plan).await?;
            self.periods.lock().await.remove(tenant);
            self.learn_plan(tenant, &account).await?;
            tracing::info!(tenant.id = tenant, billing.plan = plan.as_str(), "the subscription is on another plan");
        }
        accounts::is_on_plan(&self.pool, tenant, plan.as_str()).await?;
        Ok(())
    }

    /// A tenant's plan where the billing system has one of that name, else the default one.
    fn plan_of(&self, account: &Account) -> Result<ExternalId> {
        let is_known = catalogue_plans().contains(&account.plan);
        Ok(ExternalId::parse(if is_known { &account.plan } else { &self.default_plan })?)
    }

    /// From when on the billing system still bills a tenant's usage: everything, where it knows nothing of the tenant yet.
    /// `None` where its subscription has ended.
    ///
    /// # Errors
    /// Database or billing system away, or no such tenant.
    pub async fn open_from(&self, tenant: &str) -> Result<Option<DateTime<Utc>>> {
        let known = accounts::find(&self.pool, tenant).await?.context("there is no such tenant")?;
        if known.has_ended {
            return Ok(None);
        }
        if !known.is_ready {
            return Ok(Some(DateTime::UNIX_EPOCH));
        }
        self.period_start(tenant, &ExternalId::parse(tenant)?).await
    }

    /// `None` where the subscription has ended.
    async fn period_start(&self, tenant: &str, account: &ExternalId) -> Result<Option<DateTime<Utc>>> {
        if let Some(period) = self.periods.lock().await.get(tenant)
            && period.asked.elapsed() < PERIOD_TTL
            && Utc::now() < period.to
        {
            return Ok(Some(period.from));
        }
        let usage = match self.lago.current_usage(account).await {
            Ok(usage) => usage,
            Err(LagoError::Rejected { .. }) if self.lago.subscription_has_ended(account).await? => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        // Events carry whole seconds, and after a change of plan a subscription may begin within one.
        let subscription = self.lago.subscription(account).await?;
        if let Some(subscription) = &subscription {
            self.note_plan(tenant, subscription).await?;
        }
        let began = subscription.and_then(|subscription| subscription.started_at);
        let from = began.map_or(usage.from, |began| usage.from.max(next_second(began)));
        let period = Period { asked: Instant::now(), from, to: usage.to };
        self.periods.lock().await.insert(tenant.to_owned(), period);
        Ok(Some(period.from))
    }
}

/// The first whole second that is not before a moment.
fn next_second(moment: DateTime<Utc>) -> DateTime<Utc> {
    let second = moment.trunc_subsecs(0);
    if second == moment { second } else { second + TimeDelta::seconds(1) }
}

/// How a tenant stands with the billing system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It has a subscription.
    Open,
    /// Its subscription was terminated when the tenant was closed.
    Ended,
}

/// The plans that the billing system has.
fn catalogue_plans() -> Vec<String> {
    Catalogue::standard().plans.into_iter().map(|plan| plan.code).collect()
}

/// A row as the billing system takes it, in the metric's own units.
///
/// # Errors
/// A metric that there is not.
pub fn event(row: &UsageRow, account: &ExternalId, billed_at: DateTime<Utc>) -> Result<UsageEvent> {
    let code: Metric = row.metric.parse().map_err(anyhow::Error::msg)?;
    Ok(UsageEvent {
        transaction_id: row.id.clone(),
        external_subscription_id: account.clone(),
        code,
        timestamp: billed_at.timestamp(),
        value: code.quantity(row.units).to_string().parse()?,
        gas: row.gas.map(Into::into),
    })
}

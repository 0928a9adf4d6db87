//! `zama-jobs credits`: what operators do about a tenant's prepaid credits; its own admins buy some through the API.

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use jobs::credits::{LARGEST_TOP_UP, PriceList as _};
use jobs::money::money;
use jobs::{IdempotencyKey, TenantId};
use serde_json::{Value, json};
use settings::Settings;
use store::PgPool;
use store::audit::Note;
use store::credits::accounts;
use store::credits::top_ups::{self, Kind, NewTopUp, Place, Requested, TopUp};
use store::tenants::Tenant;
use uuid::Uuid;

use super::{Role, billing_system, closed, parts, process, stand_in};
use crate::output;

/// Top-ups that are read at once.
const PAGE: i64 = 1000;

#[derive(Subcommand)]
pub enum CreditsCommand {
    /// Show what is left of a tenant's credits, by what the billing system told last and what was used since.
    Show {
        /// The tenant.
        tenant: TenantId,
    },
    /// List all of a tenant's top-ups, the newest first.
    List {
        /// The tenant.
        tenant: TenantId,
    },
    /// Add credits, once for each key: repeating it changes nothing.
    TopUp(TopUpArgs),
}

/// What `top-up` takes.
#[derive(Args)]
pub struct TopUpArgs {
    /// The tenant.
    tenant: TenantId,
    /// How many, in the currency of the tenant's plan, for example 50 or 49.90.
    #[arg(long, value_parser = cents)]
    amount: Cents,
    /// Your name for this top-up, which is that of a repeat, for example the number of an order.
    #[arg(long)]
    key: IdempotencyKey,
    /// They count at once and are invoiced to nobody; else the billing system invoices them, and they count once they are
    /// paid.
    #[arg(long)]
    granted: bool,
}

/// An amount in minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cents(i64);

/// # Errors
/// There is no such tenant, it is closed, the key was used for something else, or the database is away.
pub fn run(settings: &Settings, command: &CreditsCommand, as_json: bool) -> Result<()> {
    process::run(settings, Role::Tool, |_stop| async {
        let pool = parts::pool(settings)?;
        store::reach(&pool).await?;
        let (document, text) = match command {
            CreditsCommand::Show { tenant } => show(settings, &pool, tenant).await?,
            CreditsCommand::List { tenant } => list(&pool, tenant).await?,
            CreditsCommand::TopUp(args) => top_up(settings, &pool, args).await?,
        };
        stand_in::ask_configured(settings).await;
        match as_json {
            true => output::document(&document)?,
            false => output::text(text)?,
        }
        Ok(())
    })
}

async fn known(pool: &PgPool, tenant: &TenantId) -> Result<Tenant> {
    let found = store::tenants::find(pool, tenant.as_str()).await?;
    let found = found.with_context(|| format!("there is no tenant {tenant}"))?;
    if found.is_sandbox {
        bail!("{tenant} is a sandbox, which is never billed");
    }
    Ok(found)
}

async fn show(settings: &Settings, pool: &PgPool, tenant: &TenantId) -> Result<(Value, String)> {
    known(pool, tenant).await?;
    let pending = top_ups::pending_cents(pool, tenant).await?;
    let Some(purse) = accounts::purse(pool, tenant).await? else {
        let document = json!({ "tenant": tenant, "account": null, "pending_cents": pending });
        return Ok((document, format!("{tenant}: the billing system has told nothing of its credits yet\n")));
    };
    let left = purse.left(&billing_system::prices(settings));
    let told = &purse.told;
    let amounts = [
        ("balance", told.balance_cents),
        ("usage", told.usage_cents),
        ("owed", told.owed_cents),
        ("unbilled", left.since_cents),
        ("reserved", left.reserved_cents),
        ("available", left.available_cents),
        ("pending", pending),
    ];
    let mut account = json!({ "currency": told.currency, "plan": told.plan, "as_of": told.as_of });
    let mut text = format!("{tenant}, as of {}\n", output::moment(told.as_of));
    for (name, cents) in amounts {
        account[format!("{name}_cents")] = json!(cents);
        text.push_str(&format!("  {name:<10} {:>16}\n", money(cents, &told.currency)));
    }
    Ok((json!({ "tenant": tenant, "account": account, "pending_cents": pending }), text))
}

async fn list(pool: &PgPool, tenant: &TenantId) -> Result<(Value, String)> {
    known(pool, tenant).await?;
    let mut found: Vec<TopUp> = Vec::new();
    loop {
        let after = found.last().map(|last| Place { created_at: last.created_at, id: last.id });
        let page = top_ups::list(pool, tenant, after, PAGE).await?;
        if page.is_empty() {
            break;
        }
        found.extend(page);
    }
    let document = json!({ "data": found.iter().map(document).collect::<Vec<_>>() });
    Ok((document, found.iter().map(line).collect()))
}

async fn top_up(settings: &Settings, pool: &PgPool, args: &TopUpArgs) -> Result<(Value, String)> {
    let TopUpArgs { tenant, amount: Cents(amount_cents), key, granted } = args;
    let prices = billing_system::prices(settings);
    let currency = prices.currency(&known(pool, tenant).await?.plan).to_owned();
    let (id, kind) = (Uuid::now_v7(), if *granted { Kind::Granted } else { Kind::Paid });
    let about = json!({
        "amount_cents": amount_cents, "currency": currency, "kind": kind.as_str(), "idempotency_key": key.as_str()
    });
    let note = Note::by_operator(tenant, "credits top-up", format!("/v1/credits/top-ups/{id}"), about);
    let currency = currency.as_str();
    let amount_cents = *amount_cents;
    let new = NewTopUp { id, tenant, key, amount_cents, currency, kind, requested_by: None, most_open: None };
    match top_ups::request(pool, &new, &note).await? {
        Requested::New(top_up) | Requested::Known(top_up) => Ok((document(&top_up), line(&top_up))),
        Requested::KeyReused { first_use } => {
            bail!("the key {key} was used for another top-up on {}", output::moment(first_use))
        }
        Requested::TooMany => bail!("{tenant} has too many open top-ups"),
        Requested::Closed { since } => bail!(closed::told(tenant, since)),
    }
}

fn document(top_up: &TopUp) -> Value {
    json!({
        "id": top_up.id, "state": top_up.state.as_str(), "kind": top_up.kind.as_str(),
        "amount_cents": top_up.amount_cents, "currency": top_up.currency, "requested_by": top_up.requested_by,
        "created_at": top_up.created_at, "sent_at": top_up.sent_at, "settled_at": top_up.settled_at,
        "wallet_id": top_up.wallet_id, "transaction_id": top_up.transaction_id, "invoice_id": top_up.invoice_id,
        "refusal": top_up.refusal
    })
}

fn line(top_up: &TopUp) -> String {
    let time = output::moment(top_up.created_at);
    let (amount, refusal) =
        (money(top_up.amount_cents, &top_up.currency), top_up.refusal.as_deref().unwrap_or_default());
    let line = format!("{time}  {}  {:<8} {:<10} {amount:>16}  {refusal}", top_up.id, top_up.kind, top_up.state);
    line.trim_end().to_owned() + "\n"
}

/// An amount of the main unit, with two decimals at most.
fn cents(text: &str) -> Result<Cents, String> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let shaped = !whole.is_empty() && digits(whole) && digits(fraction) && fraction.len() <= 2 && !text.ends_with('.');
    let cents = shaped.then(|| format!("{whole}{fraction:0<2}").parse().ok()).flatten();
    let cents = cents.filter(|cents| *cents > 0).ok_or_else(|| "is no amount like 50 or 49.90".to_owned())?;
    if cents > LARGEST_TOP_UP {
        return Err(format!("is more than one top-up may be: {}", LARGEST_TOP_UP / 100));
    }
    Ok(Cents(cents))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_has_two_decimals_at_most() {
        for (text, expected) in [("50", 5_000), ("49.90", 4_990), ("49.9", 4_990), ("0.01", 1), ("007", 700)] {
            assert_eq!(cents(text), Ok(Cents(expected)));
        }
        assert_eq!(cents("1000000"), Ok(Cents(LARGEST_TOP_UP)));
        assert!(cents("1000000.01").unwrap_err().ends_with("may be: 1000000"));
        for bad in ["", "0", "0.00", "-1", "1.005", "1.", ".5", "1,5", "1e3", "99999999999999999999"] {
            assert!(cents(bad).is_err(), "{bad:?}");
        }
    }
}

//! The invoice that asks for the payment of credits.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::Decimal;
use crate::standin::book::Book;
use crate::standin::period::iso;
use crate::standin::prepaid::{Wallet, WalletTransaction};
use crate::standin::records::{Invoice, InvoiceKind, PaymentStatus};
use crate::standin::usage::with_fraction;

/// Asks for what a top-up costs, at once. Lago puts no tax on credits: what they pay for is taxed.
pub(in crate::standin) fn credit_invoice(
    book: &Book,
    wallet: &Wallet,
    transaction: &WalletTransaction,
    now: DateTime<Utc>,
) -> Invoice {
    Invoice {
        id: Uuid::now_v7(),
        sequential_id: book.invoices.len() + 1,
        external_customer_id: wallet.external_customer_id.clone(),
        subscription_id: None,
        external_subscription_id: None,
        plan_id: None,
        reason: None,
        from: now,
        until: now,
        currency: wallet.currency.clone(),
        fees_amount_cents: transaction.amount_cents,
        taxes_amount_cents: 0,
        fees: vec![fee(wallet, transaction, now)],
        kind: InvoiceKind::Credit,
        payment: PaymentStatus::Pending,
        granted_credit_cents: 0,
        purchased_credit_cents: 0,
        document: Some(Uuid::new_v4()),
        updated_at: None,
        created_at: now,
    }
}

fn fee(wallet: &Wallet, transaction: &WalletTransaction, now: DateTime<Utc>) -> Value {
    let name = transaction.name.as_deref().unwrap_or("credit");
    let precise = Decimal::from(transaction.amount_cents).percent().to_string();
    let units = with_fraction(&transaction.credits);
    json!({
        "lago_id": Uuid::now_v7(), "lago_charge_id": null, "lago_invoice_id": null, "lago_subscription_id": null,
        "lago_customer_id": wallet.customer_id, "external_customer_id": wallet.external_customer_id,
        "external_subscription_id": null,
        "amount_cents": transaction.amount_cents, "amount_currency": wallet.currency, "precise_amount": precise,
        "total_amount_cents": transaction.amount_cents, "total_amount_currency": wallet.currency,
        "precise_total_amount": precise,
        "taxes_amount_cents": 0, "taxes_precise_amount": "0.0", "taxes_rate": 0.0,
        "units": units, "total_aggregated_units": units, "precise_unit_amount": with_fraction(&wallet.rate),
        "events_count": null, "payment_status": "pending", "pay_in_advance": false, "invoiceable": true,
        "created_at": iso(now), "succeeded_at": null, "failed_at": null, "refunded_at": null,
        "item": {
            "type": "credit", "code": "credit", "name": name, "description": null, "invoice_display_name": name,
            "filters": null, "lago_item_id": transaction.id, "item_type": "WalletTransaction",
        },
    })
}

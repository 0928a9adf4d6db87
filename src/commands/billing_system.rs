//! The billing system as the API asks it: `billing`'s client behind the trait of `api`.

use ::api::Notices;
use ::api::billing_system::{BillingSystem, BillingUnavailable, Invoice, InvoiceHead, InvoiceLine};
use ::billing::{Catalogue, ExternalId, FeeKind, LagoClient, LagoError, PriceBook, WholeInvoice};
use anyhow::Result;
use futures::future::{BoxFuture, FutureExt as _};
use jobs::TenantId;
use jobs::credits::PriceList;
use settings::Settings;

use super::parts;

/// What the settings name, without connecting to it; `None` when they name none.
pub(super) fn notices(settings: &Settings) -> Result<Option<Notices>> {
    let system = |client| Notices::of(std::sync::Arc::new(Lago { client, prices: prices(settings) }));
    Ok(parts::lago(settings)?.map(system))
}

/// What units cost by the plans that `billing setup` provisions.
pub(super) fn prices(settings: &Settings) -> PriceBook {
    PriceBook::new(Catalogue::standard(), settings.billing.default_plan.clone())
}

struct Lago {
    client: LagoClient,
    prices: PriceBook,
}

fn unavailable(error: impl ToString) -> BillingUnavailable {
    BillingUnavailable(error.to_string())
}

impl BillingSystem for Lago {
    fn invoices<'a>(&'a self, tenant: &'a TenantId) -> BoxFuture<'a, Result<Vec<InvoiceHead>, BillingUnavailable>> {
        let invoices = async {
            let account = ExternalId::parse(tenant.as_str()).map_err(unavailable)?;
            let invoices = match self.client.invoices(&account).await {
                Ok(invoices) => invoices,
                Err(LagoError::Rejected { status: 404, .. }) => Vec::new(),
                Err(error) => return Err(unavailable(error)),
            };
            Ok(invoices.into_iter().filter_map(head).collect())
        };
        invoices.boxed()
    }

    fn invoice<'a>(
        &'a self,
        tenant: &'a TenantId,
        id: &'a str,
    ) -> BoxFuture<'a, Result<Option<Invoice>, BillingUnavailable>> {
        let found = async move {
            let account = ExternalId::parse(tenant.as_str()).map_err(unavailable)?;
            self.client.invoice_of(&account, id).await.map_err(unavailable)?.map(invoice).transpose()
        };
        found.boxed()
    }

    fn prices(&self) -> &dyn PriceList {
        &self.prices
    }

    fn notice_key(&self) -> BoxFuture<'_, Result<String, BillingUnavailable>> {
        async { Ok(self.client.notice_key().await.map_err(unavailable)?.0) }.boxed()
    }
}

/// `None` of one that Lago has given no id.
fn head(invoice: ::billing::Invoice) -> Option<InvoiceHead> {
    Some(InvoiceHead {
        id: invoice.lago_id?,
        number: invoice.number,
        issuing_date: invoice.issuing_date,
        status: invoice.status,
        payment_status: invoice.payment_status,
        currency: invoice.currency,
        fees_amount_cents: invoice.fees_amount_cents,
        taxes_amount_cents: invoice.taxes_amount_cents,
        total_amount_cents: invoice.total_amount_cents,
        pdf_url: invoice.file_url,
    })
}

fn invoice(whole: WholeInvoice) -> Result<Invoice, BillingUnavailable> {
    let own = |subscription: &Option<String>| *subscription == whole.customer;
    let periods = whole.periods.iter().filter(|period| own(&period.subscription));
    let line = |fee: &::billing::Fee| {
        Ok(InvoiceLine {
            code: fee.code.clone(),
            name: fee.name.clone(),
            is_usage: fee.kind == FeeKind::Charge,
            units: fee.units.to_string().parse().map_err(unavailable)?,
            amount_cents: fee.amount_cents,
        })
    };
    Ok(Invoice {
        periods: periods.map(|period| (period.from, period.until())).collect(),
        lines: whole.fees.iter().map(line).collect::<Result<_, BillingUnavailable>>()?,
        customer: whole.customer.clone(),
        head: head(whole.head).ok_or_else(|| unavailable("an invoice without an id"))?,
    })
}

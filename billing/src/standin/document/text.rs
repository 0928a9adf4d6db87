//! What stands on an invoice, line by line.

use jobs::money::amount;
use serde_json::Value;

use super::pdf::{Line, WIDTH};
use crate::standin::LAGO_VERSION;
use crate::standin::records::{Customer, Invoice, InvoiceKind};

/// Columns of a fee: its name, its units, its amount. Together as wide as a page.
const UNITS: usize = 20;
const AMOUNT: usize = 20;
const NAME: usize = WIDTH - UNITS - AMOUNT;

/// What a customer says of itself, in the order in which it is printed.
const ADDRESS: [&str; 7] =
    ["legal_name", "address_line1", "address_line2", "zipcode", "city", "country", "tax_identification_number"];

pub(super) fn footer(invoice: &Invoice) -> String {
    format!("Lago stand-in of Zama Jobs, not Lago: nobody owes this. {}", invoice.number())
}

pub(super) fn lines(invoice: &Invoice, customer: Option<&Customer>) -> Vec<Line> {
    let mut lines = vec![
        Line::Strong(format!("INVOICE {}", invoice.number())),
        Line::Plain(format!("Lago stand-in (behaves like Lago {LAGO_VERSION}); not a document of account")),
        Line::Plain(String::new()),
        fact("Issued", &invoice.issued().to_string()),
        fact("Invoice", &invoice.id.to_string()),
    ];
    lines.push(match invoice.kind {
        InvoiceKind::Subscription => {
            let until = invoice.until.format("%Y-%m-%d %H:%M:%SZ");
            fact("Period", &format!("{} to before {until}", invoice.from.format("%Y-%m-%d %H:%M:%SZ")))
        }
        InvoiceKind::Credit => fact("For", "prepaid credits"),
    });
    lines.push(Line::Plain(String::new()));
    lines.push(fact("Customer", &invoice.external_customer_id));
    let says = |field: &str| customer.and_then(|customer| customer.fields.get(field)).and_then(Value::as_str);
    let told = ["name"].iter().chain(&ADDRESS).filter_map(|field| says(field)).filter(|text| !text.is_empty());
    lines.extend(told.map(|text| fact("", text)));
    lines.push(Line::Plain(String::new()));
    lines.push(Line::Strong(row("Item", "Units", &format!("Amount {}", invoice.currency))));
    lines.push(Line::Rule);
    lines.extend(invoice.fees.iter().flat_map(fee));
    lines.push(Line::Rule);
    lines.extend(totals(invoice));
    lines
}

fn totals(invoice: &Invoice) -> Vec<Line> {
    let sum = |name: &str, cents: i64| Line::Plain(row(name, "", &amount(cents)));
    let mut lines = vec![sum("Without taxes", invoice.fees_amount_cents), sum("Taxes", invoice.taxes_amount_cents)];
    for (name, cents) in [
        ("Paid from granted credits", invoice.granted_credit_cents),
        ("Paid from purchased credits", invoice.purchased_credit_cents),
    ] {
        if cents != 0 {
            lines.push(sum(name, -cents));
        }
    }
    lines.push(Line::Strong(row("Total", "", &amount(invoice.total_cents()))));
    lines
}

/// A fee; a long name goes on in lines of its own.
fn fee(fee: &Value) -> Vec<Line> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let item = &fee["item"];
    let shown = if item["invoice_display_name"].is_string() { &item["invoice_display_name"] } else { &item["name"] };
    let name = format!("{} ({})", text(shown), text(&item["code"]));
    let letters: Vec<char> = name.chars().collect();
    let mut parts = letters.chunks(NAME - 1).map(|part| part.iter().collect::<String>());
    let first = parts.next().unwrap_or_default();
    let amount = amount(fee["amount_cents"].as_i64().unwrap_or_default());
    let head = Line::Plain(row(&first, &text(&fee["units"]), &amount));
    std::iter::once(head).chain(parts.map(Line::Plain)).collect()
}

fn fact(name: &str, value: &str) -> Line {
    Line::Plain(format!("{name:<12}{value}"))
}

fn row(name: &str, units: &str, amount: &str) -> String {
    format!("{name:<NAME$}{units:>UNITS$}{amount:>AMOUNT$}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_long_name_keeps_the_columns_of_its_line() {
        let lines = fee(&json!({
            "item": { "name": "N".repeat(120), "code": "compute_units", "invoice_display_name": null },
            "units": "12.5", "amount_cents": 301,
        }));
        let Line::Plain(first) = &lines[0] else { panic!("a plain line") };
        assert_eq!((lines.len() > 1, first.len(), first.ends_with("12.5                3.01")), (true, WIDTH, true));
    }
}

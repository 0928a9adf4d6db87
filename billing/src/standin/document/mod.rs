//! The PDF of an invoice: plain, true to the invoice, and named as made by a stand-in on every page.

mod pdf;
mod text;

use super::book::Book;
use super::records::Invoice;

/// The PDF, the same bytes for the same invoice.
pub(super) fn of(book: &Book, invoice: &Invoice) -> Vec<u8> {
    let customer = book.customers.get(&invoice.external_customer_id);
    let lines = text::lines(invoice, customer);
    pdf::document(&format!("Invoice {}", invoice.number()), &text::footer(invoice), &lines)
}

//! What is told beside the table and the CSV, on stderr.

use ::billing::reconciliation::Invoicing;
use activities::billing_delivery::Unsubscribed;
use activities::reconciliation::{Repaired, TenantReport};

/// What a repair did, and what a person is to do.
pub(super) fn advice(reports: &[TenantReport], repaired: Option<Repaired>) -> String {
    let mut text = String::new();
    if let Some(Repaired { sent, booked_anew, delivered, left, stopped }) = repaired {
        text += &format!(
            "sent again: {sent}; booked anew: {booked_anew}; delivered: {delivered}; left for a person: {left}\n"
        );
        if stopped > 0 {
            text += &format!("tenants whose repair was stopped by an error, which was logged: {stopped}\n");
        }
    }
    let unread = reports.iter().filter(|report| report.unread.is_some()).count();
    if unread > 0 {
        text += &format!("tenants that could not be read, and of which nothing is known: {unread}\n");
    }
    let has_dead = |report: &&TenantReport| report.lines.iter().any(|line| !line.dead_letters.is_empty());
    for TenantReport { tenant, .. } in reports.iter().filter(has_dead) {
        text += &format!("what was refused for good: zama-jobs billing dead-letters list --tenant {tenant}\n");
    }
    for TenantReport { tenant, unsubscribed, .. } in reports {
        let way_out = match unsubscribed {
            None => continue,
            Some(Unsubscribed::Ended { .. }) => {
                format!("make it anew in the billing system, or close the tenant: zama-jobs tenants close {tenant}")
            }
            Some(Unsubscribed::Unknown) => {
                "restore the billing system, or have it made anew: zama-jobs billing setup".to_owned()
            }
        };
        text += &format!("account {tenant} has no active subscription: {way_out}\n");
    }
    // All of them are of one month.
    if let Some(report) = reports.iter().find(|report| report.invoice == Invoicing::Uninvoiced) {
        let month = report.month;
        text += &format!(
            "months without their invoice are made, finalized or invoiced anew in Lago; a stand-in, which has no clock, \
             makes them by: zama-jobs billing close-month {month}\n"
        );
    }
    if reports.iter().flat_map(|report| &report.lines).any(|line| !line.priced_otherwise.is_empty()) {
        text += "agreed is what this program's price list says of the units: zama-jobs billing setup --check tells whether \
                 Lago has it now\n";
    }
    text
}

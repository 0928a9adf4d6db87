//! The parts of a span that a tenant was subscribed in, and what of them no invoice bills: a change of plan has an invoice of
//! its own, and so has what ended and began anew.

use super::Closed;
use crate::Subscribed;

/// Seconds that may lie between two invoices. Lago begins a cheaper plan when its clock looks, and bills what lies before that
/// on no invoice; and what is shorter than a day has no fee.
const BETWEEN: i64 = 24 * 60 * 60;

/// A stretch of a tenant's subscription that no invoice bills.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lacking {
    /// First of its Unix seconds, and that in which it is over.
    pub first: i64,
    pub until: i64,
    /// The code of its plan; `None` where a later change of plan hides it.
    pub plan: Option<String>,
}

/// Whether invoices bill all of a span, whatever was subscribed in it.
#[must_use]
pub fn cover(closed: &[Closed], first: i64, until: i64) -> bool {
    gaps(closed, first, until).into_iter().all(|gap| gap.1 < until && is_short(gap))
}

/// What no invoice bills of these parts.
#[must_use]
pub fn lacking(closed: &[Closed], parts: &[Subscribed]) -> Vec<Lacking> {
    let Some(last) = parts.iter().map(|part| part.until.timestamp()).max() else { return Vec::new() };
    let gaps = parts.iter().flat_map(|part| gaps(closed, part.from.timestamp(), part.until.timestamp()));
    let counts = |gap: &(i64, i64)| gap.1 == last || !is_short(*gap);
    let lacking = |(first, until): (i64, i64)| {
        // The next part begins in the second in which this one ends, or behind it.
        let is_its_end = |part: &&Subscribed| (part.until.timestamp() - until).abs() <= 1;
        let plan = parts.iter().find(is_its_end).map(|part| part.plan.clone());
        Lacking { first, until, plan }
    };
    gaps.filter(counts).map(lacking).collect()
}

fn is_short((first, until): (i64, i64)) -> bool {
    until - first < BETWEEN
}

/// Stretches of a span that are on no invoice: first second, and that in which each is over.
fn gaps(closed: &[Closed], first: i64, until: i64) -> Vec<(i64, i64)> {
    let mut billed: Vec<(i64, i64)> = closed.iter().map(|closed| (closed.first, closed.last + 1)).collect();
    billed.push((until, until));
    billed.sort_unstable();
    let (mut gaps, mut reached) = (Vec::new(), first);
    for (next, over) in billed {
        if reached < next.min(until) {
            gaps.push((reached, next.min(until)));
        }
        reached = reached.max(over);
    }
    gaps
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    const DAY: i64 = BETWEEN;
    const MONTH: i64 = 30 * DAY;

    fn closed(first: i64, until: i64) -> Closed {
        Closed { first, last: until - 1, at: MONTH, units: None }
    }

    fn part(from: i64, until: i64, plan: &str) -> Subscribed {
        let at = |second| DateTime::from_timestamp(second, 0).unwrap();
        Subscribed { from: at(from), until: at(until), plan: plan.to_owned() }
    }

    fn found(closed: &[Closed], parts: &[Subscribed]) -> Vec<(i64, i64, Option<String>)> {
        lacking(closed, parts).into_iter().map(|lacking| (lacking.first, lacking.until, lacking.plan)).collect()
    }

    #[test]
    fn the_part_before_a_change_of_plan_lacks_its_invoice_by_itself() {
        let change = 10 * DAY;
        let parts = [part(0, MONTH, "team"), part(0, change, "developer")];
        let (before, rest) = (closed(0, change + 1), closed(change, MONTH));
        assert_eq!(found(&[rest.clone(), before.clone()], &parts), []);
        assert!(cover(&[rest.clone(), before.clone()], 0, MONTH) && !cover(std::slice::from_ref(&rest), 0, MONTH));
        let developers = (0, change, Some("developer".to_owned()));
        assert_eq!(found(&[rest], &parts), [developers.clone(), developers.clone()]);
        let teams = (change + 1, MONTH, Some("team".to_owned()));
        assert_eq!(found(&[before], &parts), [teams]);
        assert_eq!(found(&[], &parts), [(0, MONTH, Some("team".to_owned())), developers]);
    }

    #[test]
    fn what_lies_between_two_other_changes_lacks_and_its_plan_is_hidden() {
        let parts = [part(0, MONTH, "enterprise"), part(0, 20 * DAY, "team")];
        let billed = [closed(10 * DAY, 20 * DAY), closed(20 * DAY, MONTH)];
        assert_eq!(found(&billed, &parts), [(0, 10 * DAY, None), (0, 10 * DAY, None)]);
    }

    #[test]
    fn what_ended_and_began_anew_has_an_invoice_for_each() {
        let parts = [part(20 * DAY, MONTH, "team"), part(0, 10 * DAY, "team")];
        let [old, new] = [closed(0, 10 * DAY), closed(20 * DAY, MONTH)];
        assert_eq!(found(&[old.clone(), new.clone()], &parts), []);
        assert!(!cover(&[old, new.clone()], 0, MONTH), "what was subscribed must be asked for");
        assert_eq!(found(&[new], &parts), [(0, 10 * DAY, Some("team".to_owned()))]);
        assert_eq!(found(&[], &[]), []);
    }

    /// Lago's clock ended the dearer plan within the month's first hour.
    #[test]
    fn the_first_hour_of_a_cheaper_plan_is_on_no_invoice_and_the_last_second_is_on_one() {
        let hour = 3_600;
        let parts = [part(0, MONTH, "developer"), part(0, hour, "team")];
        assert_eq!(found(&[closed(hour, MONTH)], &parts), []);
        assert!(cover(&[closed(hour, MONTH)], 0, MONTH));
        assert_eq!(found(&[closed(hour, MONTH - 1)], &parts), [(MONTH - 1, MONTH, Some("developer".to_owned()))]);
        assert!(!cover(&[closed(hour, MONTH - 1)], 0, MONTH));
        assert_eq!(found(&[], &[part(0, hour, "team")]), [(0, hour, Some("team".to_owned()))], "the last one's end");
    }
}

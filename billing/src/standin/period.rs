//! The billing period: calendar months in UTC, clipped to the subscription's own time.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveTime, SecondsFormat, Utc};

use super::records::Subscription;

/// The month that is open now, as far as one subscription takes part in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Period {
    /// First moment that counts.
    pub from: DateTime<Utc>,
    /// The moment at which it is over.
    pub until: DateTime<Utc>,
}

impl Period {
    pub(super) fn current(subscription: &Subscription, now: DateTime<Utc>) -> Self {
        Self::of_month(subscription, now.date_naive())
    }

    /// A subscription's part of the month of `day`; empty when it has none.
    pub(super) fn of_month(subscription: &Subscription, day: NaiveDate) -> Self {
        let month = Self::month(day);
        let end = subscription.terminated_at.unwrap_or(month.until);
        Self { from: month.from.max(subscription.start()), until: month.until.min(end) }
    }

    /// The whole month of `day`.
    pub(super) fn month(day: NaiveDate) -> Self {
        let first = day.with_day(1).unwrap_or(day);
        let next = first.checked_add_months(Months::new(1)).unwrap_or(NaiveDate::MAX);
        Self { from: midnight(first), until: midnight(next) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.until <= self.from
    }

    /// Days that it touches.
    pub(super) fn days(&self) -> i64 {
        if self.is_empty() { 0 } else { (self.last_day() - self.from.date_naive()).num_days() + 1 }
    }

    pub(super) fn contains(&self, moment: DateTime<Utc>) -> bool {
        self.from <= moment && moment < self.until
    }

    /// The period's last day, which is the invoice's date.
    pub(super) fn last_day(&self) -> NaiveDate {
        let next = self.until.date_naive();
        if self.until != midnight(next) {
            return next;
        }
        next.checked_sub_days(Days::new(1)).unwrap_or(next)
    }

    /// The period's last second, as Lago writes it.
    pub(super) fn last_second(&self) -> String {
        format!("{}T23:59:59Z", self.last_day())
    }
}

fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}

/// Lago's form of a time.
pub(super) fn iso(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Lago's form of an event's and a start's time.
pub(super) fn iso_millis(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn subscription(start: &str) -> Subscription {
        Subscription {
            id: Uuid::nil(),
            external_id: "acme".to_owned(),
            customer_id: Uuid::nil(),
            external_customer_id: "acme".to_owned(),
            plan_code: "team".to_owned(),
            name: None,
            subscription_at: at(start),
            terminated_at: None,
            canceled_at: None,
            began_at: None,
            created_at: at(start),
        }
    }

    #[test]
    fn an_older_subscription_is_billed_from_the_first_of_the_month() {
        let period = Period::current(&subscription("2026-03-20T10:00:00Z"), at("2027-02-10T00:00:00Z"));
        assert_eq!(period.from, at("2027-02-01T00:00:00Z"));
        assert_eq!(period.last_second(), "2027-02-28T23:59:59Z");
    }

    #[test]
    fn the_month_boundary_belongs_to_the_next_month() {
        let period = Period::current(&subscription("2026-11-20T10:00:00Z"), at("2026-12-31T12:00:00Z"));
        assert!(period.contains(at("2026-12-31T23:59:59.900Z")));
        assert!(!period.contains(at("2027-01-01T00:00:00Z")));
        assert!(period.contains(at("2026-12-01T00:00:00Z")));
        assert!(!period.contains(at("2026-11-30T23:59:59.999Z")));
    }

    #[test]
    fn a_month_in_which_it_is_not_active_is_none_of_its_periods() {
        let ended =
            Subscription { terminated_at: Some(at("2026-12-10T12:00:00Z")), ..subscription("2026-11-20T10:00:00Z") };
        let of = |day: &str| Period::of_month(&ended, day.parse().unwrap());
        assert_eq!((of("2026-12-01").days(), of("2026-12-01").last_second()), (10, "2026-12-10T23:59:59Z".to_owned()));
        assert_eq!(of("2026-11-30").days(), 11);
        assert!(of("2026-10-01").is_empty() && of("2027-01-01").is_empty());
    }

    #[test]
    fn the_first_period_starts_with_the_subscription() {
        let period = Period::current(&subscription("2026-11-20T10:00:00Z"), at("2026-11-21T00:00:00Z"));
        assert!(!period.contains(at("2026-11-20T09:59:59Z")));
        assert!(period.contains(at("2026-11-20T10:00:00Z")));
    }
}

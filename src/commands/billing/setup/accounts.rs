//! Tenants' accounts, as set-up finds and makes them. Each is made by itself: one that is refused holds back nobody else's.

use ::billing::{Change, ExternalId, Kind, Report};
use activities::billing_delivery::{BillingDelivery, Standing, Unsubscribed};
use activities::reconciliation::reason;
use anyhow::Result;
use chrono::{DateTime, Utc};

/// Tenants whose account is not as it should be.
pub(super) struct Accounts {
    /// The billing system was never told of them.
    missing: Vec<String>,
    /// It was, and knows no subscription of them any more.
    lost: Vec<String>,
    /// Somebody ended their subscription there, and when.
    ended: Vec<(String, Option<DateTime<Utc>>)>,
}

impl Accounts {
    /// # Errors
    /// Database or billing system away.
    pub(super) async fn find(delivery: &BillingDelivery) -> Result<Self> {
        let missing = store::accounts::to_begin(&delivery.pool).await?;
        let (mut lost, mut ended) = (Vec::new(), Vec::new());
        for (tenant, why) in delivery.all_unsubscribed().await? {
            match why {
                Unsubscribed::Unknown => lost.push(tenant),
                Unsubscribed::Ended { at } => ended.push((tenant, at)),
            }
        }
        Ok(Self { missing, lost, ended })
    }

    /// Adds what there is to do.
    pub(super) fn plan(&self, plan: &mut Report) {
        self.missing.iter().for_each(|tenant| plan.add(Kind::Account, tenant, Change::Missing));
        self.lost.iter().for_each(|tenant| plan.add(Kind::Account, tenant, Change::Lost));
        self.tell_ended(plan);
    }

    /// Makes those that can be made, and adds what became of each. Tells how many that were made once have no subscription
    /// all the same.
    pub(super) async fn make(&self, delivery: &BillingDelivery, report: &mut Report) -> usize {
        for tenant in &self.missing {
            tell(report, tenant, begin(delivery, tenant).await);
        }
        let mut unbilled = self.ended.len();
        for tenant in &self.lost {
            let made = delivery.make_anew(tenant).await;
            unbilled += usize::from(made.is_err());
            tell(report, tenant, made);
        }
        self.tell_ended(report);
        unbilled
    }

    /// What finance has ended is for a person to make anew.
    fn tell_ended(&self, report: &mut Report) {
        self.ended.iter().for_each(|(tenant, at)| report.add(Kind::Account, tenant, Change::Ended(*at)));
    }
}

/// Whether it has an account now.
async fn begin(delivery: &BillingDelivery, tenant: &str) -> Result<bool> {
    let standing = delivery.ensure_account(tenant, &ExternalId::parse(tenant)?).await?;
    Ok(standing == Standing::Open)
}

fn tell(report: &mut Report, tenant: &str, made: Result<bool>) {
    match made {
        Ok(true) => report.add(Kind::Account, tenant, Change::Created),
        // One that was closed meanwhile, and owes nothing, gets none.
        Ok(false) => {}
        Err(error) => report.add(Kind::Account, tenant, Change::Failed(reason(&error))),
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn one_that_failed_is_told_on_a_line_of_its_own_beside_those_that_were_made() {
        let mut report = Report::default();
        tell(&mut report, "abel", Ok(true));
        tell(&mut report, "closed", Ok(false));
        assert!(report.is_settled());
        tell(&mut report, "globex", Err(anyhow!("{{\n  \"status\": 422\n}}").context("refused")));
        let told = report.to_string();
        let lines: Vec<&str> = told.lines().collect();
        assert_eq!(lines.len(), 2, "{told}");
        assert!(lines[0].ends_with(" created") && lines[0].contains("abel"), "{told}");
        assert!(lines[1].ends_with("failed: refused: { \"status\": 422 }"), "{told}");
        assert!(report.has_failed() && !report.is_settled());
        let mut page = Report::default();
        tell(&mut page, "globex", Err(anyhow!("<p>".repeat(1000))));
        assert!(page.to_string().trim_end().ends_with("<p> …"), "an answer may be a whole page");
    }
}

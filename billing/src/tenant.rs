//! A tenant in Lago: its customer and its subscription, both under the tenant's own id.

use chrono::{DateTime, SecondsFormat, SubsecRound, Utc};
use lago_types::models::SubscriptionBillingTime;
use lago_types::requests::customer::{CreateCustomerInput, CreateCustomerRequest, GetCustomerRequest};
use lago_types::requests::subscription::{CreateSubscriptionInput, CreateSubscriptionRequest, GetSubscriptionRequest};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::event::PageMeta;
use crate::query::Query;
use crate::{ExternalId, LagoClient, LagoError};

/// Subscriptions in one page of a list; Lago gives no more.
const SUBSCRIPTIONS_A_PAGE: u32 = 100;

/// An active subscription, as far as metering cares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    pub external_id: ExternalId,
    /// The plan's code.
    pub plan: String,
    /// Earlier events are never counted.
    pub started_at: Option<DateTime<Utc>>,
}

/// A subscription's part of a span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribed {
    /// Its begin: the span's, or that of the tenant's first of these plans if that is later.
    pub from: DateTime<Utc>,
    /// Its end: the span's, or the subscription's if that is sooner.
    pub until: DateTime<Utc>,
    /// The plan's code, of the subscription that was there at the end.
    pub plan: String,
}

impl Subscription {
    /// Whether Lago counts an event of this Unix second.
    pub(crate) fn bills(&self, timestamp: i64) -> bool {
        let event = DateTime::from_timestamp(timestamp, 0);
        event.zip(self.started_at).is_some_and(|(event, start)| event >= start)
    }
}

impl LagoClient {
    /// The active subscription under this id.
    ///
    /// # Errors
    /// Any [`LagoError`].
    pub async fn subscription(&self, id: &ExternalId) -> Result<Option<Subscription>, LagoError> {
        let request = GetSubscriptionRequest::new(id.to_string());
        let answer = self.sdk().get_subscription(request).await.map_err(LagoError::from);
        let found = LagoError::absent_is_none(answer)?;
        Ok(found.map(|answer| Subscription {
            external_id: id.clone(),
            plan: answer.subscription.plan_code,
            started_at: answer.subscription.started_at,
        }))
    }

    /// The ids of all active subscriptions, whosever they are.
    ///
    /// # Errors
    /// Any [`LagoError`].
    pub async fn active_subscriptions(&self) -> Result<Vec<String>, LagoError> {
        let mut ids = Vec::new();
        let mut page = 1;
        loop {
            // Without a status Lago tells the active ones.
            let query = Query::Subscriptions { page, per_page: SUBSCRIPTIONS_A_PAGE };
            let found: SubscriptionPage = self.get_with(&["subscriptions"], &query).await?;
            ids.extend(found.subscriptions.into_iter().map(|subscription| subscription.external_id));
            match found.meta.next_page {
                Some(next) if next > page => page = next,
                _ => return Ok(ids),
            }
        }
    }

    /// Cancels the subscription that is to take the place of the active one, if any is. It is asked for first: a Lago that did
    /// not heed the status would end the active one.
    async fn cancel_pending(&self, id: &ExternalId) -> Result<(), LagoError> {
        let (path, pending) = (["subscriptions", id.as_str()], Query::Subscription { status: "pending" });
        match self.find_with::<IgnoredAny>(&path, &pending).await? {
            Some(_) => self.delete_with(&path, &pending).await,
            None => Ok(()),
        }
    }

    /// When the subscription was asked for that is to take the place of the active one; `None` where none is.
    ///
    /// # Errors
    /// Any [`LagoError`].
    pub async fn pending_since(&self, id: &ExternalId) -> Result<Option<DateTime<Utc>>, LagoError> {
        let path = ["subscriptions", id.as_str()];
        let found: Option<PendingAnswer> = self.find_with(&path, &Query::Subscription { status: "pending" }).await?;
        Ok(found.map(|answer| answer.subscription.created_at))
    }

    /// The parts of a span in which a tenant is subscribed: the active subscription's and that of the one that ended last, which
    /// both begin with the first plan where one was changed for another. Of those that ended before Lago does not tell.
    ///
    /// # Errors
    /// Any [`LagoError`].
    pub async fn subscribed_within(
        &self,
        id: &ExternalId,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Vec<Subscribed>, LagoError> {
        let mut parts = Vec::new();
        for status in ["active", "terminated"] {
            let path = ["subscriptions", id.as_str()];
            let found: Option<DatesAnswer> = self.find_with(&path, &Query::Subscription { status }).await?;
            parts.extend(found.and_then(|answer| answer.subscription.within(from, until)));
        }
        Ok(parts)
    }

    /// When the subscription ended that was a tenant's last one before a moment; `None` where one is active that began before
    /// it, and where Lago knows of no end.
    ///
    /// # Errors
    /// Any [`LagoError`].
    pub async fn subscription_end(
        &self,
        id: &ExternalId,
        moment: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>, LagoError> {
        let path = ["subscriptions", id.as_str()];
        let active: Option<DatesAnswer> = self.find_with(&path, &Query::Subscription { status: "active" }).await?;
        let goes_on = |dates: Dates| dates.started_at.is_none_or(|start| start < moment);
        if active.is_some_and(|answer| goes_on(answer.subscription)) {
            return Ok(None);
        }
        // Of several Lago tells the one that ended last.
        let ended: Option<DatesAnswer> = self.find_with(&path, &Query::Subscription { status: "terminated" }).await?;
        Ok(ended.and_then(|answer| answer.subscription.terminated_at))
    }
}

#[derive(Deserialize)]
struct SubscriptionPage {
    subscriptions: Vec<Named>,
    meta: PageMeta,
}

#[derive(Deserialize)]
struct Named {
    external_id: String,
}

#[derive(Deserialize)]
struct PendingAnswer {
    subscription: Pending,
}

#[derive(Deserialize)]
struct Pending {
    created_at: DateTime<Utc>,
}

#[derive(Deserialize)]
struct DatesAnswer {
    subscription: Dates,
}

#[derive(Deserialize)]
struct Dates {
    plan_code: String,
    /// That of the first subscription: a change of plan makes another one, and takes this along.
    subscription_at: Option<DateTime<Utc>>,
    started_at: Option<DateTime<Utc>>,
    terminated_at: Option<DateTime<Utc>>,
}

impl Dates {
    fn within(self, from: DateTime<Utc>, until: DateTime<Utc>) -> Option<Subscribed> {
        let end = self.terminated_at.map_or(until, |end| end.min(until));
        let begin = self.subscription_at.map_or(from, |begin| begin.max(from));
        (begin < end).then_some(Subscribed { from: begin, until: end, plan: self.plan_code })
    }
}

/// Makes sure that the tenant is a customer with a subscription that began when the tenant did.
///
/// What exists is left as it is, whatever finance has added to it; a change of plan is not made here. Tells whether the
/// subscription was made now.
///
/// # Errors
/// Any [`LagoError`]; [`LagoError::Rejected`] with 404 when the plan was not provisioned.
pub async fn ensure_tenant(
    client: &LagoClient,
    tenant: &ExternalId,
    plan: &ExternalId,
    created_at: DateTime<Utc>,
) -> Result<bool, LagoError> {
    let answer = client.sdk().get_customer(GetCustomerRequest::new(tenant.to_string())).await;
    if LagoError::absent_is_none(answer.map_err(LagoError::from))?.is_none() {
        let customer = CreateCustomerInput::new(tenant.to_string()).with_name(tenant.to_string());
        client.sdk().create_customer(CreateCustomerRequest::new(customer)).await?;
    }
    if client.subscription(tenant).await?.is_some() {
        return Ok(false);
    }
    // Events carry whole seconds: a start within the tenant's first second would lose what happened in it.
    let start = created_at.trunc_subsecs(0).to_rfc3339_opts(SecondsFormat::Secs, true);
    let subscription = CreateSubscriptionInput::new(tenant.to_string(), plan.to_string())
        .with_external_id(tenant.to_string())
        .with_name(tenant.to_string())
        .with_billing_time(SubscriptionBillingTime::Calendar)
        .with_subscription_at(start);
    client.sdk().create_subscription(CreateSubscriptionRequest::new(subscription)).await?;
    Ok(true)
}

/// Puts a tenant's subscription on another plan. Lago changes to one that costs as much or more at once, and invoices what
/// was used until now; to a cheaper one with the next period, when its clock looks, which it does every hour
/// (`Subscriptions::TerminateService.terminate_and_start_next` of lago-api). Where none is active it would make one: ask for it before.
///
/// Asked for the plan that it has, Lago changes nothing, not even what is to follow: a cheaper plan that nobody wants any
/// more is taken back by its own name, pending (`app/services/subscriptions/create_service.rb` of lago-api).
///
/// # Errors
/// Any [`LagoError`]; [`LagoError::Rejected`] with 404 when the plan was not provisioned.
pub async fn change_plan(client: &LagoClient, tenant: &ExternalId, plan: &ExternalId) -> Result<(), LagoError> {
    if client.subscription(tenant).await?.is_some_and(|active| active.plan == plan.as_str()) {
        return client.cancel_pending(tenant).await;
    }
    // Under the id of an active subscription this is a change of its plan.
    let subscription = CreateSubscriptionInput::new(tenant.to_string(), plan.to_string())
        .with_external_id(tenant.to_string())
        .with_name(tenant.to_string())
        .with_billing_time(SubscriptionBillingTime::Calendar);
    client.sdk().create_subscription(CreateSubscriptionRequest::new(subscription)).await?;
    Ok(())
}

/// Terminates a tenant's subscription, whose last invoice Lago makes at once. One that is not there is terminated.
///
/// # Errors
/// Any [`LagoError`].
pub async fn end_tenant(client: &LagoClient, tenant: &ExternalId) -> Result<(), LagoError> {
    client.delete(&["subscriptions", tenant.as_str()]).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(day: &str) -> DateTime<Utc> {
        format!("{day}T00:00:00Z").parse().unwrap()
    }

    /// Of November, begin and end of what a subscription has of it.
    fn november(begin: &str, end: Option<&str>) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        let dates = Dates {
            plan_code: "team".to_owned(),
            subscription_at: Some(at(begin)),
            started_at: None,
            terminated_at: end.map(at),
        };
        dates.within(at("2026-11-01"), at("2026-12-01")).map(|part| (part.from, part.until))
    }

    #[test]
    fn a_subscription_has_a_part_of_the_months_that_it_touches() {
        let all = Some((at("2026-11-01"), at("2026-12-01")));
        assert_eq!(november("2026-09-10", None), all);
        assert_eq!(november("2026-11-30", None), Some((at("2026-11-30"), at("2026-12-01"))));
        assert_eq!(november("2026-12-01", None), None, "it had not begun");
        assert_eq!(november("2026-09-10", Some("2026-11-10")), Some((at("2026-11-01"), at("2026-11-10"))));
        assert_eq!(november("2026-09-10", Some("2026-12-10")), all);
        assert_eq!(november("2026-09-10", Some("2026-11-01")), None, "it was over");
    }
}

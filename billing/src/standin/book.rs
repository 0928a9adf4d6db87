//! The stand-in's memory: all records, found by the names under which the API asks for them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::news::{Notice, SigningKey};
use super::prepaid::{Wallet, WalletTransaction};
use super::records::{Customer, Event, Invoice, Metric, Plan, Record, Subscription, Tax, WebhookEndpoint};
use super::timeline::{Moment, Timeline};

#[derive(Debug, Default)]
pub(super) struct Book {
    pub metrics: BTreeMap<String, Metric>,
    pub taxes: BTreeMap<String, Tax>,
    pub plans: BTreeMap<String, Plan>,
    pub customers: BTreeMap<String, Customer>,
    pub subscriptions: Vec<Subscription>,
    pub webhook_endpoints: Vec<WebhookEndpoint>,
    /// In the order of arrival, those that are gone included.
    events: Vec<Event>,
    /// Their places by transaction id, which each subscription may have once.
    event_ids: HashMap<String, Vec<usize>>,
    /// Those of each subscription that are not gone.
    timelines: HashMap<String, Timeline>,
    /// In the order in which they were made.
    pub invoices: Vec<Invoice>,
    pub wallets: Vec<Wallet>,
    pub wallet_transactions: Vec<WalletTransaction>,
    /// Notices that are still to be sent, by their keys.
    pub notices: BTreeMap<Uuid, Notice>,
    /// What notices are signed with, once one was needed.
    pub signing_key: Option<SigningKey>,
    /// Where the stand-in is; not remembered, since it may be elsewhere next time.
    pub origin: String,
}

impl Book {
    /// An empty one, of a stand-in that is reached under this address.
    pub(super) fn at(origin: String) -> Self {
        Self { origin, ..Self::default() }
    }

    pub(super) fn apply(&mut self, record: Record) {
        match record {
            Record::Metric(metric) => drop(self.metrics.insert(metric.code.clone(), metric)),
            Record::Tax(tax) => drop(self.taxes.insert(tax.code.clone(), tax)),
            Record::Plan(plan) => drop(self.plans.insert(plan.code.clone(), plan)),
            Record::Customer(customer) => drop(self.customers.insert(customer.external_id.clone(), customer)),
            Record::Subscription(subscription) => {
                replace_or_push(&mut self.subscriptions, subscription, |item| item.id)
            }
            Record::WebhookEndpoint(endpoint) => replace_or_push(&mut self.webhook_endpoints, endpoint, |item| item.id),
            Record::Event(event) => self.add(event),
            Record::Invoice(invoice) => replace_or_push(&mut self.invoices, invoice, |item| item.id),
            Record::Wallet(wallet) => replace_or_push(&mut self.wallets, wallet, |item| item.id),
            Record::WalletTransaction(transaction) => {
                replace_or_push(&mut self.wallet_transactions, transaction, |item| item.id)
            }
            Record::WebhookEndpointGone(id) => self.webhook_endpoints.retain(|endpoint| endpoint.id != id),
            Record::MetricGone(code) => self.remove_metric(&code),
            Record::Notice(notice) if notice.is_open() => drop(self.notices.insert(notice.id, notice)),
            Record::Notice(notice) => drop(self.notices.remove(&notice.id)),
            Record::SigningKey(key) => self.signing_key = Some(key),
        }
    }

    pub(super) fn invoice(&self, id: Uuid) -> Option<&Invoice> {
        self.invoices.iter().find(|invoice| invoice.id == id)
    }

    pub(super) fn wallet(&self, id: Uuid) -> Option<&Wallet> {
        self.wallets.iter().find(|wallet| wallet.id == id)
    }

    fn add(&mut self, event: Event) {
        let place = self.events.len();
        self.event_ids.entry(event.transaction_id.clone()).or_default().push(place);
        if let Some(subscription) = &event.external_subscription_id {
            self.timelines.entry(subscription.clone()).or_default().add(&event, place);
        }
        self.events.push(event);
    }

    /// With its charges, and with the events of the subscriptions that it charged.
    fn remove_metric(&mut self, code: &str) {
        let Some(gone) = self.metrics.remove(code) else { return };
        let mut charging = BTreeSet::new();
        for plan in self.plans.values_mut() {
            let charges = plan.charges.len();
            plan.charges.retain(|charge| charge.metric_id != gone.id);
            if plan.charges.len() < charges {
                charging.insert(plan.code.clone());
            }
        }
        let charged = self.subscriptions.iter().filter(|subscription| charging.contains(&subscription.plan_code));
        let charged: BTreeSet<&str> = charged.map(|subscription| subscription.external_id.as_str()).collect();
        let is_charged =
            |event: &Event| event.external_subscription_id.as_deref().is_some_and(|id| charged.contains(id));
        for event in self.events.iter_mut().filter(|event| event.code == code) {
            if is_charged(event) {
                event.is_gone = true;
            }
        }
        let is_there = |place: usize| !self.events[place].is_gone;
        self.timelines.values_mut().for_each(|line| line.retain(is_there));
    }

    /// The events of this transaction id, in the order of arrival, those that are gone included.
    fn events_called(&self, transaction_id: &str) -> impl Iterator<Item = &Event> {
        self.event_ids.get(transaction_id).into_iter().flatten().map(|place| &self.events[*place])
    }

    /// Whether an event's id is taken.
    pub(super) fn has_event(&self, event: &Event) -> bool {
        let mut called = self.events_called(&event.transaction_id);
        called.any(|known| known.external_subscription_id == event.external_subscription_id)
    }

    pub(super) fn event(&self, transaction_id: &str) -> Option<&Event> {
        self.events_called(transaction_id).find(|event| !event.is_gone)
    }

    pub(super) fn event_at(&self, moment: &Moment) -> &Event {
        &self.events[moment.place]
    }

    /// When all events were. A line of its own for a question that nobody asks often.
    pub(super) fn timeline(&self) -> Timeline {
        let there = self.events.iter().enumerate().filter(|(_, event)| !event.is_gone);
        there.map(|(place, event)| Moment::of(event, place)).collect()
    }

    /// When the events were that name this subscription, if any did.
    pub(super) fn timeline_of(&self, external_subscription_id: &str) -> Option<&Timeline> {
        self.timelines.get(external_subscription_id)
    }

    /// The events that name this subscription, whether or not they fall into its time.
    pub(super) fn events_of(&self, external_subscription_id: &str) -> impl Iterator<Item = &Event> {
        let line = self.timeline_of(external_subscription_id).map(|line| line.between(None, None));
        line.unwrap_or_default().iter().map(|moment| self.event_at(moment))
    }

    pub(super) fn active_subscription(&self, external_id: &str, now: DateTime<Utc>) -> Option<&Subscription> {
        self.subscriptions
            .iter()
            .find(|subscription| subscription.external_id == external_id && subscription.is_active(now))
    }

    /// The subscription that an event belongs to, the one that is still open first.
    pub(super) fn subscription_of(&self, event: &Event, now: DateTime<Utc>) -> Option<&Subscription> {
        let id = event.external_subscription_id.as_deref()?;
        let covering = self
            .subscriptions
            .iter()
            .filter(|subscription| subscription.external_id == id && subscription.covers(event.timestamp, now));
        covering.max_by_key(|subscription| {
            (subscription.terminated_at.is_none(), subscription.terminated_at, subscription.subscription_at)
        })
    }

    pub(super) fn plan_is_used(&self, code: &str) -> bool {
        self.subscriptions.iter().any(|subscription| subscription.plan_code == code)
    }

    pub(super) fn metric_is_used(&self, id: Uuid) -> bool {
        let charging = self.plans.values().filter(|plan| plan.charges.iter().any(|charge| charge.metric_id == id));
        charging.into_iter().any(|plan| self.plan_is_used(&plan.code))
    }
}

fn replace_or_push<T>(items: &mut Vec<T>, item: T, id: impl Fn(&T) -> Uuid) {
    match items.iter().position(|known| id(known) == id(&item)) {
        Some(index) => items[index] = item,
        None => items.push(item),
    }
}

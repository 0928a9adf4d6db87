//! `Purse`: wallets and transactions as a change leaves them, while it is being decided on.
//!
//! Several invoices of one change draw from the same wallets; each sees what the one before left.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Credit, Kind, Status, Wallet, WalletTransaction};
use crate::standin::answer::Refusal;
use crate::standin::book::Book;
use crate::standin::records::Record;
use crate::standin::usage::{ongoing_cents, too_large};

pub(in crate::standin) struct Purse<'a> {
    book: &'a Book,
    now: DateTime<Utc>,
    /// Changed or new, in the order in which they were touched first.
    wallets: Vec<Wallet>,
    transactions: Vec<WalletTransaction>,
    /// Subscriptions that end in this change.
    ended: Vec<Uuid>,
}

/// What is to be drawn.
pub(in crate::standin) struct Bill<'a> {
    pub invoice_id: Uuid,
    pub external_customer_id: &'a str,
    pub currency: &'a str,
    /// Taxes included.
    pub total_cents: i64,
}

/// What was drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::standin) struct Drawn {
    pub granted_cents: i64,
    pub purchased_cents: i64,
}

impl Drawn {
    pub(in crate::standin) fn cents(self) -> i64 {
        self.granted_cents + self.purchased_cents
    }
}

impl<'a> Purse<'a> {
    pub(in crate::standin) fn of(book: &'a Book, now: DateTime<Utc>) -> Self {
        Self { book, now, wallets: Vec::new(), transactions: Vec::new(), ended: Vec::new() }
    }

    /// What has changed, ready for the journal.
    pub(in crate::standin) fn records(self) -> Vec<Record> {
        let wallets = self.wallets.into_iter().map(Record::Wallet);
        wallets.chain(self.transactions.into_iter().map(Record::WalletTransaction)).collect()
    }

    /// What a subscription has used is asked for no more: it ends in this change.
    pub(in crate::standin) fn ends(&mut self, subscription: Uuid) {
        self.ended.push(subscription);
    }

    /// A wallet as this change leaves it.
    pub(in crate::standin) fn wallet(&self, id: Uuid) -> Option<&Wallet> {
        self.wallets.iter().chain(&self.book.wallets).find(|wallet| wallet.id == id)
    }

    pub(in crate::standin) fn put_wallet(&mut self, wallet: Wallet) {
        put(&mut self.wallets, wallet, |item| item.id);
    }

    pub(in crate::standin) fn put_transaction(&mut self, transaction: WalletTransaction) {
        put(&mut self.transactions, transaction, |item| item.id);
    }

    /// The customer's active wallets in the order in which they are drawn.
    fn active_of(&self, external_customer_id: &str) -> Vec<Wallet> {
        let is_its = |wallet: &&Wallet| wallet.external_customer_id == external_customer_id;
        let is_unchanged = |wallet: &&Wallet| !self.wallets.iter().any(|changed| changed.id == wallet.id);
        let unchanged = self.book.wallets.iter().filter(is_its).filter(is_unchanged);
        let all = unchanged.chain(self.wallets.iter().filter(is_its));
        let mut own: Vec<Wallet> = all.filter(|wallet| wallet.is_active(self.now)).cloned().collect();
        own.sort_by_key(|wallet| (wallet.priority, wallet.created_at, wallet.id));
        own
    }

    /// Adds what a settled transaction brings.
    pub(in crate::standin) fn increase(&mut self, transaction: &WalletTransaction) -> Result<(), Refusal> {
        let Some(mut wallet) = self.wallet(transaction.wallet_id).cloned() else { return Ok(()) };
        wallet.balance_cents = wallet.balance_cents.checked_add(transaction.amount_cents).ok_or_else(too_large)?;
        wallet.credits = wallet.credits + &transaction.credits;
        wallet.last_balance_sync_at = Some(self.now);
        let (id, customer) = (wallet.id, wallet.external_customer_id.clone());
        self.put_wallet(wallet);
        // Lago looks at what was used anew for this wallet alone.
        self.refresh(&customer, Some(id))
    }

    /// Settles a purchase, once.
    pub(in crate::standin) fn settle(&mut self, transaction: WalletTransaction) -> Result<(), Refusal> {
        if transaction.status == Status::Settled {
            return Ok(());
        }
        let settled = WalletTransaction {
            status: Status::Settled,
            settled_at: Some(self.now),
            remaining_cents: Some(transaction.amount_cents),
            ..transaction
        };
        self.put_transaction(settled.clone());
        self.increase(&settled)
    }

    /// Notes that a purchase was not paid; one that has settled stays so.
    pub(in crate::standin) fn fail(&mut self, transaction: WalletTransaction) {
        if transaction.status == Status::Pending {
            let failed_at = Some(self.now);
            self.put_transaction(WalletTransaction { status: Status::Failed, failed_at, ..transaction });
        }
    }

    /// Takes from a wallet what a transaction takes, from the oldest additions, granted ones first.
    pub(in crate::standin) fn decrease(&mut self, transaction: WalletTransaction) -> Result<Drawn, Refusal> {
        let drawn = self.consume(&transaction)?;
        if let Some(mut wallet) = self.wallet(transaction.wallet_id).cloned() {
            wallet.balance_cents -= transaction.amount_cents;
            wallet.credits = wallet.credits - &transaction.credits;
            wallet.consumed_credits = wallet.consumed_credits + &transaction.credits;
            wallet.last_balance_sync_at = Some(self.now);
            wallet.last_consumed_credit_at = Some(self.now);
            self.put_wallet(wallet);
        }
        self.put_transaction(transaction);
        Ok(drawn)
    }

    fn consume(&mut self, outbound: &WalletTransaction) -> Result<Drawn, Refusal> {
        let is_left = |item: &&WalletTransaction| {
            item.wallet_id == outbound.wallet_id
                && item.kind.adds()
                && item.status == Status::Settled
                && item.remaining_cents.is_some_and(|cents| cents > 0)
        };
        let is_unchanged = |item: &&WalletTransaction| !self.transactions.iter().any(|changed| changed.id == item.id);
        let unchanged = self.book.wallet_transactions.iter().filter(is_left).filter(is_unchanged);
        let mut available: Vec<WalletTransaction> =
            unchanged.chain(self.transactions.iter().filter(is_left)).cloned().collect();
        available.sort_by_key(|item| (item.priority, item.kind != Kind::Granted, item.created_at, item.id));
        let mut open = outbound.amount_cents;
        let mut drawn = Drawn::default();
        for inbound in available {
            let remaining = inbound.remaining_cents.unwrap_or_default();
            let taken = remaining.min(open);
            if taken == 0 {
                break;
            }
            open -= taken;
            match inbound.kind {
                Kind::Granted => drawn.granted_cents += taken,
                _ => drawn.purchased_cents += taken,
            }
            self.put_transaction(WalletTransaction { remaining_cents: Some(remaining - taken), ..inbound });
        }
        if open > 0 { Err(Refusal::field("amount_cents", "exceeds_available_amount")) } else { Ok(drawn) }
    }

    /// Pays a bill from the customer's wallets as far as they reach, one transaction a wallet.
    pub(in crate::standin) fn draw(&mut self, bill: &Bill<'_>) -> Result<Drawn, Refusal> {
        let mut drawn = Drawn::default();
        for wallet in self.active_of(bill.external_customer_id) {
            let cents = wallet.balance_cents.min(bill.total_cents - drawn.cents());
            if wallet.currency != bill.currency || cents <= 0 {
                continue;
            }
            let credit = Credit::of_cents(&wallet.rate, cents);
            let mut transaction = WalletTransaction::new(&wallet, Kind::Invoiced, &credit, self.now);
            transaction.invoice_id = Some(bill.invoice_id);
            let part = self.decrease(transaction)?;
            drawn.granted_cents += part.granted_cents;
            drawn.purchased_cents += part.purchased_cents;
        }
        if drawn.cents() > 0 {
            self.refresh(bill.external_customer_id, None)?;
        }
        Ok(drawn)
    }

    /// Looks at what the customer's open periods have used by now. All of it is asked of the first wallet.
    ///
    /// Lago without a licence does so only when a wallet changes, and not by its clock: between two changes the ongoing
    /// balance stands still, whatever is used.
    pub(in crate::standin) fn refresh(
        &mut self,
        external_customer_id: &str,
        only: Option<Uuid>,
    ) -> Result<(), Refusal> {
        let wallets = self.active_of(external_customer_id);
        let Some(first) = wallets.first().map(|wallet| wallet.id) else { return Ok(()) };
        for mut wallet in wallets {
            if only.is_some_and(|id| id != wallet.id) {
                continue;
            }
            wallet.ongoing_usage_cents = if wallet.id == first { self.used_cents(&wallet)? } else { 0 };
            wallet.is_depleted = wallet.ongoing_balance_cents() <= 0;
            self.put_wallet(wallet);
        }
        Ok(())
    }

    fn used_cents(&self, wallet: &Wallet) -> Result<i64, Refusal> {
        let open = self.book.subscriptions.iter().filter(|subscription| {
            subscription.external_customer_id == wallet.external_customer_id
                && subscription.is_active(self.now)
                && !self.ended.contains(&subscription.id)
        });
        open.map(|subscription| ongoing_cents(self.book, subscription, &wallet.currency, self.now))
            .try_fold(0i64, |sum, used| sum.checked_add(used?).ok_or_else(too_large))
    }
}

fn put<T>(items: &mut Vec<T>, item: T, id: impl Fn(&T) -> Uuid) {
    match items.iter().position(|known| id(known) == id(&item)) {
        Some(index) => items[index] = item,
        None => items.push(item),
    }
}

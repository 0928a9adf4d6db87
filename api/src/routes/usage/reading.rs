//! What a question about usage reads of the ledger.

use std::collections::BTreeMap;

use jobs::{TenantId, UserId};
use store::jobs::Reader;
use store::usage::groups::{self, Group, Grouping};
use store::usage::{ListedRow, UsageFilter, UsagePlace};
use store::{PgPool, StoreError};

/// A question, with all that its answer needs: whoever asked it may have gone by then.
pub(super) struct Reading {
    pub pool: PgPool,
    pub tenant: TenantId,
    /// Only rows of this user's jobs.
    pub user: Option<UserId>,
    pub filter: UsageFilter,
    pub after: Option<UsagePlace>,
    pub max_rows: i64,
    pub grouping: Option<Grouping>,
    pub max_groups: i64,
}

/// The answer.
pub(super) struct Found {
    pub rows: Vec<ListedRow>,
    /// Of the first page.
    pub totals: Option<BTreeMap<String, i64>>,
    /// Of the first page, where they were asked for.
    pub groups: Option<Vec<Group>>,
}

impl Reading {
    pub(super) async fn answer(self) -> Result<Found, StoreError> {
        let reader = Reader { tenant: &self.tenant, user: self.user.as_ref() };
        let rows = store::usage::list(&self.pool, reader, &self.filter, self.after.as_ref(), self.max_rows).await?;
        if self.after.is_some() {
            return Ok(Found { rows, totals: None, groups: None });
        }
        // Over all that matches: once for a list and not once a page.
        let totals = groups::totals(&self.pool, reader, &self.filter).await?;
        let groups = match self.grouping {
            Some(grouping) => Some(groups::sums(&self.pool, reader, &self.filter, grouping, self.max_groups).await?),
            None => None,
        };
        Ok(Found { rows, totals: Some(totals), groups })
    }
}

-- no-transaction
-- A tenant's undelivered rows in the order in which they are sent: the reporter jumps from one to the next. The index
-- usage_undelivered_by_tenant is its beginning, and usage_due is read by the release before.
CREATE INDEX CONCURRENTLY usage_undelivered_in_order ON usage_ledger (tenant, occurred_at, id)
    WHERE delivered_at IS NULL AND dead_reason IS NULL;

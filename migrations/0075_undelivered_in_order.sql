-- no-transaction
-- A tenant's undelivered rows in the order in which they are sent: the reporter jumps from one to the next. The next
-- two files drop what it makes superfluous.
CREATE INDEX CONCURRENTLY usage_undelivered_in_order ON usage_ledger (tenant, occurred_at, id)
    WHERE delivered_at IS NULL AND dead_reason IS NULL;

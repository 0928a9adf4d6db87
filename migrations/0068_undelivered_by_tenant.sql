-- no-transaction
-- What a tenant used that the billing system does not know yet: read by admissions of tenants that pay before.
CREATE INDEX CONCURRENTLY usage_undelivered_by_tenant ON usage_ledger (tenant)
    WHERE delivered_at IS NULL AND dead_reason IS NULL;

-- no-transaction
-- usage_undelivered_in_order serves whatever these did. Beside it they do harm: with usage_due at hand the planner reads all
-- tenants' rows to find the next one of a tenant.
DROP INDEX CONCURRENTLY IF EXISTS usage_due;

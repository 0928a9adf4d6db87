-- no-transaction
-- As 0076: one statement a file, since none of them may stand in a transaction.
DROP INDEX CONCURRENTLY IF EXISTS usage_undelivered_by_tenant;

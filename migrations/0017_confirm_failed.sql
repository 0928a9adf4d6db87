-- Whether a tenant's failed jobs are confirmed on chain too. A job that fails while this is set gets its confirmation row
-- from the transaction that fails it; what failed before stays as it is.
ALTER TABLE tenants ADD COLUMN confirm_failed boolean NOT NULL DEFAULT false;

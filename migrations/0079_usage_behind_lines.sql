-- no-transaction
-- What stands behind a line of an invoice, page by page: the billed rows of a tenant's metric in a month (UTC), by what they
-- are told as (the job, or the row where there is none). `billed_at` last, so that an invoice of a part of a month passes
-- over the rest within the index.
CREATE INDEX CONCURRENTLY usage_behind_lines ON usage_ledger (
    tenant, metric, date_trunc('month', billed_at AT TIME ZONE 'UTC'), coalesce(job_id::text, id), billed_at
) WHERE delivered_at IS NOT NULL AND dead_reason IS NULL AND NOT voided;

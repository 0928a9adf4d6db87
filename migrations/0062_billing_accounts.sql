-- What the billing system was told of a tenant, and the end of one.
ALTER TABLE tenants
    -- Plan of its subscription; null: not noted yet, as of those from before there was this column.
    ADD COLUMN billing_plan text,
    -- From when on it is closed: nobody acts in it any more.
    ADD COLUMN closed_at timestamptz,
    -- When its subscription was terminated: all that it used was delivered by then.
    ADD COLUMN billing_ended_at timestamptz;

CREATE INDEX tenants_closing ON tenants (closed_at) WHERE closed_at IS NOT NULL AND billing_ended_at IS NULL;

-- What the billing system told us, each once.
CREATE TABLE billing_notices (
    -- Its unique key: a notice that comes again is known.
    unique_key  text PRIMARY KEY,
    -- Its `webhook_type`, for example "invoice.created".
    kind        text NOT NULL,
    body        text NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX billing_notices_by_time ON billing_notices (received_at DESC);

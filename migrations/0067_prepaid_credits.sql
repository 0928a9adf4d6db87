-- Prepaid credits: what tenants add to their wallet in the billing system, and what that told of their accounts last.

ALTER TABLE tenants
    -- Nothing is admitted beyond what was paid before: as the tenant's admins want it ...
    ADD COLUMN requires_credits boolean NOT NULL DEFAULT false,
    -- ... and as the operator wants it, whatever they say.
    ADD COLUMN credits_enforced boolean NOT NULL DEFAULT false;

-- A top-up, once for each key. The billing system takes the same one twice, so that what was tried is written down before it
-- is sent, and is asked for before it is sent again: the id stands in its metadata there.
CREATE TABLE credit_top_ups (
    id          uuid PRIMARY KEY,
    tenant      text NOT NULL REFERENCES tenants (id),
    -- By which it is known when it is asked for again; for ever.
    idempotency_key text NOT NULL,
    amount_cents bigint NOT NULL CHECK (amount_cents > 0),
    currency    text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    -- Paid ones make an invoice, and count once it is paid; granted ones count at once, and are the operator's to give.
    kind        text NOT NULL CHECK (kind IN ('paid', 'granted')),
    -- Who wanted it: a user, or null of an operator.
    requested_by text,
    state       text NOT NULL DEFAULT 'requested' CHECK (state IN ('requested', 'sent', 'settled', 'refused')),
    created_at  timestamptz NOT NULL DEFAULT now(),
    -- The last send: from then on it may be there. The wallet that it went to.
    tried_at    timestamptz,
    attempts    integer NOT NULL DEFAULT 0,
    wallet_id   uuid,
    -- What the billing system made of it.
    transaction_id uuid,
    invoice_id  text,
    sent_at     timestamptz,
    -- When it was looked at last whether it is paid.
    looked_at   timestamptz,
    settled_at  timestamptz,
    refusal     text,
    UNIQUE (tenant, idempotency_key),
    CHECK ((attempts > 0) = (tried_at IS NOT NULL) AND (tried_at IS NULL OR wallet_id IS NOT NULL)),
    CHECK ((transaction_id IS NULL) = (sent_at IS NULL)),
    CHECK (state NOT IN ('sent', 'settled') OR transaction_id IS NOT NULL),
    CHECK (state <> 'requested' OR transaction_id IS NULL),
    CHECK ((state = 'settled') = (settled_at IS NOT NULL)),
    CHECK ((state = 'refused') = (refusal IS NOT NULL))
);
CREATE INDEX credit_top_ups_by_tenant ON credit_top_ups (tenant, created_at DESC, id);
CREATE INDEX credit_top_ups_open ON credit_top_ups (created_at) WHERE state IN ('requested', 'sent');

-- What is asked for never changes, and what has ended stays so: requested, sent, settled; or refused from either.
CREATE FUNCTION credit_top_up_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a top-up does not go from % to %', OLD.state, NEW.state USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER credit_top_ups_move BEFORE UPDATE ON credit_top_ups FOR EACH ROW WHEN (
    (NEW.id, NEW.tenant, NEW.idempotency_key, NEW.amount_cents, NEW.currency, NEW.kind, NEW.requested_by, NEW.created_at)
        IS DISTINCT FROM
    (OLD.id, OLD.tenant, OLD.idempotency_key, OLD.amount_cents, OLD.currency, OLD.kind, OLD.requested_by, OLD.created_at)
    OR OLD.state IN ('settled', 'refused')
    OR OLD.state = 'sent' AND NEW.state = 'requested'
    OR OLD.transaction_id IS NOT NULL AND NEW.transaction_id IS DISTINCT FROM OLD.transaction_id
) EXECUTE FUNCTION credit_top_up_moves();
CREATE TRIGGER credit_top_ups_stay BEFORE DELETE ON credit_top_ups
    FOR EACH ROW EXECUTE FUNCTION credit_top_up_moves();

-- A tenant's account as the billing system told it last.
CREATE TABLE credit_accounts (
    tenant      text PRIMARY KEY REFERENCES tenants (id),
    currency    text NOT NULL,
    -- Plan of its subscription there.
    plan        text NOT NULL,
    -- Credits that count and that no invoice has drawn.
    balance_cents bigint NOT NULL,
    -- What the open period has used, with taxes: the price of `units`, by metric as the ledger counts.
    usage_cents bigint NOT NULL,
    units       jsonb NOT NULL,
    period_from timestamptz NOT NULL,
    -- What the period before has used, until its invoice has drawn it.
    owed_cents  bigint NOT NULL DEFAULT 0,
    owed_from   timestamptz,
    -- When it was asked. Rows that were not delivered by then are not in `units` ...
    as_of       timestamptz NOT NULL,
    -- ... nor older than this.
    rows_from   timestamptz NOT NULL
);

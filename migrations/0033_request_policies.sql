-- What a tenant asks of its own requests, beside a valid credential.
ALTER TABLE tenants
    -- Networks that requests may come from (CIDR); empty is everywhere.
    ADD COLUMN allowed_networks text[] NOT NULL DEFAULT '{}',
    -- Whether every request must be signed.
    ADD COLUMN signature_required boolean NOT NULL DEFAULT false,
    -- Units a month beyond which nothing is admitted, the tenant's own; null is its plan's.
    ADD COLUMN unit_ceiling bigint CHECK (unit_ceiling >= 0),
    ADD COLUMN fhe_unit_ceiling bigint CHECK (fhe_unit_ceiling >= 0);

-- Keys that requests are signed with. The secret is no column: it is derived from the id by a secret of the servers.
CREATE TABLE request_keys (
    tenant      text NOT NULL REFERENCES tenants (id),
    id          uuid PRIMARY KEY,
    created_at  timestamptz NOT NULL DEFAULT now(),
    -- Null: until further notice.
    expires_at  timestamptz
);
CREATE INDEX request_keys_by_tenant ON request_keys (tenant);

-- Nonces of signed requests, for as long as their timestamps are accepted.
CREATE TABLE request_nonces (
    tenant      text NOT NULL,
    nonce       text NOT NULL,
    expires_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant, nonce)
);
CREATE INDEX request_nonces_expired ON request_nonces (expires_at);

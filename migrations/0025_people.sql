-- API keys, sandboxes, and submitter addresses that their owners proved.

-- The sandbox of a tenant: where its test keys act. A tenant by itself, so that whatever keeps tenants apart keeps tests
-- apart; its users are its tenant's.
ALTER TABLE tenants ADD COLUMN sandbox_of text UNIQUE REFERENCES tenants (id) CHECK (sandbox_of <> id);

-- A user has no address until it proves one. Expand: only code that knows this makes such users.
ALTER TABLE users ALTER COLUMN submitter DROP NOT NULL;
ALTER TABLE users ADD COLUMN submitter_registered_at timestamptz;
-- An address is one user's.
CREATE UNIQUE INDEX users_by_submitter ON users (submitter);

CREATE TABLE api_keys (
    -- Stands in the key, in lists and in logs.
    id          text PRIMARY KEY CHECK (id ~ '^[0-9A-Za-z]{16}$'),
    tenant      text NOT NULL REFERENCES tenants (id),
    user_id     text NOT NULL,
    name        text NOT NULL,
    mode        text NOT NULL CHECK (mode IN ('live', 'test')),
    -- SHA-256 of the key; its secret has 256 random bits, so that nothing slower is needed.
    hash        bytea NOT NULL CHECK (octet_length(hash) = 32),
    -- As in a token: with spaces between.
    scopes      text NOT NULL,
    created_by  text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz NOT NULL,
    -- Written every few minutes, not with each request.
    last_used_at timestamptz,
    revoked_at  timestamptz,
    -- The key that it was rotated into.
    replaced_by text REFERENCES api_keys (id)
);
CREATE INDEX api_keys_by_tenant ON api_keys (tenant, created_at DESC, id);
CREATE INDEX api_keys_by_user ON api_keys (tenant, user_id) WHERE revoked_at IS NULL;

-- Nonces under which addresses are proved: each is used once, by the user whom it was given to, for the address that it
-- was given for.
CREATE TABLE submitter_challenges (
    nonce       bytea PRIMARY KEY CHECK (octet_length(nonce) = 32),
    tenant      text NOT NULL,
    user_id     text NOT NULL,
    submitter   bytea NOT NULL CHECK (octet_length(submitter) = 20),
    created_at  timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz NOT NULL,
    used_at     timestamptz
);
CREATE INDEX submitter_challenges_by_user ON submitter_challenges (tenant, user_id, created_at);

-- What is used in a sandbox stands in the ledger, and is never due: whoever writes the row.
CREATE FUNCTION usage_of_sandboxes_is_free() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM tenants WHERE id = NEW.tenant AND sandbox_of IS NOT NULL) THEN
        NEW.dead_reason := 'test mode';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER usage_of_sandboxes BEFORE INSERT ON usage_ledger
    FOR EACH ROW EXECUTE FUNCTION usage_of_sandboxes_is_free();

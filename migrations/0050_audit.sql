-- The audit log: what was done and tried in a tenant's name, each entry holding the hash of the one before.

-- Entries that are not chained yet, written by the transactions that they tell of; gone within a second. Appending to a
-- chain makes its writers wait for each other, and a tenant's requests must not.
CREATE TABLE audit_notes (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant      text NOT NULL REFERENCES tenants (id),
    at          timestamptz NOT NULL,
    -- The entry without its place in the chain: a JSON object, with strings, integers and null alone.
    entry       text NOT NULL
);
CREATE INDEX audit_notes_by_tenant ON audit_notes (tenant, id);

CREATE TABLE audit_log (
    tenant      text NOT NULL REFERENCES tenants (id),
    -- 1, 2, 3, … without a gap.
    seq         bigint NOT NULL CHECK (seq > 0),
    at          timestamptz NOT NULL,
    -- RFC 8785 form of the entry, with tenant, seq and the hash of the one before.
    entry       text NOT NULL,
    -- SHA-256 of `entry`.
    hash        bytea NOT NULL CHECK (octet_length(hash) = 32),
    -- For those who look for something: parts of `entry`, which alone counts.
    action      text NOT NULL GENERATED ALWAYS AS (entry::jsonb ->> 'action') STORED,
    user_id     text GENERATED ALWAYS AS (entry::jsonb ->> 'user') STORED,
    PRIMARY KEY (tenant, seq)
);

-- The newest entry of each chain, apart from the chain: without it nobody would miss an entry that was cut off its end.
CREATE TABLE audit_heads (
    tenant      text PRIMARY KEY REFERENCES tenants (id),
    seq         bigint NOT NULL CHECK (seq >= 0),
    hash        bytea NOT NULL CHECK (octet_length(hash) = 32)
);

-- Nothing is ever changed or removed, by whichever program or person that has not first taken these triggers away.
CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only: % of % is refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE TRIGGER audit_log_keeps_its_entries BEFORE UPDATE OR DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION audit_is_append_only();
CREATE TRIGGER audit_log_is_not_emptied BEFORE TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();
-- A note leaves by being chained: it may be deleted, not changed.
CREATE TRIGGER audit_notes_stay_as_they_are BEFORE UPDATE ON audit_notes
    FOR EACH ROW EXECUTE FUNCTION audit_is_append_only();
CREATE TRIGGER audit_notes_are_not_emptied BEFORE TRUNCATE ON audit_notes
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();
CREATE TRIGGER audit_heads_stay BEFORE DELETE ON audit_heads
    FOR EACH ROW EXECUTE FUNCTION audit_is_append_only();
CREATE TRIGGER audit_heads_are_not_emptied BEFORE TRUNCATE ON audit_heads
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();
CREATE TRIGGER audit_heads_go_forward BEFORE UPDATE ON audit_heads
    FOR EACH ROW WHEN (NEW.tenant <> OLD.tenant OR NEW.seq <= OLD.seq) EXECUTE FUNCTION audit_is_append_only();

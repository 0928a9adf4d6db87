-- Bytes that clients upload: blobs of ciphertexts and their own evaluation keys. The bytes themselves lie in the blob
-- store under (tenant, sha256); a row is written after them, so that what a row names is there.

CREATE TABLE blobs (
    tenant      text NOT NULL REFERENCES tenants (id),
    sha256      bytea NOT NULL CHECK (octet_length(sha256) = 32),
    size        bigint NOT NULL CHECK (size > 0),
    created_at  timestamptz NOT NULL DEFAULT now(),
    created_by  text NOT NULL,
    PRIMARY KEY (tenant, sha256)
);

CREATE TABLE client_keys (
    tenant      text NOT NULL REFERENCES tenants (id),
    -- SHA-256 of the compressed evaluation key.
    key_id      bytea NOT NULL CHECK (octet_length(key_id) = 32),
    size        bigint NOT NULL CHECK (size > 0),
    status      text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'ready', 'refused')),
    -- Why the key was refused.
    detail      text NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL DEFAULT now(),
    created_by  text NOT NULL,
    checked_at  timestamptz,
    -- A pending key is the outbox of its own check: it is started again when the claim runs out.
    check_claimed_until timestamptz NOT NULL DEFAULT '-infinity',
    PRIMARY KEY (tenant, key_id),
    CHECK ((status = 'pending') = (checked_at IS NULL))
);
CREATE INDEX client_keys_to_check ON client_keys (check_claimed_until) WHERE status = 'pending';

-- Nonces of retrievals that the API answers itself: results under a client's own key. Those under the network key are
-- the key manager's.
CREATE TABLE retrievals (
    job_id      uuid NOT NULL REFERENCES jobs (id),
    signer      bytea NOT NULL CHECK (octet_length(signer) = 20),
    nonce       bytea NOT NULL CHECK (octet_length(nonce) = 32),
    -- EIP-712 digest of the request: the identical one is answered again for ten minutes.
    digest      bytea NOT NULL CHECK (octet_length(digest) = 32),
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (job_id, signer, nonce)
);

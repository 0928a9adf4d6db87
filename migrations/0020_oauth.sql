-- Our own issuer of access tokens: its keys, its clients, what was revoked, refresh tokens, and logins under way. Of
-- everything that lets somebody in there is a hash alone.

CREATE TABLE token_keys (
    -- JWK thumbprint (RFC 7638): the `kid` of tokens.
    kid         text PRIMARY KEY,
    -- The private key (PKCS#8), encrypted under auth.keys_secret: whoever has the database alone neither reads nor adds one.
    sealed      bytea NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    -- From then on it signs, until a later one does.
    signs_from  timestamptz NOT NULL
);

CREATE TABLE oauth_clients (
    id          text PRIMARY KEY,
    tenant      text NOT NULL,
    -- Whom its tokens speak for.
    user_id     text NOT NULL,
    name        text NOT NULL,
    -- The most that it may ask for, with spaces between.
    scope       text NOT NULL,
    -- SHA-256 of 32 random bytes as text.
    secret_hash bytea CHECK (octet_length(secret_hash) = 32),
    -- The one before it, while a rotation overlaps.
    previous_secret_hash bytea CHECK (octet_length(previous_secret_hash) = 32),
    previous_secret_until timestamptz,
    -- Or public keys (RFC 7517) in place of a secret.
    jwks        text,
    created_at  timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz,
    FOREIGN KEY (tenant, user_id) REFERENCES users (tenant, id) ON DELETE CASCADE,
    CHECK ((secret_hash IS NULL) <> (jwks IS NULL)),
    CHECK ((previous_secret_hash IS NULL) = (previous_secret_until IS NULL))
);
CREATE INDEX oauth_clients_by_user ON oauth_clients (tenant, user_id);

-- Assertions (RFC 7523) that were accepted, until they have expired: none is accepted twice.
CREATE TABLE oauth_assertions (
    client_id   text NOT NULL REFERENCES oauth_clients (id) ON DELETE CASCADE,
    jti         text NOT NULL,
    expires_at  timestamptz NOT NULL,
    PRIMARY KEY (client_id, jti)
);
CREATE INDEX oauth_assertions_by_expiry ON oauth_assertions (expires_at);

-- What access tokens are refused for before they expire: the token itself (jti), its session (sid) or its client.
CREATE TABLE oauth_revocations (
    subject     text PRIMARY KEY,
    revoked_at  timestamptz NOT NULL DEFAULT now(),
    -- When the last token that it is about has expired.
    expires_at  timestamptz NOT NULL
);
CREATE INDEX oauth_revocations_by_expiry ON oauth_revocations (expires_at);

-- A person's login: the family of its refresh tokens.
CREATE TABLE oauth_sessions (
    id          uuid PRIMARY KEY,
    tenant      text NOT NULL,
    user_id     text NOT NULL,
    client_id   text NOT NULL,
    scope       text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    revoked_at  timestamptz,
    FOREIGN KEY (tenant, user_id) REFERENCES users (tenant, id) ON DELETE CASCADE
);
CREATE INDEX oauth_sessions_by_user ON oauth_sessions (tenant, user_id);

CREATE TABLE refresh_tokens (
    hash        bytea PRIMARY KEY CHECK (octet_length(hash) = 32),
    session     uuid NOT NULL REFERENCES oauth_sessions (id) ON DELETE CASCADE,
    created_at  timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz NOT NULL,
    -- Each is used once.
    used_at     timestamptz
);
CREATE INDEX refresh_tokens_by_session ON refresh_tokens (session);
CREATE INDEX refresh_tokens_by_expiry ON refresh_tokens (expires_at);

-- One-time codes by which a person proves who it is when it lets a device in.
CREATE TABLE login_codes (
    hash        bytea PRIMARY KEY CHECK (octet_length(hash) = 32),
    tenant      text NOT NULL,
    user_id     text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz NOT NULL,
    used_at     timestamptz,
    -- Codes of devices that there are not.
    misses      integer NOT NULL DEFAULT 0,
    FOREIGN KEY (tenant, user_id) REFERENCES users (tenant, id) ON DELETE CASCADE
);

-- Logins by the device grant (RFC 8628).
CREATE TABLE device_logins (
    device_hash bytea PRIMARY KEY CHECK (octet_length(device_hash) = 32),
    user_code   text NOT NULL UNIQUE,
    client_id   text NOT NULL,
    -- What was asked for; empty: all that the person may.
    scope       text NOT NULL,
    status      text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'approved', 'denied', 'redeemed')),
    -- Who let it in.
    tenant      text,
    user_id     text,
    created_at  timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz NOT NULL,
    interval_seconds integer NOT NULL,
    polled_at   timestamptz,
    FOREIGN KEY (tenant, user_id) REFERENCES users (tenant, id) ON DELETE CASCADE,
    CHECK ((status IN ('approved', 'redeemed')) = (user_id IS NOT NULL)),
    CHECK ((tenant IS NULL) = (user_id IS NULL))
);

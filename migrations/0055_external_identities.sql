-- People and programs of other issuers (OpenID Connect), and which users they are here.
CREATE TABLE external_identities (
    tenant      text NOT NULL REFERENCES tenants (id),
    -- `iss` and `sub` of their tokens: a pair that an issuer never gives to somebody else (OpenID Connect Core 5.7).
    issuer      text NOT NULL,
    subject     text NOT NULL,
    -- No reference: the row outlives its user, so that whom an admin deleted is not made again by its next token.
    user_id     text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, issuer, subject),
    UNIQUE (tenant, user_id)
);

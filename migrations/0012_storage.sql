-- What a tenant has stored can be deleted, but nothing that an open job needs: its reservation, which lives for as long
-- as the job is open, refers to it.
ALTER TABLE job_reservations
    ADD COLUMN blob bytea CHECK (octet_length(blob) = 32),
    ADD COLUMN client_key bytea CHECK (octet_length(client_key) = 32);

-- The jobs that are open now.
UPDATE job_reservations r SET blob = i.sha256
  FROM job_inputs i JOIN jobs j ON j.id = i.job_id JOIN blobs b ON b.tenant = j.tenant AND b.sha256 = i.sha256
 WHERE i.job_id = r.job_id;
UPDATE job_reservations r SET blob = b.sha256
  FROM jobs j JOIN blobs b
    ON b.tenant = j.tenant
   AND encode(b.sha256, 'hex')
     = lower(substring(j.payload FROM '"encrypted_data_url":"[^"]*/v1/blobs/(?:0x)?([0-9a-fA-F]{64})"'))
 WHERE j.id = r.job_id AND j.job_type = 'fhe_compute' AND r.blob IS NULL;
UPDATE job_reservations r SET client_key = k.key_id
  FROM jobs j JOIN client_keys k
    ON k.tenant = j.tenant
   AND encode(k.key_id, 'hex') = substring(j.payload FROM '"key":\{"key_id":"0x([0-9a-f]{64})","mode":"client"\}')
 WHERE j.id = r.job_id AND j.job_type = 'fhe_compute';

ALTER TABLE job_reservations
    ADD CONSTRAINT job_reservations_blob FOREIGN KEY (tenant, blob) REFERENCES blobs (tenant, sha256),
    ADD CONSTRAINT job_reservations_client_key FOREIGN KEY (tenant, client_key) REFERENCES client_keys (tenant, key_id);
CREATE INDEX job_reservations_by_blob ON job_reservations (tenant, blob) WHERE blob IS NOT NULL;
CREATE INDEX job_reservations_by_client_key ON job_reservations (tenant, client_key) WHERE client_key IS NOT NULL;

-- Bytes in the blob store whose row was deleted: they are removed after the commit, and by a sweep if that failed.
CREATE TABLE unwanted_bytes (
    tenant      text NOT NULL REFERENCES tenants (id),
    sha256      bytea NOT NULL CHECK (octet_length(sha256) = 32),
    noted_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, sha256)
);

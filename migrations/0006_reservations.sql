-- Units of computing on ciphertexts have a price and a quota of their own: they are reserved beside compute units.
ALTER TABLE job_reservations ADD COLUMN fhe_units bigint NOT NULL DEFAULT 0 CHECK (fhe_units >= 0);

//! Content-addressed bytes of tenants: ciphertexts, keys and results.

//! The key manager: holds the network key, decrypts for the owner alone.

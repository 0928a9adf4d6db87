//! How a result reaches its owner: what is signed, and how the plaintext is sealed.

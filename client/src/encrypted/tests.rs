//! Encrypted jobs against an API of this process: the wire, the checks, the refusals.

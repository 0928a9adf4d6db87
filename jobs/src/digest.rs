//! SHA-256 hashes as text.

/// The hash that 64 hex digits write, of either case and without a prefix.
#[must_use]
pub fn from_hex(digits: &str) -> Option<[u8; 32]> {
    let mut hash = [0; 32];
    hex::decode_to_slice(digits, &mut hash).ok()?;
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_64_digits_are_a_hash() {
        assert_eq!(from_hex(&"Ab".repeat(32)), Some([0xab; 32]));
        for wrong in ["", "0x", &"a".repeat(63), &"a".repeat(65), &"g".repeat(64), &format!("0x{}", "ab".repeat(31))] {
            assert_eq!(from_hex(wrong), None, "{wrong}");
        }
    }
}

//! Accounts on the command line.

use alloy::primitives::Address;

/// An address; one in mixed case must have the right checksum (EIP-55), so that a slip is found.
///
/// # Errors
/// It is none, said in words.
pub(super) fn account(text: &str) -> Result<Address, String> {
    let digits = text.strip_prefix("0x").ok_or("an address begins with 0x")?;
    let is_mixed = digits.chars().any(|c| c.is_ascii_uppercase()) && digits.chars().any(|c| c.is_ascii_lowercase());
    let address = match is_mixed {
        true => Address::parse_checksummed(text, None).map_err(|error| error.to_string())?,
        false => text.parse().map_err(|_| "is not an address: 0x and 40 hex digits")?,
    };
    if address.is_zero() { Err("is nobody's address".to_owned()) } else { Ok(address) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_in_a_checksummed_address_is_found() {
        let good = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
        assert_eq!(account(good), Ok(good.parse().unwrap()));
        assert_eq!(account(&good.to_lowercase()), Ok(good.parse().unwrap()), "without a checksum");
        for bad in ["0x70997970C51812dc3A010C7d01b50e0d17dc79C9", &good[2..], "0x12", "", &format!("0x{:040}", 0)] {
            assert!(account(bad).is_err(), "{bad}");
        }
    }
}

//! One-time codes as an app on a phone makes them (RFC 6238): HMAC-SHA256, 30 seconds, 6 digits.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

const PERIOD: u64 = 30;

/// The code of a secret now.
pub fn code(secret: &[u8]) -> String {
    at(secret, SystemTime::now().duration_since(UNIX_EPOCH).unwrap())
}

fn at(secret: &[u8], time: Duration) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
    mac.update(&(time.as_secs() / PERIOD).to_be_bytes());
    let digest = mac.finalize().into_bytes();
    let offset = usize::from(digest[31] & 0x0f);
    let number = u32::from_be_bytes(digest[offset..offset + 4].try_into().unwrap()) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}

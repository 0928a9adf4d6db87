//! Who sends inputs: every proof is bound to it, so that a ciphertext is worth nothing in another's job.

/// First bytes of the metadata.
const DOMAIN: &[u8] = b"zama-jobs/v1/input";

/// A tenant and the EVM address of its submitter.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Origin {
    pub tenant: String,
    pub submitter: [u8; 20],
}

impl Origin {
    /// What a proof of knowledge is made over: `zama-jobs/v1/input` 0x00 tenant 0x00 submitter. No tenant's name
    /// contains a zero byte, so that two origins never share their metadata.
    #[must_use]
    pub fn metadata(&self) -> Vec<u8> {
        [DOMAIN, &[0], self.tenant.as_bytes(), &[0], &self.submitter].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_laid_out_as_documented() {
        let metadata = Origin { tenant: "acme".to_owned(), submitter: [7; 20] }.metadata();
        assert_eq!(metadata.len(), 18 + 1 + 4 + 1 + 20);
        assert_eq!(&metadata[..24], b"zama-jobs/v1/input\0acme\0");
        assert_eq!(metadata[24..], [7; 20]);
    }
}

//! The statement by which an address becomes a user's submitter: whoever signs it holds the address's key.

use alloy::primitives::{Address, B256, U256};
use alloy::sol_types::SolStruct;
use jobs::{TenantId, UserId};
use serde_json::{Value, json};

use crate::Domain;

mod typed {
    alloy::sol! {
        struct RegisterSubmitter {
            string tenant;
            string user;
            address submitter;
            bytes32 nonce;
            uint256 expiresAt;
        }
    }
}

/// The owner's wish: the jobs of this user shall be this address's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    pub tenant: TenantId,
    pub user: UserId,
    pub submitter: Address,
    /// The service's, used once.
    pub nonce: B256,
    /// Unix seconds after which the wish holds no longer.
    pub expires_at: u64,
}

impl Registration {
    /// The EIP-712 digest to sign.
    #[must_use]
    pub fn digest(&self, domain: Domain) -> B256 {
        typed::RegisterSubmitter {
            tenant: self.tenant.to_string(),
            user: self.user.to_string(),
            submitter: self.submitter,
            nonce: self.nonce,
            expiresAt: U256::from(self.expires_at),
        }
        .eip712_signing_hash(&domain.eip712())
    }

    /// The same as a document for `eth_signTypedData_v4`, which wallets show to their owners.
    #[must_use]
    pub fn typed_data(&self, domain: Domain) -> Value {
        let field = |name: &str, kind: &str| json!({ "name": name, "type": kind });
        json!({
            "types": {
                "EIP712Domain": [
                    field("name", "string"), field("version", "string"), field("chainId", "uint256"),
                    field("verifyingContract", "address")
                ],
                "RegisterSubmitter": [
                    field("tenant", "string"), field("user", "string"), field("submitter", "address"),
                    field("nonce", "bytes32"), field("expiresAt", "uint256")
                ]
            },
            "primaryType": "RegisterSubmitter",
            "domain": {
                "name": crate::typed_data::DOMAIN_NAME, "version": crate::typed_data::DOMAIN_VERSION,
                "chainId": domain.chain_id, "verifyingContract": domain.registry
            },
            "message": {
                "tenant": self.tenant, "user": self.user, "submitter": self.submitter, "nonce": self.nonce,
                "expiresAt": self.expires_at
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use alloy::primitives::{address, keccak256};
    use alloy::sol_types::SolValue;

    use super::*;

    const DOMAIN: Domain = Domain { chain_id: 31_337, registry: address!("5FbDB2315678afecb367f032d93F642f64180aa3") };

    fn registration() -> Registration {
        Registration {
            tenant: "acme".parse().unwrap(),
            user: "ada".parse().unwrap(),
            submitter: Address::repeat_byte(7),
            nonce: B256::repeat_byte(9),
            expires_at: 1_773_480_000,
        }
    }

    /// `Name(type field,…)`, as EIP-712 encodes a type, from the document that wallets get.
    fn encoded_type(document: &Value, name: &str) -> String {
        let fields = document["types"][name].as_array().unwrap().iter();
        let fields: Vec<String> = fields
            .map(|field| format!("{} {}", field["type"].as_str().unwrap(), field["name"].as_str().unwrap()))
            .collect();
        format!("{name}({})", fields.join(","))
    }

    /// The digest that a wallet signs, worked out by hand from the document alone.
    #[test]
    fn wallets_sign_what_we_check() {
        let document = registration().typed_data(DOMAIN);
        let text = |value: &Value| keccak256(value.as_str().unwrap());
        let address = |value: &Value| value.as_str().unwrap().parse::<Address>().unwrap();
        let (domain, message) = (&document["domain"], &document["message"]);
        let separator = keccak256(
            (
                keccak256(encoded_type(&document, "EIP712Domain")),
                text(&domain["name"]),
                text(&domain["version"]),
                U256::from(domain["chainId"].as_u64().unwrap()),
                address(&domain["verifyingContract"]),
            )
                .abi_encode(),
        );
        let hash = keccak256(
            (
                keccak256(encoded_type(&document, document["primaryType"].as_str().unwrap())),
                text(&message["tenant"]),
                text(&message["user"]),
                address(&message["submitter"]),
                message["nonce"].as_str().unwrap().parse::<B256>().unwrap(),
                U256::from(message["expiresAt"].as_u64().unwrap()),
            )
                .abi_encode(),
        );
        let digest = keccak256([b"\x19\x01".as_slice(), separator.as_slice(), hash.as_slice()].concat());
        assert_eq!(registration().digest(DOMAIN), digest);
    }

    #[test]
    fn every_field_counts() {
        let digest = registration().digest(DOMAIN);
        for other in [
            Registration { tenant: "globex".parse().unwrap(), ..registration() },
            Registration { user: "bob".parse().unwrap(), ..registration() },
            Registration { submitter: Address::ZERO, ..registration() },
            Registration { nonce: B256::ZERO, ..registration() },
            Registration { expires_at: 0, ..registration() },
        ] {
            assert_ne!(other.digest(DOMAIN), digest);
        }
        assert_ne!(registration().digest(Domain { chain_id: 1, ..DOMAIN }), digest);
        assert_ne!(registration().digest(Domain { registry: Address::ZERO, ..DOMAIN }), digest);
    }
}

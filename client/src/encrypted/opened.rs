//! A result in the clear, with what was checked on the way.

use std::fmt;

use alloy::primitives::{Address, B256};
use chain::verify::Report;
use jobs::JobId;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::EncryptedError;
use super::trust::Confirmed;

/// A result in the clear.
#[derive(Debug, Serialize)]
pub struct Opened {
    job_id: JobId,
    result: Box<RawValue>,
    result_hash: B256,
    key_manager: Option<Address>,
    registry: Address,
    verified_on_chain: bool,
    #[serde(skip)]
    report: Option<Report>,
}

/// One output of the computation, by name.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    pub name: String,
    /// A number (beyond 2^53 - 1 its decimal string) or a bool.
    pub value: Value,
}

impl Opened {
    pub(super) fn new(
        job_id: JobId,
        json: String,
        confirmed: Confirmed,
        key_manager: Option<Address>,
    ) -> Result<Self, EncryptedError> {
        let result = RawValue::from_string(json).map_err(|error| EncryptedError::Plaintext(error.to_string()))?;
        let opened = Self {
            job_id,
            result,
            result_hash: confirmed.result_hash,
            key_manager,
            registry: confirmed.domain.registry,
            verified_on_chain: confirmed.report.is_some(),
            report: confirmed.report,
        };
        opened.outputs()?;
        Ok(opened)
    }

    #[must_use]
    pub fn job_id(&self) -> JobId {
        self.job_id
    }

    /// The result as JSON: an object with an output under each name, in the computation's order.
    #[must_use]
    pub fn json(&self) -> &str {
        self.result.get()
    }

    /// The outputs in the computation's order.
    ///
    /// # Errors
    /// None: it was read when the result was opened.
    pub fn outputs(&self) -> Result<Vec<Output>, EncryptedError> {
        let outputs: Outputs =
            serde_json::from_str(self.json()).map_err(|error| EncryptedError::Plaintext(error.to_string()))?;
        Ok(outputs.0)
    }

    /// SHA-256 of the encrypted result, as it was confirmed.
    #[must_use]
    pub fn result_hash(&self) -> B256 {
        self.result_hash
    }

    /// The registry that confirmed the result.
    #[must_use]
    pub fn registry(&self) -> Address {
        self.registry
    }

    /// Who decrypted and signed; `None` for a result under the client's own key.
    #[must_use]
    pub fn key_manager(&self) -> Option<Address> {
        self.key_manager
    }

    /// The receipt's checks against the chain, all passed; `None` where no chain was asked.
    #[must_use]
    pub fn report(&self) -> Option<&Report> {
        self.report.as_ref()
    }
}

/// serde_json's own maps sort their names.
struct Outputs(Vec<Output>);

impl<'de> Deserialize<'de> for Outputs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Outputs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of outputs")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Outputs, A::Error> {
                let mut outputs = Vec::new();
                while let Some((name, value)) = map.next_entry()? {
                    outputs.push(Output { name, value });
                }
                Ok(Outputs(outputs))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

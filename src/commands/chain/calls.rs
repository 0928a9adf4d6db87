//! Calls for another account to send: a multi-signature wallet, a pauser whose key is not here.

use ::chain::Change;
use alloy::primitives::Address;
use anyhow::Result;
use serde_json::{Value, json};

use super::Format;
use super::exit::ChainExit;

/// Changes of a registry that are not sent from here.
pub(super) struct Calls {
    registry: Address,
    changes: Vec<Change>,
}

impl Calls {
    pub(super) fn of(registry: Address, changes: Vec<Change>) -> Self {
        Self { registry, changes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Prints them and nothing else.
    ///
    /// # Errors
    /// Stdout is closed.
    pub(super) fn answer(&self, format: Format) -> Result<ChainExit> {
        let document = json!({ "registry": self.registry, "calls": self.document() });
        format.answer(&document, || self.text())?;
        Ok(ChainExit::Done)
    }

    pub(super) fn text(&self) -> String {
        let text = |change: &Change| {
            let call = change.call(self.registry);
            format!("{change}\n  to    {}\n  data  {}\n", call.to, call.data)
        };
        self.changes.iter().map(text).collect()
    }

    pub(super) fn document(&self) -> Value {
        let document = |change: &Change| {
            let call = change.call(self.registry);
            json!({ "change": change.to_string(), "to": call.to, "value": "0x0", "data": call.data })
        };
        self.changes.iter().map(document).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_printed_as_a_wallet_takes_it() {
        let registry = Address::repeat_byte(0x22);
        let calls = Calls::of(registry, vec![Change::Pause]);
        assert_eq!(calls.text(), format!("pause confirmation\n  to    {registry}\n  data  0x8456cb59\n"));
        let call = json!({ "change": "pause confirmation", "to": registry, "value": "0x0", "data": "0x8456cb59" });
        assert_eq!(calls.document(), json!([call]));
        assert!(Calls::of(registry, Vec::new()).is_empty());
    }
}

//! A signing server that keeps an account's key and answers `eth_signTransaction`: Web3Signer before a cloud's key
//! management service, a vault or a hardware module; geth; anvil.

use std::time::Duration;

use alloy::consensus::{TxEip1559, TxEnvelope};
use alloy::eips::eip2718::Decodable2718;
use alloy::primitives::{Address, Bytes, Signature};
use alloy::providers::{Provider, RootProvider};
use alloy::rpc::types::TransactionRequest;

use serde::Deserialize;

use crate::signer::{RemoteSigner, Signing};
use crate::silence::Silence;
use crate::{ChainError, rpc};

/// One account at a signing server. Every request ends within the time-out. Clones share what they know of the server.
#[derive(Clone, Debug)]
pub struct SigningServer {
    provider: RootProvider,
    address: Address,
    silence: Silence,
}

impl SigningServer {
    /// The account `address` at this URL; asks nothing.
    ///
    /// # Errors
    /// The URL is none.
    pub fn new(url: &str, address: Address, timeout: Duration) -> Result<Self, ChainError> {
        Ok(Self { provider: rpc::provider(url, timeout)?, address, silence: Silence::default() })
    }

    async fn ask(&self, transaction: &TxEip1559) -> Result<Signature, ChainError> {
        self.silence.is_over()?;
        let mut request = TransactionRequest { from: Some(self.address), ..transaction.clone().into() };
        // Web3Signer reads `data` alone, others `input`.
        request.set_input_and_data();
        let asked = self.provider.raw_request("eth_signTransaction".into(), (request,)).await;
        let answer: Answer = asked.map_err(ChainError::of_signer).inspect_err(|error| self.silence.note(error))?;
        let answer = answer.raw();
        let refused = |why: &str| ChainError::SignerRefused(why.to_owned());
        let Ok(TxEnvelope::Eip1559(signed)) = TxEnvelope::decode_2718(&mut answer.as_ref()) else {
            return Err(refused("its answer is no EIP-1559 transaction"));
        };
        if signed.tx() != transaction {
            return Err(refused("it signed another transaction than it was asked for"));
        }
        Ok(*signed.signature())
    }
}

/// The signed transaction in its EIP-2718 form, alone or, of geth, beside the same in JSON.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Answer {
    Raw(Bytes),
    Geth { raw: Bytes },
}

impl Answer {
    fn raw(self) -> Bytes {
        match self {
            Self::Raw(raw) | Self::Geth { raw } => raw,
        }
    }
}

impl RemoteSigner for SigningServer {
    fn address(&self) -> Address {
        self.address
    }

    fn sign<'a>(&'a self, transaction: &'a TxEip1559) -> Signing<'a> {
        Box::pin(self.ask(transaction))
    }
}

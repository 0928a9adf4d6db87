//! A signing server that keeps an account's key and answers `eth_signTransaction`: Web3Signer before a cloud's key
//! management service, a vault or a hardware module; geth's clef; anvil.

use std::time::Duration;

use alloy::consensus::{TxEip1559, TxEnvelope};
use alloy::eips::eip2718::Decodable2718;
use alloy::primitives::{Address, Bytes, Signature};
use alloy::providers::{Provider, RootProvider};
use alloy::rpc::types::TransactionRequest;

use crate::signer::{RemoteSigner, Signing};
use crate::{ChainError, rpc};

/// One account at a signing server. Every request ends within the time-out; nothing is kept between two.
#[derive(Clone, Debug)]
pub struct SigningServer {
    provider: RootProvider,
    address: Address,
}

impl SigningServer {
    /// The account `address` at this URL; asks nothing.
    ///
    /// # Errors
    /// The URL is none.
    pub fn new(url: &str, address: Address, timeout: Duration) -> Result<Self, ChainError> {
        Ok(Self { provider: rpc::provider(url, timeout)?, address })
    }

    async fn ask(&self, transaction: &TxEip1559) -> Result<Signature, ChainError> {
        let request = TransactionRequest { from: Some(self.address), ..transaction.clone().into() };
        let answer: Bytes = self.provider.raw_request("eth_signTransaction".into(), (request,)).await?;
        let refused = |why: &str| ChainError::Configuration(format!("the signing server {why}"));
        let Ok(TxEnvelope::Eip1559(signed)) = TxEnvelope::decode_2718(&mut answer.as_ref()) else {
            return Err(refused("answered what is no EIP-1559 transaction"));
        };
        if signed.tx() != transaction {
            return Err(refused("signed another transaction than it was asked for"));
        }
        Ok(*signed.signature())
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

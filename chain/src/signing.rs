//! Signed transactions, complete before anything is sent.

use alloy::consensus::{SignableTransaction, TxEip1559, TxEnvelope};
use alloy::eips::eip2718::Encodable2718;
use alloy::network::TxSignerSync;
use alloy::primitives::{Address, B256, Bytes, TxKind, U256};
use alloy::signers::local::PrivateKeySigner;

use crate::{ChainError, Fees};

/// A transaction that only needs to be broadcast. Write it down first: then no crash can lose what was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedTx {
    pub hash: B256,
    /// EIP-2718 bytes for `eth_sendRawTransaction`.
    pub raw: Bytes,
    pub sender: Address,
    pub nonce: u64,
    pub gas_limit: u64,
    pub fees: Fees,
}

/// Everything that a call transaction says.
pub(crate) struct Call {
    pub(crate) chain_id: u64,
    pub(crate) nonce: u64,
    pub(crate) to: Address,
    pub(crate) input: Bytes,
    pub(crate) gas_limit: u64,
    pub(crate) fees: Fees,
}

/// Reads a 0x-hex private key. The error never repeats the key.
pub(crate) fn signer(private_key: &str) -> Result<PrivateKeySigner, ChainError> {
    private_key.parse().map_err(|_| {
        ChainError::Configuration("a signer's key must be 32 bytes of 0x-hex, a valid secp256k1 key".into())
    })
}

/// The account that a private key (0x-hex) signs for.
///
/// # Errors
/// A text that is no key.
pub fn address_of(private_key: &str) -> Result<Address, ChainError> {
    Ok(signer(private_key)?.address())
}

/// Signs `call` as an EIP-1559 transaction.
pub(crate) fn sign(signer: &PrivateKeySigner, call: Call) -> Result<SignedTx, ChainError> {
    let mut tx = TxEip1559 {
        chain_id: call.chain_id,
        nonce: call.nonce,
        gas_limit: call.gas_limit,
        max_fee_per_gas: call.fees.max_fee_per_gas,
        max_priority_fee_per_gas: call.fees.max_priority_fee_per_gas,
        to: TxKind::Call(call.to),
        value: U256::ZERO,
        access_list: Default::default(),
        input: call.input,
    };
    let signature = signer
        .sign_transaction_sync(&mut tx)
        .map_err(|error| ChainError::Configuration(format!("cannot sign: {error}")))?;
    let envelope = TxEnvelope::from(tx.into_signed(signature));
    Ok(SignedTx {
        hash: *envelope.tx_hash(),
        raw: envelope.encoded_2718().into(),
        sender: signer.address(),
        nonce: call.nonce,
        gas_limit: call.gas_limit,
        fees: call.fees,
    })
}

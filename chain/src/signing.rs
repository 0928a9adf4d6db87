//! Signed transactions, complete before anything is sent.

use alloy::consensus::{SignableTransaction, TxEip1559, TxEnvelope};
use alloy::eips::eip2718::{Decodable2718, Encodable2718};
use alloy::primitives::{Address, B256, Bytes, TxKind, U256};
use alloy::signers::local::PrivateKeySigner;

use crate::signer::Signer;
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
pub(crate) fn local(private_key: &str) -> Result<PrivateKeySigner, ChainError> {
    private_key.parse().map_err(|_| {
        ChainError::Configuration("a signer's key must be 32 bytes of 0x-hex, a valid secp256k1 key".into())
    })
}

/// The account that a private key (0x-hex) signs for.
///
/// # Errors
/// A text that is no key.
pub fn address_of(private_key: &str) -> Result<Address, ChainError> {
    Ok(local(private_key)?.address())
}

/// Signs `call` as an EIP-1559 transaction.
pub(crate) async fn sign(signer: &Signer, call: Call) -> Result<SignedTx, ChainError> {
    let transaction = TxEip1559 {
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
    seal(signer, transaction).await
}

/// The transaction in `raw` with other fees: everything else, the nonce above all, stays as it is.
pub(crate) async fn sign_again(signer: &Signer, raw: &[u8], fees: Fees) -> Result<SignedTx, ChainError> {
    let mut transaction = unsigned(raw)?;
    transaction.max_fee_per_gas = fees.max_fee_per_gas;
    transaction.max_priority_fee_per_gas = fees.max_priority_fee_per_gas;
    seal(signer, transaction).await
}

/// The most gas that the transaction in `raw` may use.
pub(crate) fn gas_limit(raw: &[u8]) -> Result<u64, ChainError> {
    Ok(unsigned(raw)?.gas_limit)
}

fn unsigned(mut raw: &[u8]) -> Result<TxEip1559, ChainError> {
    match TxEnvelope::decode_2718(&mut raw) {
        Ok(TxEnvelope::Eip1559(signed)) => Ok(signed.strip_signature()),
        _ => Err(ChainError::Configuration("the stored bytes are no EIP-1559 transaction".to_owned())),
    }
}

async fn seal(signer: &Signer, mut transaction: TxEip1559) -> Result<SignedTx, ChainError> {
    let signature = signer.sign(&mut transaction).await?;
    let (nonce, gas_limit) = (transaction.nonce, transaction.gas_limit);
    let fees = Fees {
        max_fee_per_gas: transaction.max_fee_per_gas,
        max_priority_fee_per_gas: transaction.max_priority_fee_per_gas,
    };
    let envelope = TxEnvelope::from(transaction.into_signed(signature));
    let raw = envelope.encoded_2718().into();
    Ok(SignedTx { hash: *envelope.tx_hash(), raw, sender: signer.address(), nonce, gas_limit, fees })
}

#[cfg(test)]
mod tests {
    use alloy::primitives::bytes;

    use super::*;

    #[tokio::test]
    async fn a_replacement_differs_in_its_fees_alone() {
        let key = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d";
        let signer = Signer::private_key(key).unwrap();
        let fees = Fees { max_fee_per_gas: 100, max_priority_fee_per_gas: 3 };
        let call = |fees| Call {
            chain_id: 31337,
            nonce: 7,
            to: Address::repeat_byte(2),
            input: bytes!("0102"),
            gas_limit: 50_000,
            fees,
        };
        let first = sign(&signer, call(fees)).await.unwrap();
        let more = Fees { max_fee_per_gas: 113, max_priority_fee_per_gas: 4 };
        let second = sign_again(&signer, &first.raw, more).await.unwrap();
        assert_eq!(second, sign(&signer, call(more)).await.unwrap());
        assert_ne!(second.hash, first.hash);
        assert_eq!(gas_limit(&second.raw).unwrap(), 50_000);
        assert!(sign_again(&signer, &[1, 2, 3], more).await.is_err());
    }
}

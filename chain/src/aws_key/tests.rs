//! Against a small server that answers as KMS does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use alloy::primitives::{B256, U256};
use alloy::signers::SignerSync as _;
use alloy::signers::local::PrivateKeySigner;
use alloy_signer_aws::aws_sdk_kms::Config;
use alloy_signer_aws::aws_sdk_kms::config::Credentials;
use alloy_signer_aws::aws_sdk_kms::config::retry::RetryConfig;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::Signer;

/// anvil's account 1.
const KEY: &str = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d";
const ARN: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

/// Has the key; answers with a status of its own when one is set.
#[derive(Clone)]
struct Kms {
    key: PrivateKeySigner,
    status: Arc<AtomicU16>,
}

impl Kms {
    async fn start() -> (Self, Client) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let kms = Self { key: KEY.parse().unwrap(), status: Arc::default() };
        let serving = kms.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let kms = serving.clone();
                tokio::spawn(async move { kms.serve(stream).await });
            }
        });
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-west-1"))
            .credentials_provider(Credentials::for_tests())
            .retry_config(RetryConfig::disabled())
            .endpoint_url(url);
        (kms, Client::from_conf(config.build()))
    }

    /// One request after the other, as HTTP/1.1 has them.
    async fn serve(&self, stream: TcpStream) -> Option<()> {
        let mut stream = BufReader::new(stream);
        loop {
            let (mut target, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                if stream.read_line(&mut line).await.ok()? == 0 {
                    return None;
                }
                match line.trim().to_lowercase().split_once(": ") {
                    Some(("x-amz-target", value)) => target = value.to_owned(),
                    Some(("content-length", value)) => length = value.parse().ok()?,
                    None if line.trim().is_empty() => break,
                    _ => {}
                }
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).await.ok()?;
            let (status, answer) = self.answer(&target, &serde_json::from_slice(&body).ok()?);
            let answer = answer.to_string();
            let head = format!("HTTP/1.1 {status} X\r\ncontent-type: application/x-amz-json-1.1\r\n");
            let whole = format!("{head}content-length: {}\r\n\r\n{answer}", answer.len());
            stream.write_all(whole.as_bytes()).await.ok()?;
        }
    }

    fn answer(&self, target: &str, asked: &Value) -> (u16, Value) {
        assert_eq!(asked["KeyId"], ARN);
        match (self.status.load(Ordering::SeqCst), target) {
            (0, "trentservice.getpublickey") => {
                // SubjectPublicKeyInfo of secp256k1, RFC 5480.
                let head = alloy::hex!("3056301006072a8648ce3d020106052b8104000a03420004");
                let key = [head.as_slice(), self.key.public_key().as_slice()].concat();
                (200, json!({"KeyId": ARN, "PublicKey": STANDARD.encode(key)}))
            }
            (0, "trentservice.sign") => {
                assert_eq!(
                    (&asked["MessageType"], &asked["SigningAlgorithm"]),
                    (&json!("DIGEST"), &json!("ECDSA_SHA_256"))
                );
                let digest = B256::from_slice(&STANDARD.decode(asked["Message"].as_str().unwrap()).unwrap());
                let signature = self.key.sign_hash_sync(&digest).unwrap();
                (200, json!({"KeyId": ARN, "Signature": STANDARD.encode(der(&signature))}))
            }
            (400, _) => (400, json!({"__type": "AccessDeniedException", "message": "not you"})),
            (429, _) => (400, json!({"__type": "ThrottlingException", "message": "later"})),
            (status, target) => (status.max(404), json!({"__type": "KMSInternalException", "message": target})),
        }
    }
}

/// ECDSA-Sig-Value, RFC 3279.
fn der(signature: &Signature) -> Vec<u8> {
    let tagged = |tag, bytes: &[u8]| [&[tag, u8::try_from(bytes.len()).unwrap()], bytes].concat();
    let integer = |number: U256| {
        let digits: Vec<u8> = number.to_be_bytes::<32>().into_iter().skip_while(|byte| *byte == 0).collect();
        // A first bit that is set would make it negative.
        let sign = if digits[0] & 0x80 == 0 { &[][..] } else { &[0] };
        tagged(2, &[sign, &digits].concat())
    };
    tagged(0x30, &[integer(signature.r()), integer(signature.s())].concat())
}

fn transaction() -> TxEip1559 {
    TxEip1559 { chain_id: 31337, nonce: 7, ..TxEip1559::default() }
}

#[tokio::test]
async fn the_key_signs_and_failures_are_told_apart() {
    let (kms, client) = Kms::start().await;
    let patience = Duration::from_secs(30);
    let key = AwsKey::new(ARN, kms.key.address(), patience);
    key.signer.set(key.known_to(client.clone()).await.unwrap()).unwrap();
    let local = Signer::private_key(KEY).unwrap().sign(&mut transaction()).await.unwrap();
    assert_eq!(key.ask(&transaction()).await.unwrap(), local);

    let anothers = AwsKey::new(ARN, Address::repeat_byte(1), patience).known_to(client).await.unwrap_err();
    assert!(matches!(&anothers, ChainError::SignerRefused(why) if why.contains("0x70997970")), "{anothers}");
    kms.status.store(400, Ordering::SeqCst);
    let refused = key.ask(&transaction()).await.unwrap_err();
    assert!(matches!(&refused, ChainError::SignerRefused(why) if why.contains("not you")), "{refused}");
    for status in [429, 500] {
        kms.status.store(status, Ordering::SeqCst);
        let away = AwsKey { silence: Silence::default(), signer: key.signer.clone(), key: ARN.to_owned(), ..key };
        let error = away.ask(&transaction()).await.unwrap_err();
        assert!(matches!(error, ChainError::SignerUnavailable(_)), "{status}: {error}");
        kms.status.store(0, Ordering::SeqCst);
        assert!(away.ask(&transaction()).await.is_err(), "it is left alone for a moment");
    }
    assert_eq!(key.ask(&transaction()).await.unwrap(), local);
}

#[test]
fn an_arn_names_its_region() {
    assert_eq!(region(ARN), Some("eu-west-1"));
    for other in ["alias/confirmer", "1234abcd-12ab-34cd-56ef-1234567890ab", "arn:aws:kms::1:key/2", "arn:"] {
        assert_eq!(region(other), None, "{other}");
    }
}

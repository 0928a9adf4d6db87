//! `verify` with the files themselves: is this the result, the input, the program or the key that the leaf commits to?

use std::path::{Path, PathBuf};
use std::str::FromStr;

use alloy::primitives::B256;
use chain::verify::Check;
use clap::Args;
use jobs::fhe::KeyId;
use jobs::fhe::program::ValueType;
use jobs::leaf::LeafStatus;
use jobs::receipt::Receipt;
use sha2::{Digest, Sha256};

use super::error::CliError;

/// Files to hold against a receipt.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Files to check as well")]
pub struct FileArgs {
    /// The job's result
    #[arg(long, value_name = "FILE")]
    pub result: Option<PathBuf>,
    /// What was submitted: a plain job's body, or the blob of an encrypted job's inputs
    #[arg(long, value_name = "FILE")]
    pub input: Option<PathBuf>,
    /// An encrypted job's body or payload, which is compiled to its program; wants --types
    #[arg(long, value_name = "FILE", requires = "types")]
    pub payload: Option<PathBuf>,
    /// Types of the encrypted inputs in their order, as in u8*16,bool
    #[arg(long, value_name = "TYPES")]
    pub types: Option<Types>,
    /// The key of an encrypted job: a client's evaluation key, or a key id that you know
    #[arg(long, value_name = "FILE|0xID")]
    pub key: Option<String>,
}

impl FileArgs {
    /// A check for each file that was given.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub(super) fn checks(&self, receipt: &Receipt) -> Result<Vec<Check>, CliError> {
        let mut checks = Vec::new();
        if let Some(file) = &self.result {
            checks.push(result(receipt, &read(file)?));
        }
        if let Some(file) = &self.input {
            checks.push(input(receipt, &read(file)?));
        }
        if let (Some(file), Some(Types(types))) = (&self.payload, &self.types) {
            checks.push(program(receipt, &read(file)?, types));
        }
        if let Some(key) = &self.key {
            checks.push(match key.parse::<B256>() {
                Ok(id) => compared("key", "the key id", id, "key_hash", receipt.key_hash),
                Err(_) => {
                    let id = KeyId::client(&read(Path::new(key))?);
                    compared("key", "the evaluation key's id", B256::from(id.0), "key_hash", receipt.key_hash)
                }
            });
        }
        Ok(checks)
    }
}

/// Types of encrypted inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Types(Vec<ValueType>);

impl FromStr for Types {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut types = Vec::new();
        for word in text.split(',') {
            let (name, count) = word.trim().split_once('*').unwrap_or((word.trim(), "1"));
            let kind: ValueType = name.parse().map_err(|error| format!("{name:?} {error}"))?;
            let count = count.parse().ok().filter(|count| (1..=fhe::inputs::MAX_VALUES).contains(count));
            types.extend(vec![kind; count.ok_or_else(|| format!("{word:?}: how many is that?"))?]);
        }
        Ok(Self(types))
    }
}

fn result(receipt: &Receipt, bytes: &[u8]) -> Check {
    if receipt.leaf.status == LeafStatus::Failed {
        return Check::new("result", false, "", "the job failed: no file is its result");
    }
    compared("result", "the file's SHA-256", sha256(bytes), "the leaf's result hash", Some(receipt.leaf.result_hash))
}

/// A leaf without a handle commits to the body, one with a handle to the ciphertexts.
fn input(receipt: &Receipt, bytes: &[u8]) -> Check {
    let (name, expected) = ("input", receipt.input_hash);
    if !receipt.leaf.handle.is_zero() {
        return compared(name, "the blob's SHA-256", sha256(bytes), "input_hash", expected);
    }
    match jobs::json::parse(bytes) {
        Ok(body) => {
            compared(name, "the body's content hash", jobs::canonical::content_hash(&body), "input_hash", expected)
        }
        Err(error) => Check::new(name, false, "", format!("the file is no body of a job: {error}")),
    }
}

fn program(receipt: &Receipt, bytes: &[u8], types: &[ValueType]) -> Check {
    match program_hash(bytes, types) {
        Ok(hash) => compared("program", "the compiled program's hash", hash, "program_hash", receipt.program_hash),
        Err(fault) => Check::new("program", false, "", format!("the payload does not compile: {fault}")),
    }
}

/// As the worker compiles it.
fn program_hash(bytes: &[u8], types: &[ValueType]) -> Result<B256, String> {
    let document = jobs::json::parse(bytes).map_err(|error| error.to_string())?;
    let payload = document.get("payload").unwrap_or(&document);
    let compiled = fhe::child::compile(&jobs::canonical::text(payload), types).map_err(|error| error.to_string())?;
    Ok(B256::from(fhe::execution::program_hash(&compiled.program)))
}

fn compared(name: &'static str, what: &str, actual: B256, field: &str, expected: Option<B256>) -> Check {
    let Some(expected) = expected else {
        return Check::new(name, false, "", format!("the receipt names no {field}: the job was not encrypted"));
    };
    Check::new(
        name,
        actual == expected,
        format!("{what} is {field}"),
        format!("{what} is {actual}, and {field} is {expected}"),
    )
}

fn sha256(bytes: &[u8]) -> B256 {
    B256::from_slice(&Sha256::digest(bytes))
}

fn read(file: &Path) -> Result<Vec<u8>, CliError> {
    std::fs::read(file).map_err(|error| CliError::usage(format!("cannot read {}: {error}", file.display())))
}

#[cfg(test)]
mod tests {
    use chain::verify::Outcome;
    use jobs::leaf::{Index, Leaf};
    use jobs::merkle::Batch;
    use jobs::receipt::{Anchor, Lineage};

    use super::*;

    const BODY: &str = r#"{"payload":{"algorithm":"encrypted_maximum","encrypted_data_url":"https://a.example/b"},
                           "type":"fhe_compute"}"#;

    fn leaf(status: LeafStatus, handle: B256) -> Leaf {
        Leaf {
            index: Index::new(1),
            job_id: B256::ZERO,
            submitter: alloy::primitives::Address::ZERO,
            result_hash: sha256(b"result"),
            status,
            content_hash: B256::ZERO,
            handle,
        }
    }

    fn anchor() -> Anchor {
        let (tx_hash, block_hash) = (B256::ZERO, B256::ZERO);
        Anchor { chain_id: 1, registry: alloy::primitives::Address::ZERO, tx_hash, block_number: 1, block_hash }
    }

    fn plain(status: LeafStatus) -> Receipt {
        let leaf = leaf(status, B256::ZERO);
        let inclusion = Batch::seal(std::slice::from_ref(&leaf)).unwrap().inclusion(0).unwrap();
        let body = jobs::json::parse(BODY.as_bytes()).unwrap();
        Receipt::of_plain_job(leaf, B256::ZERO, jobs::canonical::content_hash(&body), inclusion, anchor())
    }

    fn encrypted(types: &[ValueType]) -> Receipt {
        let leaf = leaf(LeafStatus::Completed, B256::repeat_byte(1));
        let inclusion = Batch::seal(std::slice::from_ref(&leaf)).unwrap().inclusion(0).unwrap();
        let lineage = Lineage {
            inputs: sha256(b"blob"),
            program: program_hash(BODY.as_bytes(), types).unwrap(),
            key: B256::from(KeyId::client(b"evaluation key").0),
            attestation: vec![4; 65].into(),
        };
        Receipt::of_encrypted_job(leaf, B256::ZERO, lineage, inclusion, anchor())
    }

    fn holds(check: Check) -> bool {
        assert!(!check.explanation.is_empty());
        check.outcome == Outcome::Passed
    }

    #[test]
    fn a_plain_job_s_files_are_its_body_and_its_result() {
        let receipt = plain(LeafStatus::Completed);
        assert!(holds(result(&receipt, b"result")) && !holds(result(&receipt, b"other")));
        let spaced = BODY.replace(',', " , ");
        assert!(
            holds(input(&receipt, BODY.as_bytes())) && holds(input(&receipt, spaced.as_bytes())),
            "its meaning counts"
        );
        assert!(!holds(input(&receipt, b"{}")) && !holds(input(&receipt, b"no json")));
        let args = FileArgs { key: Some(B256::ZERO.to_string()), ..FileArgs::default() };
        assert!(!holds(args.checks(&receipt).unwrap().remove(0)), "it has no key");
    }

    #[test]
    fn an_encrypted_job_s_files_are_blob_program_and_key() {
        let types: Types = "u8*3".parse().unwrap();
        let receipt = encrypted(&types.0);
        assert!(holds(input(&receipt, b"blob")) && !holds(input(&receipt, BODY.as_bytes())));
        assert!(holds(program(&receipt, BODY.as_bytes(), &types.0)));
        assert!(!holds(program(&receipt, BODY.as_bytes(), &types.0[1..])), "of other inputs it is another program");
        assert!(!holds(program(&receipt, b"{}", &types.0)));

        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("client.key.eval");
        std::fs::write(&file, "evaluation key").unwrap();
        let of = |key: String| {
            let args = FileArgs { key: Some(key), ..FileArgs::default() };
            args.checks(&receipt).map(|mut checks| holds(checks.remove(0)))
        };
        assert!(of(file.display().to_string()).unwrap() && of(receipt.key_hash.unwrap().to_string()).unwrap());
        assert!(!of(B256::ZERO.to_string()).unwrap());
        assert!(matches!(of("/no/such/file".to_owned()), Err(CliError::Usage(_))));
    }

    #[test]
    fn a_failed_job_has_no_result() {
        assert!(!holds(result(&plain(LeafStatus::Failed), b"result")));
    }

    #[test]
    fn types_are_counted() {
        let types = |text: &str| text.parse::<Types>().map(|Types(types)| types);
        assert_eq!(types("u8*2,bool"), Ok(vec![ValueType::U8, ValueType::U8, ValueType::Bool]));
        for bad in ["", "u8*0", "u7", "u8*", "u8*99999999", "u8,,u8"] {
            assert!(types(bad).is_err(), "{bad}");
        }
    }
}

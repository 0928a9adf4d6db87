//! Keys for this room's tests: real parameters, made once and kept beside the test binaries.

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use jobs::fhe::program::{Program, ValueType};
use sha2::{Digest, Sha256};
use tfhe::zk::CompactPkeCrs;

use crate::clear::ClearValue;
use crate::inputs::{Inputs, Origin};
use crate::keys::{BoundParts, ClientKeys, EvaluationKey, KeyMode, NetworkKeys, NetworkPublicKey, SecretKey};
use crate::parameters::network_config;
use crate::value::EncryptedValue;

/// Chance that can be repeated: the seed is the same in every run unless ZAMA_TEST_SEED names another, and is printed.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new() -> Self {
        let asked = std::env::var("ZAMA_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = asked.unwrap_or(2026);
        println!("ZAMA_TEST_SEED={seed}");
        Self(seed)
    }

    /// A number from 0 to below the bound.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.draw() % bound as u64) as usize
    }

    /// Any number. SplitMix64.
    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

thread_local! {
    static CHANCE: RefCell<Chance> = RefCell::new(Chance::new());
}

/// Numbers for whoever has no [`Chance`] at hand: one after the other on each thread, and so in each test.
pub(crate) struct Drawn;

impl Drawn {
    pub(crate) fn next_u64(&mut self) -> u64 {
        CHANCE.with_borrow_mut(Chance::draw)
    }
}

pub(crate) struct Network {
    pub(crate) bytes: NetworkKeys,
    pub(crate) public: NetworkPublicKey,
    pub(crate) evaluation: EvaluationKey,
    pub(crate) secret: SecretKey,
}

pub(crate) struct Client {
    pub(crate) bytes: ClientKeys,
    pub(crate) evaluation: EvaluationKey,
    pub(crate) secret: SecretKey,
}

pub(crate) fn network() -> &'static Network {
    static KEYS: OnceLock<Network> = OnceLock::new();
    KEYS.get_or_init(|| {
        let names = ["network-secret", "network-public", "network-evaluation", "network-crs"];
        let [secret_key, public_key, evaluation_key, crs] = cached(names, || {
            let keys = NetworkKeys::generate(|_| {}).expect("our parameters are sound");
            [keys.secret_key.to_vec(), keys.public_key, keys.evaluation_key, keys.crs]
        });
        let bytes = NetworkKeys { secret_key: secret_key.into(), public_key, evaluation_key, crs };
        let digest = Sha256::digest(&bytes.evaluation_key).into();
        let parts = BoundParts::new(bytes.id(), digest, &bytes.public_key, &bytes.crs).expect("their own id");
        Network {
            public: NetworkPublicKey::from_checked(parts).expect("our own key"),
            evaluation: EvaluationKey::from_bytes(&bytes.evaluation_key, KeyMode::Network).expect("our own key"),
            secret: SecretKey::from_bytes(&bytes.secret_key).expect("our own key"),
            bytes,
        }
    })
}

/// Plaintext bits that a proof under [`short_public`] covers: 32 blocks.
const SHORT_BITS: usize = 64;

/// The network's public key with a shorter reference string, under which proofs are made and verified in a fraction of the
/// time. Everything else about them is as it is.
pub(crate) fn short_public() -> &'static NetworkPublicKey {
    static KEY: OnceLock<NetworkPublicKey> = OnceLock::new();
    KEY.get_or_init(|| {
        let crs = CompactPkeCrs::from_config(network_config(), SHORT_BITS).expect("our parameters");
        NetworkPublicKey { key: network().public.key.clone(), crs }
    })
}

pub(crate) fn client() -> &'static Client {
    static KEYS: OnceLock<Client> = OnceLock::new();
    KEYS.get_or_init(|| {
        let [secret_key, evaluation_key] = cached(["client-secret", "client-evaluation"], || {
            let keys = ClientKeys::generate();
            [keys.secret_key.to_vec(), keys.evaluation_key]
        });
        Client {
            evaluation: EvaluationKey::from_bytes(&evaluation_key, KeyMode::Client).expect("our own key"),
            secret: SecretKey::from_bytes(&secret_key).expect("our own key"),
            bytes: ClientKeys { secret_key: secret_key.into(), evaluation_key },
        }
    })
}

pub(crate) fn origin() -> Origin {
    Origin { tenant: "acme".to_owned(), submitter: [0x5a; 20] }
}

/// Inputs that came through no door.
pub(crate) fn inputs(values: &[ClearValue], key: &SecretKey) -> Inputs {
    let encrypt = |value: &ClearValue| EncryptedValue::encrypt(value.kind(), number(*value), &key.0);
    Inputs { types: types(values), values: values.iter().map(|value| Some(encrypt(value))).collect(), hash: [9; 32] }
}

pub(crate) fn number(value: ClearValue) -> u64 {
    match value {
        ClearValue::Bool(value) => value.into(),
        ClearValue::U8(value) => value.into(),
        ClearValue::U16(value) => value.into(),
        ClearValue::U32(value) => value.into(),
        ClearValue::U64(value) => value,
    }
}

pub(crate) fn types(values: &[ClearValue]) -> Vec<ValueType> {
    values.iter().map(|value| value.kind()).collect()
}

/// A program with outputs named after their values.
pub(crate) fn program(
    inputs: Vec<ValueType>,
    steps: Vec<jobs::fhe::program::Operation>,
    outputs: &[(&str, jobs::fhe::program::OutputValue)],
) -> Program {
    let output = |(name, value): &(&str, _)| jobs::fhe::program::Output { name: (*name).to_owned(), value: *value };
    Program { inputs, steps, outputs: outputs.iter().map(output).collect() }
}

fn cached<const N: usize>(names: [&str; N], make: impl FnOnce() -> [Vec<u8>; N]) -> [Vec<u8>; N] {
    let folder = folder();
    let paths = names.map(|name| folder.join(name));
    let known = paths.each_ref().map(|path| fs::read(path).ok());
    if known.iter().all(Option::is_some) {
        return known.map(Option::unwrap_or_default);
    }
    let made = make();
    fs::create_dir_all(&folder).expect("the build's folder is writable");
    // The last name appears last, so that another process never mixes two sets.
    for (path, bytes) in paths.iter().zip(&made) {
        write(path, bytes);
    }
    made
}

fn write(path: &Path, bytes: &[u8]) {
    let unfinished = path.with_extension(std::process::id().to_string());
    fs::write(&unfinished, bytes).expect("the build's folder is writable");
    fs::rename(&unfinished, path).expect("the build's folder is writable");
}

fn folder() -> PathBuf {
    let binary = std::env::current_exe().expect("a test binary has a path");
    let build = binary.ancestors().nth(2).expect("test binaries stand in deps/");
    build.join(format!("fhe-test-keys-{}", crate::profile::TFHE_VERSION))
}

//! The FHE jobs' compute time against the same operations written by hand with bare tfhe-rs: one key, the same inputs,
//! alternating, medians. Run it by `make bench-fhe`; see bench/README.md.

use std::error::Error;
use std::io::{BufReader, BufWriter, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use fhe::child::frames;
use fhe::child::protocol::{Blob, Done, Event, KeyMode, LoadKey, Request, Run};
use fhe::clear::ClearValue;
use fhe::decrypt::decrypt;
use fhe::encrypt::for_network;
use fhe::inputs::Origin;
use fhe::keys::{BoundParts, NetworkKeys, NetworkPublicKey, SecretKey};
use serde_json::json;
use sha2::{Digest, Sha256};
use tfhe::prelude::*;
use tfhe::safe_serialization::{DeserializationConfig, SerializationConfig};
use tfhe::zk::CompactPkeCrs;
use tfhe::{
    ClientKey, CompactCiphertextListExpander, CompactPublicKey, CompressedServerKey, FheBool, FheUint8, FheUint16,
    FheUint32, ProvenCompactCiphertextList, set_server_key,
};

/// What the platform may take, times what bare tfhe-rs takes.
const LIMIT: f64 = 1.05;
/// As `fhe.checkpoint_pbs` has it by default.
const CHECKPOINT_PBS: u64 = 1000;
/// As `fhe.child_memory_mib` has it by default.
const CHILD_MEMORY: u64 = 6 << 30;
/// More than any object here has.
const LARGEST_OBJECT: u64 = 1 << 30;

type Fault = Box<dyn Error>;

fn main() -> Result<ExitCode, Fault> {
    let mut arguments = std::env::args().skip(1);
    let child = arguments.next().ok_or("usage: compute_overhead ZAMA-JOBS [ROUNDS]")?;
    let rounds: usize = arguments.next().map_or(Ok(5), |text| text.parse())?;
    let profile = fhe::profile::pin();
    eprintln!("making the network's keys (some fifteen seconds)");
    let keys = NetworkKeys::generate(|_| {})?;
    let stage = Stage::new(&keys)?;
    let mut platform = Platform::start(&child, &keys)?;
    println!(
        "FHE job compute: the platform (child process, interpreter, checkpoints every {CHECKPOINT_PBS} PBS, result) \
         against bare tfhe-rs {} ({} threads, median of {rounds}, alternating)",
        profile.tfhe_version, profile.threads
    );
    let mut within = true;
    for task in Task::ALL {
        let mut measured = Measured::default();
        for round in 0..rounds {
            let blob = stage.encrypt(task)?;
            // Who is first takes turns too.
            let (ours, bare) = match round % 2 {
                0 => (platform.run(task, &blob)?, stage.bare(task, &blob)?),
                _ => {
                    let bare = stage.bare(task, &blob)?;
                    (platform.run(task, &blob)?, bare)
                }
            };
            let clear = decrypt(&ours.result, &stage.secret)?.to_json();
            if clear != bare.clear {
                return Err(format!("{}: the platform says {clear}, bare tfhe-rs {}", task.name(), bare.clear).into());
            }
            eprintln!("  {:<24} {:>7.3} s  bare {:>7.3} s", task.name(), seconds(ours.compute), seconds(bare.compute));
            measured.add(&ours, &bare);
        }
        within &= measured.tell(task);
    }
    platform.end()?;
    println!("{}", if within { "all within the limit" } else { "BEYOND THE LIMIT" });
    Ok(if within { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What is computed.
#[derive(Clone, Copy)]
enum Task {
    Statistics,
    Maximum,
    Membership,
}

/// The set in which the last task looks.
const SET: [u32; 16] = [7, 11, 400, 9_000, 77, 5, 6, 1_000_000, 42, 4_000_000_000, 17, 18, 19, 20, 21, 22];

impl Task {
    const ALL: [Self; 3] = [Self::Membership, Self::Maximum, Self::Statistics];

    fn name(self) -> &'static str {
        match self {
            Self::Statistics => "statistics of 10 u8",
            Self::Maximum => "maximum of 8 u16",
            Self::Membership => "u32 in a clear set of 16",
        }
    }

    fn payload(self) -> String {
        let (algorithm, parameters) = match self {
            Self::Statistics => ("encrypted_statistical_analysis", json!({})),
            Self::Maximum => ("encrypted_maximum", json!({})),
            Self::Membership => ("encrypted_set_membership", json!({ "set": SET })),
        };
        let url = format!("/v1/blobs/{}", "ab".repeat(32));
        json!({ "algorithm": algorithm, "encrypted_data_url": url, "parameters": parameters }).to_string()
    }

    fn values(self) -> Vec<ClearValue> {
        match self {
            Self::Statistics => [12, 200, 7, 91, 33, 150, 255, 0, 64, 64].map(ClearValue::U8).to_vec(),
            Self::Maximum => [300, 4_000, 65_535, 12, 0, 65_535, 9, 1_000].map(ClearValue::U16).to_vec(),
            Self::Membership => vec![ClearValue::U32(42)],
        }
    }
}

/// One computation.
struct Ours {
    /// From the inputs taken to the result received.
    compute: Duration,
    /// What the child's threads worked meanwhile.
    processor: Duration,
    /// From the request sent.
    whole: Duration,
    result: Vec<u8>,
}

struct Bare {
    compute: Duration,
    processor: Duration,
    whole: Duration,
    /// The result as the platform's JSON.
    clear: String,
}

#[derive(Default)]
struct Measured {
    ours: Vec<Duration>,
    bare: Vec<Duration>,
    ours_processor: Vec<Duration>,
    bare_processor: Vec<Duration>,
    ours_whole: Vec<Duration>,
    bare_whole: Vec<Duration>,
}

impl Measured {
    fn add(&mut self, ours: &Ours, bare: &Bare) {
        self.ours.push(ours.compute);
        self.bare.push(bare.compute);
        self.ours_processor.push(ours.processor);
        self.bare_processor.push(bare.processor);
        self.ours_whole.push(ours.whole);
        self.bare_whole.push(bare.whole);
    }

    /// Prints both sides; whether they are within the limit.
    fn tell(mut self, task: Task) -> bool {
        let (ours, bare) = (median(&mut self.ours), median(&mut self.bare));
        let ratio = ours / bare;
        println!(
            "fhe job compute, {}: platform {ours:.3} s, bare tfhe-rs {bare:.3} s, ratio {ratio:.3} (limit {LIMIT})",
            task.name()
        );
        let (ours, bare) = (median(&mut self.ours_processor), median(&mut self.bare_processor));
        let processor = ours / bare;
        println!(
            "  processor time: platform {ours:.2} s, bare tfhe-rs {bare:.2} s, ratio {processor:.3} (limit {LIMIT})"
        );
        let (ours, bare) = (median(&mut self.ours_whole), median(&mut self.bare_whole));
        println!(
            "  with reading, proof and serialising: platform {ours:.3} s, bare tfhe-rs {bare:.3} s, ratio {:.3}",
            ours / bare
        );
        ratio <= LIMIT && processor <= LIMIT
    }
}

fn median(times: &mut [Duration]) -> f64 {
    times.sort_unstable();
    let middle = times.len() / 2;
    match times.len() % 2 {
        1 => seconds(times[middle]),
        _ => (seconds(times[middle - 1]) + seconds(times[middle])) / 2.0,
    }
}

fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}

/// The real child process, as an FHE worker runs it.
struct Platform {
    process: Child,
    to: BufWriter<ChildStdin>,
    from: BufReader<ChildStdout>,
    key_id: [u8; 32],
}

impl Platform {
    fn start(program: &str, keys: &NetworkKeys) -> Result<Self, Fault> {
        let mut process = Command::new(program)
            .arg("fhe-child")
            .args(["--parent", &std::process::id().to_string(), "--memory-bytes", &CHILD_MEMORY.to_string()])
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let to = BufWriter::new(process.stdin.take().ok_or("no pipe")?);
        let from = BufReader::new(process.stdout.take().ok_or("no pipe")?);
        let mut platform = Self { process, to, from, key_id: keys.id().0 };
        let began = Instant::now();
        platform.ask(&Request::LoadKey(LoadKey {
            mode: KeyMode::Network,
            key_id: platform.key_id,
            evaluation_key: Blob(keys.evaluation_key.clone()),
            public_key: Some(Blob(keys.public_key.clone())),
            crs: Some(Blob(keys.crs.clone())),
        }))?;
        match platform.hear()? {
            Event::KeyLoaded => eprintln!("the child has loaded its keys in {:.2} s", seconds(began.elapsed())),
            other => return Err(format!("the key was not loaded: {other:?}").into()),
        }
        Ok(platform)
    }

    fn run(&mut self, task: Task, blob: &[u8]) -> Result<Ours, Fault> {
        let origin = origin();
        let run = Run {
            job_id: [1; 16],
            tenant: origin.tenant,
            submitter: origin.submitter,
            mode: KeyMode::Network,
            key_id: self.key_id,
            payload: task.payload(),
            inputs: Blob(blob.to_vec()),
            checkpoint: None,
            checkpoint_pbs: CHECKPOINT_PBS,
        };
        let asked = Instant::now();
        self.ask(&Request::Run(Box::new(run)))?;
        let child = self.process.id();
        let (mut prepared, mut worked) = (asked, Duration::ZERO);
        loop {
            match self.hear()? {
                Event::Prepared(_) => (prepared, worked) = (Instant::now(), processor(child)?),
                Event::Progress { .. } | Event::Checkpoint(_) => {}
                Event::Done(Done { result, .. }) => {
                    return Ok(Ours {
                        compute: prepared.elapsed(),
                        processor: processor(child)? - worked,
                        whole: asked.elapsed(),
                        result: result.0,
                    });
                }
                other => return Err(format!("the job was not done: {other:?}").into()),
            }
        }
    }

    fn ask(&mut self, request: &Request) -> Result<(), Fault> {
        Ok(frames::write(&mut self.to, request)?)
    }

    fn hear(&mut self) -> Result<Event, Fault> {
        Ok(frames::read(&mut self.from)?.ok_or("the child is gone")?)
    }

    fn end(mut self) -> Result<(), Fault> {
        self.to.flush()?;
        drop(self.to);
        self.process.wait()?;
        Ok(())
    }
}

/// What a process has worked until now, by the kernel's ticks of 10 ms.
fn processor(pid: u32) -> Result<Duration, Fault> {
    let line = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name, in parentheses, may hold anything; user and system time are the 12th and 13th word behind it.
    let (_, words) = line.rsplit_once(')').ok_or("no process")?;
    let ticks: Vec<u64> = words.split_whitespace().skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
    Ok(Duration::from_millis(10 * ticks.iter().sum::<u64>()))
}

fn origin() -> Origin {
    Origin { tenant: "bench".to_owned(), submitter: [7; 20] }
}

/// tfhe-rs alone, under the same keys.
struct Stage {
    client: ClientKey,
    public: CompactPublicKey,
    crs: CompactPkeCrs,
    /// The keys as the platform's clients have them.
    encryption: NetworkPublicKey,
    secret: SecretKey,
}

impl Stage {
    fn new(keys: &NetworkKeys) -> Result<Self, Fault> {
        let digest = Sha256::digest(&keys.evaluation_key).into();
        let parts = BoundParts::new(keys.id(), digest, &keys.public_key, &keys.crs)?;
        set_server_key(read::<CompressedServerKey>(&keys.evaluation_key)?.decompress());
        Ok(Self {
            client: read(&keys.secret_key)?,
            public: read(&keys.public_key)?,
            crs: read(&keys.crs)?,
            encryption: NetworkPublicKey::from_checked(parts)?,
            secret: SecretKey::from_bytes(&keys.secret_key)?,
        })
    }

    fn encrypt(&self, task: Task) -> Result<Vec<u8>, Fault> {
        Ok(for_network(&task.values(), &self.encryption, &origin())?)
    }

    fn bare(&self, task: Task, blob: &[u8]) -> Result<Bare, Fault> {
        let began = Instant::now();
        let list: ProvenCompactCiphertextList = read(blob)?;
        let metadata = origin().metadata();
        let own = std::process::id();
        let inputs = list.verify_and_expand(&self.crs, &self.public, &metadata)?;
        match task {
            Task::Statistics => {
                let values: Vec<FheUint8> = all(&inputs)?;
                let (computing, before) = (Instant::now(), processor(own)?);
                let found = statistics(&values);
                let (compute, processor) = (computing.elapsed(), processor(own)? - before);
                found.write()?;
                let whole = began.elapsed();
                Ok(Bare { compute, processor, whole, clear: found.clear(&self.client, values.len()) })
            }
            Task::Maximum => {
                let values: Vec<FheUint16> = all(&inputs)?;
                let (computing, before) = (Instant::now(), processor(own)?);
                let (index, price) = maximum(&values);
                let (compute, processor) = (computing.elapsed(), processor(own)? - before);
                write(&index).and(write(&price))?;
                let whole = began.elapsed();
                let (index, price): (u8, u16) = (index.decrypt(&self.client), price.decrypt(&self.client));
                Ok(Bare { compute, processor, whole, clear: format!(r#"{{"index":{index},"price":{price}}}"#) })
            }
            Task::Membership => {
                let values: Vec<FheUint32> = all(&inputs)?;
                let (computing, before) = (Instant::now(), processor(own)?);
                let member = membership(&values[0]);
                let (compute, processor) = (computing.elapsed(), processor(own)? - before);
                write(&member)?;
                let whole = began.elapsed();
                Ok(Bare {
                    compute,
                    processor,
                    whole,
                    clear: format!(r#"{{"member":{}}}"#, member.decrypt(&self.client)),
                })
            }
        }
    }
}

struct Statistics {
    sum: FheUint16,
    mean: FheUint8,
    min: FheUint8,
    max: FheUint8,
    variance: FheUint16,
}

impl Statistics {
    fn write(&self) -> Result<(), Fault> {
        write(&self.sum)?;
        write(&self.variance)?;
        [&self.mean, &self.min, &self.max].into_iter().try_for_each(write)
    }

    fn clear(&self, key: &ClientKey, count: usize) -> String {
        let (sum, variance): (u16, u16) = (self.sum.decrypt(key), self.variance.decrypt(key));
        let [mean, min, max]: [u8; 3] = [&self.mean, &self.min, &self.max].map(|value| value.decrypt(key));
        format!(r#"{{"count":{count},"sum":{sum},"mean":{mean},"min":{min},"max":{max},"variance":{variance}}}"#)
    }
}

fn statistics(values: &[FheUint8]) -> Statistics {
    let count = values.len() as u32;
    let wide: Vec<FheUint16> = values.iter().map(|value| value.clone().cast_into()).collect();
    let sum: FheUint16 = wide.iter().sum();
    let mean = (&sum / count as u16).cast_into();
    let min = tree(values, |left, right| left.min(right));
    let max = tree(values, |left, right| left.max(right));
    let squares: Vec<FheUint32> = wide.iter().map(|value| (value * value).cast_into()).collect();
    let squares: FheUint32 = squares.iter().sum();
    let wide_sum: FheUint32 = sum.clone().cast_into();
    let variance = (squares * count - &wide_sum * &wide_sum) / (count * count);
    Statistics { sum, mean, min, max, variance: variance.cast_into() }
}

fn tree<T: Clone>(values: &[T], join: impl Fn(&T, &T) -> T + Copy) -> T {
    let mut level = values.to_vec();
    while level.len() > 1 {
        level = level.chunks(2).map(|pair| if let [a, b] = pair { join(a, b) } else { pair[0].clone() }).collect();
    }
    level.swap_remove(0)
}

/// The first of the highest values, of eight.
fn maximum(values: &[FheUint16]) -> (FheUint8, FheUint16) {
    let mut level: Vec<(FheUint16, Vec<FheBool>)> = values.iter().map(|value| (value.clone(), Vec::new())).collect();
    while level.len() > 1 {
        let join = |pair: &[(FheUint16, Vec<FheBool>)]| {
            let [(left, left_bits), (right, right_bits)] = pair else { unreachable!("a power of two of values") };
            let wins = right.gt(left);
            let price = wins.if_then_else(right, left);
            let mut bits: Vec<FheBool> =
                left_bits.iter().zip(right_bits).map(|(left, right)| wins.if_then_else(right, left)).collect();
            bits.push(wins);
            (price, bits)
        };
        level = level.chunks(2).map(join).collect();
    }
    let (price, bits) = level.swap_remove(0);
    let places = bits.into_iter().enumerate().map(|(place, bit)| {
        let bit: FheUint8 = bit.cast_into();
        if place == 0 { bit } else { bit << place as u8 }
    });
    let places: Vec<FheUint8> = places.collect();
    (places.iter().sum(), price)
}

fn membership(candidate: &FheUint32) -> FheBool {
    let mut set = SET;
    set.sort_unstable();
    let hits: Vec<FheUint8> = set.iter().map(|element| candidate.eq(*element).cast_into()).collect();
    let hits: FheUint8 = hits.iter().sum();
    hits.ne(0_u8)
}

fn all<T: tfhe::HlExpandable + Tagged>(inputs: &CompactCiphertextListExpander) -> Result<Vec<T>, Fault> {
    (0..inputs.len()).map(|index| Ok(inputs.get(index)?.ok_or("a value is missing")?)).collect()
}

fn read<T>(bytes: &[u8]) -> Result<T, Fault>
where
    T: serde::de::DeserializeOwned + tfhe::Unversionize + tfhe::named::Named,
{
    Ok(DeserializationConfig::new(LARGEST_OBJECT).disable_conformance().deserialize_from(bytes)?)
}

fn write<T>(object: &T) -> Result<(), Fault>
where
    T: serde::Serialize + tfhe::Versionize + tfhe::named::Named,
{
    Ok(SerializationConfig::new(LARGEST_OBJECT).serialize_into(object, &mut Vec::new())?)
}

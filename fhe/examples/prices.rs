//! The price table against what tfhe-rs does on this machine: bootstrappings (PBS) of each operation and algorithm, as
//! counted and as priced, and the processor time they take under real parameters, which does not depend on what else
//! the machine does. Ends with 1 if a price is below its count. Run it by `make bench-fhe-prices`; see bench/README.md.

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use fhe::child::compile;
use fhe::clear::ClearValue;
use fhe::dry_run::dry_run;
use fhe::encrypt::for_client;
use fhe::execution::Execution;
use fhe::inputs::{Seeds, read_client};
use fhe::keys::{ClientKeys, EvaluationKey, KeyId, KeyMode, SecretKey};
use jobs::fhe::price;
use jobs::fhe::program::{Binary, Operand, Operation, Output, OutputValue, Program, ValueId, ValueType};
use serde_json::{Value, json};

/// Longer programs are counted, not timed, unless the command line says otherwise.
const LONGEST_TIMED: u64 = 3_000;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let longest = std::env::args().nth(1).map_or(Ok(LONGEST_TIMED), |text| text.parse())?;
    let bench = Bench::new(longest)?;
    println!("| operation | type | PBS counted | PBS priced | core ms | a PBS |\n|---|---|---|---|---|---|");
    let mut sound = true;
    for kind in ValueType::NUMBERS {
        for (name, program) in operations(kind) {
            sound &= bench.row(&format!("{name} | {kind}"), &program)?;
        }
    }
    println!("\n| algorithm | inputs | PBS counted | PBS priced | core ms | a PBS |\n|---|---|---|---|---|---|");
    for (name, parameters, kind, count) in algorithms() {
        let url = format!("/v1/blobs/{}", "ab".repeat(32));
        let algorithm = name.split(',').next().unwrap_or(name);
        let payload = json!({ "algorithm": algorithm, "encrypted_data_url": url, "parameters": parameters });
        let program = compile(&payload.to_string(), &vec![kind; count])?.program;
        sound &= bench.row(&format!("`{algorithm}`{} | {count} × {kind}", &name[algorithm.len()..]), &program)?;
    }
    println!("{}", if sound { "no price is below its count" } else { "PRICES BELOW COUNTS" });
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// One operation each, on fresh ciphertexts.
fn operations(kind: ValueType) -> Vec<(String, Program)> {
    let binary = |operation, right| Operation::Binary { operation, left: ValueId(0), right };
    let mut all = Vec::new();
    for operation in Binary::ALL {
        let name = operation.as_str();
        all.push((name.to_owned(), vec![kind; 2], binary(operation, Operand::Value(ValueId(1)))));
        let clear = match operation {
            Binary::Shl | Binary::Shr => 3,
            _ => 100,
        };
        all.push((format!("{name} clear {clear}"), vec![kind], binary(operation, Operand::Clear(clear))));
    }
    let (then, otherwise) = (Operand::Value(ValueId(1)), Operand::Value(ValueId(2)));
    let select = Operation::Select { condition: ValueId(0), then, otherwise, result: kind };
    all.push(("select".to_owned(), vec![ValueType::Bool, kind, kind], select));
    for count in [3, 16, 64] {
        let values = (0..count).map(ValueId).collect();
        all.push((format!("sum of {count}"), vec![kind; count as usize], Operation::Sum { values }));
    }
    let program = |inputs: Vec<ValueType>, step| {
        let value = OutputValue::Encrypted(ValueId(inputs.len() as u32));
        Program { inputs, steps: vec![step], outputs: vec![Output { name: "x".to_owned(), value }] }
    };
    let programs = all.into_iter().map(|(name, inputs, step)| (name, program(inputs, step)));
    programs.filter(|(_, program)| program.check().is_ok()).collect()
}

/// The rows of docs/algorithms/COSTS.md.
fn algorithms() -> Vec<(&'static str, Value, ValueType, usize)> {
    use ValueType::{Bool, U8, U16, U32};
    let weights = |count: i32| json!({ "weights": (0..count).map(|n| n * 37 % 256 - 100).collect::<Vec<_>>() });
    let set = |count: u32| json!({ "set": (0..count).map(|n| n * 7_919).collect::<Vec<_>>() });
    let statistics = "encrypted_statistical_analysis";
    let some = |names: [&str; 2]| json!({ "statistics": names });
    vec![
        (statistics, json!({}), U8, 16),
        (statistics, json!({}), U16, 16),
        (statistics, json!({}), U32, 16),
        (statistics, json!({}), U8, 64),
        ("encrypted_statistical_analysis, sum and mean", some(["sum", "mean"]), U16, 256),
        ("encrypted_statistical_analysis, sum and mean", some(["sum", "mean"]), U32, 128),
        ("encrypted_statistical_analysis, min and max", some(["min", "max"]), U8, 128),
        ("encrypted_statistical_analysis, min and max", some(["min", "max"]), U32, 32),
        ("encrypted_linear_score, weights of 8 bits", weights(32), U8, 32),
        ("encrypted_linear_score, weights of 8 bits", weights(64), U16, 64),
        ("encrypted_linear_score, weights of 8 bits", weights(256), Bool, 256),
        ("encrypted_maximum", json!({}), U16, 8),
        ("encrypted_maximum", json!({}), U16, 64),
        ("encrypted_maximum", json!({}), U32, 32),
        ("encrypted_set_membership, clear set of 16", set(16), U32, 1),
        ("encrypted_set_membership, clear set of 512", set(512), U32, 1),
        ("encrypted_set_membership, encrypted set of 128", json!({ "encrypted_set": true }), U32, 129),
    ]
}

/// Keys of real parameters.
struct Bench {
    secret: SecretKey,
    evaluation: EvaluationKey,
    key_id: KeyId,
    /// The longest program that is timed, in PBS.
    longest: u64,
}

impl Bench {
    fn new(longest: u64) -> Result<Self, Box<dyn Error>> {
        let keys = ClientKeys::generate();
        Ok(Self {
            secret: SecretKey::from_bytes(&keys.secret_key)?,
            evaluation: EvaluationKey::from_bytes(&keys.evaluation_key, KeyMode::Client)?,
            key_id: keys.id(),
            longest,
        })
    }

    /// Prints a row; whether the price covers the count.
    fn row(&self, name: &str, program: &Program) -> Result<bool, Box<dyn Error>> {
        let counted: u64 = dry_run(program)?.iter().sum();
        let priced: u64 = price::step_pbs(program).iter().sum();
        let time = if counted <= self.longest {
            let ms = self.time(program)?.as_secs_f64() * 1_000.0;
            format!("{ms:.0} | {:.1}", ms / counted.max(1) as f64)
        } else {
            "– | –".to_owned()
        };
        println!("| {name} | {counted} | {priced} | {time} |");
        Ok(priced >= counted)
    }

    fn time(&self, program: &Program) -> Result<Duration, Box<dyn Error>> {
        // 3 fits every type but bool, and no divisor is zero.
        let value = |kind: &ValueType| ClearValue::new(*kind, if *kind == ValueType::Bool { 1 } else { 3 });
        let values = program.inputs.iter().map(value).collect::<Result<Vec<_>, _>>()?;
        let blob = for_client(&values, &self.secret)?;
        let seeds = Seeds { job_id: [0; 16], inputs_hash: [0; 32], program_hash: [0; 32], key_id: self.key_id };
        let inputs = read_client(&blob, &self.evaluation)?.into_inputs(&self.evaluation, &seeds)?;
        let mut execution = Execution::new(&self.evaluation, program.clone(), inputs)?;
        let before = processor()?;
        while !execution.is_complete() {
            execution.step()?;
        }
        Ok(processor()? - before)
    }
}

/// What this process has worked until now, by the kernel's ticks of 10 ms.
fn processor() -> Result<Duration, Box<dyn Error>> {
    let line = std::fs::read_to_string("/proc/self/stat")?;
    // The name, in parentheses, may hold anything; user and system time are the 12th and 13th word behind it.
    let (_, words) = line.rsplit_once(')').ok_or("no process")?;
    let ticks: Vec<u64> = words.split_whitespace().skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
    Ok(Duration::from_millis(10 * ticks.iter().sum::<u64>()))
}

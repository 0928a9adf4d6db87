//! The committed schemas and the page of costs are those of the code.

use std::fmt::Write;
use std::path::Path;

use serde_json::json;

use super::request;
use crate::fhe::program::{Binary, ValueType};
use crate::fhe::schema::payload_schema;
use crate::fhe::units::{PBS_A_SECOND, estimated_seconds, units};
use crate::fhe::{EncryptedRequest, FheAlgorithm, MAX_PROGRAM_PBS, price};

fn committed(name: &str, expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/algorithms").join(name);
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        std::fs::write(&path, expected).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(committed, expected, "{} is stale: run the tests with UPDATE_SCHEMAS=1", path.display());
}

#[test]
fn the_committed_schemas_are_those_of_the_code() {
    for algorithm in FheAlgorithm::ALL {
        committed(&format!("{algorithm}.schema.json"), &format!("{:#}\n", payload_schema(algorithm)));
    }
}

#[test]
fn the_committed_costs_are_those_of_the_code() {
    committed("COSTS.md", &costs());
}

fn costs() -> String {
    let mut page = String::from(
        "# What encrypted jobs cost\n\n\
         Work on ciphertexts is counted in programmable bootstrappings (PBS). **1 FHE unit is 100 PBS begun**; a worker \
         on two cores makes about {PBS_A_SECOND} PBS a second (19 to 24 ms of one core each, measured with \
         `make bench-fhe-prices` on x86_64 with AVX-512), from which the seconds below follow; the first one after a start \
         or a change of tenants may wait for a process that loads its keys. The number follows from the program and the types of its inputs \
         alone, never from a clock. Inputs under the network's key take 1 PBS for each two bits (bool 1, u8 4, u16 8, u32 16, \
         u64 32), which the figures below contain; inputs under a client's own key take none. Beside it a job costs 1 compute unit for each KiB of its payload and of its inputs. \
         A job that was cancelled or that failed by its own fault pays for whole units of what was done.\n\n\
         At admission the most that the request can cost is reserved; `parameters.value_type` and `parameters.count` make \
         that exact. This page is written by the code (`jobs/src/fhe/price/`), whose numbers are compared with what \
         tfhe-rs 1.8.2 does.\n\n## Algorithms\n\n| algorithm | inputs | PBS | FHE units | seconds |\n|---|---|---|---|---|\n",
    )
    .replace("{PBS_A_SECOND}", &PBS_A_SECOND.to_string());
    for (algorithm, parameters, what, kind, count) in examples() {
        let request = request(algorithm, parameters);
        let pbs = pbs(&request, kind, count);
        let (price, seconds) = (grouped(units(pbs)), estimated_seconds(pbs));
        writeln!(page, "| `{algorithm}`{what} | {count} × {kind} | {} | {price} | {seconds} |", grouped(pbs)).unwrap();
    }
    page.push_str(
        "\n## Operations of programs\n\nPBS of one operation on two encrypted numbers, and with a clear one. A program of \
         a client may take ",
    );
    writeln!(page, "{} PBS.\n", grouped(MAX_PROGRAM_PBS)).unwrap();
    page.push_str(
        "| operation | u8 | u16 | u32 | u64 | clear: u8 | u16 | u32 | u64 |\n|---|---|---|---|---|---|---|---|---|\n",
    );
    for operation in Binary::ALL {
        let cell = |pbs: Option<u64>| pbs.map_or("–".to_owned(), |pbs| pbs.to_string());
        let encrypted = price::encrypted(operation).map(cell).join(" | ");
        let clear = match price::clear(operation) {
            Some(prices) => prices.map(|pbs| pbs.to_string()).join(" | "),
            None => ["*", "*", "*", "*"].join(" | "),
        };
        writeln!(page, "| {} | {encrypted} | {clear} |", operation.as_str()).unwrap();
    }
    page.push_str(
        "| select | 12 | 24 | 48 | 96 | 4 | 8 | 16 | 32 |\n\n\
         `not` and `cast` cost nothing; an operation on bools 1, `select` of two bools 3.\n\n\
         \\* By the clear number. `shl`, `shr`, and `mul`, `div` by a power of two: nothing for an even number of bits, \
         else one for each block of two bits that remains. `and`, `or`, `xor`: one for each block up to the number's \
         highest bit. Others, for example:\n\n| | u8 | u16 | u32 | u64 |\n|---|---|---|---|---|\n",
    );
    for (operation, number) in [
        (Binary::Mul, 3),
        (Binary::Mul, 100),
        (Binary::Mul, 255),
        (Binary::Div, 3),
        (Binary::Div, 10),
        (Binary::Div, 100),
        (Binary::Rem, 10),
    ] {
        let cells = ValueType::NUMBERS.map(|kind| price::with_clear(operation, kind, number).to_string()).join(" | ");
        writeln!(page, "| {} {number} | {cells} |", operation.as_str()).unwrap();
    }
    page.push_str("\n`sum` is far cheaper than a chain of additions; a sum of values that were cast from a narrower type, \
                   cheaper still:\n\n| values | u8 | u16 | u32 | u64 | u32 from u8 | u32 from bool |\n|---|---|---|---|---|---|---|\n");
    for count in [3, 8, 16, 32, 64, 128, 256] {
        let cells = ValueType::NUMBERS.map(|kind| price::of_sum(count, kind, kind).to_string()).join(" | ");
        let from = [ValueType::U8, ValueType::Bool].map(|from| price::of_sum(count, from, ValueType::U32).to_string());
        writeln!(page, "| {count} | {cells} | {} |", from.join(" | ")).unwrap();
    }
    page
}

fn examples() -> Vec<(&'static str, serde_json::Value, &'static str, ValueType, usize)> {
    let statistics = "encrypted_statistical_analysis";
    let score = "encrypted_linear_score";
    let set = "encrypted_set_membership";
    let weights = |count: i64| -> Vec<i64> { (0..count).map(|index| index * 37 % 255 - 127).collect() };
    vec![
        (statistics, json!({}), "", ValueType::U8, 16),
        (statistics, json!({}), "", ValueType::U16, 16),
        (statistics, json!({}), "", ValueType::U32, 16),
        (statistics, json!({}), "", ValueType::U8, 64),
        (statistics, json!({"statistics": ["sum", "mean"]}), ", sum and mean", ValueType::U16, 256),
        (statistics, json!({"statistics": ["sum", "mean"]}), ", sum and mean", ValueType::U32, 128),
        (statistics, json!({"statistics": ["min", "max"]}), ", min and max", ValueType::U8, 128),
        (statistics, json!({"statistics": ["min", "max"]}), ", min and max", ValueType::U32, 32),
        (score, json!({"weights": weights(32), "threshold": 0}), ", weights of 8 bits", ValueType::U8, 32),
        (score, json!({"weights": weights(64), "threshold": 0}), ", weights of 8 bits", ValueType::U16, 64),
        (score, json!({"weights": weights(256), "threshold": 0}), ", weights of 8 bits", ValueType::Bool, 256),
        ("encrypted_maximum", json!({}), "", ValueType::U16, 8),
        ("encrypted_maximum", json!({}), "", ValueType::U16, 64),
        ("encrypted_maximum", json!({}), "", ValueType::U32, 32),
        (set, json!({"set": (0..16).collect::<Vec<_>>()}), ", clear set of 16", ValueType::U32, 1),
        (set, json!({"set": (0..512).collect::<Vec<_>>()}), ", clear set of 512", ValueType::U32, 1),
        (set, json!({"encrypted_set": true}), ", encrypted set of 128", ValueType::U32, 129),
    ]
}

fn pbs(request: &EncryptedRequest, kind: ValueType, count: usize) -> u64 {
    request.price(&request.compile(&vec![kind; count]).unwrap()).total()
}

/// 12345 as 12,345.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
}

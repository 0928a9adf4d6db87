//! Writes vectors for the differential test of the Merkle code, a line a group: hex of its ABI encoding. The verdicts in
//! them are those of `jobs::merkle`; `contracts/test/differential` holds the registry to them.
//!
//! `merkle-vectors CASES SEED` writes at least so many cases over batches of sizes from 1 to 1,025;
//! `merkle-vectors sizes SEED` one batch of each of these sizes; `merkle-vectors sample` the few that are committed.

mod groups;
mod random;
mod tree;

use std::error::Error;
use std::io::{BufWriter, Write, stdout};

use alloy::primitives::hex;
use alloy::sol_types::SolValue;

use groups::Group;
use random::Random;

const LARGEST: usize = 1_025;
/// Leaves of each batch that are tried with everything: a batch costs both sides far more than its cases.
const PICKS: usize = 16;
const SAMPLE_SIZES: [usize; 7] = [1, 2, 3, 5, 8, 9, 33];

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut output = BufWriter::new(stdout().lock());
    match arguments.as_slice() {
        ["sample"] => sample(&mut output)?,
        ["sizes", seed] => sizes(&mut output, seed.parse()?)?,
        [cases, seed] => vectors(&mut output, cases.parse()?, seed.parse()?)?,
        _ => return Err("usage: merkle-vectors CASES SEED | sizes SEED | sample".into()),
    }
    Ok(output.flush()?)
}

fn sample(output: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let mut random = Random::new(0);
    for size in SAMPLE_SIZES {
        write(output, &groups::honest(&mut random, size, 1)?)?;
        write(output, &groups::dishonest(&mut random, size)?)?;
        write(output, &groups::any_entries(&mut random))?;
    }
    Ok(())
}

fn sizes(output: &mut impl Write, seed: u64) -> Result<(), Box<dyn Error>> {
    let mut random = Random::new(seed);
    for size in 1..=LARGEST {
        write(output, &groups::honest(&mut random, size, 1)?)?;
    }
    // The other side wants to see a batch that it refuses, too.
    loop {
        let group = groups::any_entries(&mut random);
        write(output, &group)?;
        if !group.canonical {
            return Ok(());
        }
    }
}

fn vectors(output: &mut impl Write, cases: usize, seed: u64) -> Result<(), Box<dyn Error>> {
    let mut random = Random::new(seed);
    let mut written = 0;
    // A seed begins elsewhere, so that rounds of few cases reach all sizes together.
    let mut size = random.below(LARGEST);
    while written < cases {
        size = size % LARGEST + 1;
        let groups = [
            groups::honest(&mut random, size, PICKS)?,
            groups::dishonest(&mut random, size)?,
            groups::any_entries(&mut random),
        ];
        for group in &groups {
            written += group.cases();
            write(output, group)?;
        }
    }
    Ok(())
}

fn write(output: &mut impl Write, group: &Group) -> std::io::Result<()> {
    writeln!(output, "{}", hex::encode_prefixed(group.abi_encode()))
}

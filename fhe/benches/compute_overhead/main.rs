//! The FHE jobs' compute time against the same operations written by hand with bare tfhe-rs: one key, the same inputs,
//! alternating, medians. Run it by `make bench-fhe`; see bench/README.md.

mod bare;
mod by_hand;
mod measured;
mod platform;
mod task;

use std::error::Error;
use std::process::ExitCode;

use bare::Stage;
use fhe::decrypt::decrypt;
use fhe::keys::NetworkKeys;
use measured::{Measured, seconds};
use platform::{CHECKPOINT_PBS, Platform};
use task::Task;

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

//! What both sides took, and how it is told.

use std::time::Duration;

use crate::Fault;
use crate::task::Task;

/// What the platform may take, times what bare tfhe-rs takes.
const LIMIT: f64 = 1.05;

/// One computation.
pub(crate) struct Ours {
    /// From the inputs ready to the result received.
    pub(crate) compute: Duration,
    /// What the child's threads worked meanwhile.
    pub(crate) processor: Duration,
    /// From the request sent.
    pub(crate) whole: Duration,
    pub(crate) result: Vec<u8>,
}

pub(crate) struct Bare {
    pub(crate) compute: Duration,
    pub(crate) processor: Duration,
    pub(crate) whole: Duration,
    /// The result as the platform's JSON.
    pub(crate) clear: String,
}

#[derive(Default)]
pub(crate) struct Measured {
    ours: Vec<Duration>,
    bare: Vec<Duration>,
    ours_processor: Vec<Duration>,
    bare_processor: Vec<Duration>,
    ours_whole: Vec<Duration>,
    bare_whole: Vec<Duration>,
}

impl Measured {
    pub(crate) fn add(&mut self, ours: &Ours, bare: &Bare) {
        self.ours.push(ours.compute);
        self.bare.push(bare.compute);
        self.ours_processor.push(ours.processor);
        self.bare_processor.push(bare.processor);
        self.ours_whole.push(ours.whole);
        self.bare_whole.push(bare.whole);
    }

    /// Prints both sides; whether they are within the limit.
    pub(crate) fn tell(mut self, task: Task) -> bool {
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

pub(crate) fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}

/// What a process has worked until now, by the kernel's ticks of 10 ms.
pub(crate) fn processor(pid: u32) -> Result<Duration, Fault> {
    let line = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name, in parentheses, may hold anything; user and system time are the 12th and 13th word behind it.
    let (_, words) = line.rsplit_once(')').ok_or("no process")?;
    let ticks: Vec<u64> = words.split_whitespace().skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
    Ok(Duration::from_millis(10 * ticks.iter().sum::<u64>()))
}

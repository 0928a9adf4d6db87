//! A child process for tests: it speaks the protocol and computes nothing. The payload of a run says how it behaves.

use std::io::{Write, stdin, stdout};
use std::time::Duration;

use fhe::child::frames::{read, write};
use fhe::child::protocol::{Blob, Checkpoint, Done, Event, Prepared, Refusal, Request, Run};
use sha2::{Digest, Sha256};

fn main() {
    let (mut requests, mut events) = (stdin().lock(), stdout().lock());
    while let Ok(Some(request)) = read::<Request>(&mut requests) {
        let event = match request {
            Request::LoadKey(key) if key.evaluation_key.0 == b"deadly" => std::process::abort(),
            Request::LoadKey(key) if key.evaluation_key.0 == b"deaf" => sleep(),
            Request::CheckKey { evaluation_key } if evaluation_key.0 == b"deaf" => sleep(),
            Request::LoadKey(_) => Event::KeyLoaded,
            Request::CheckKey { evaluation_key } if evaluation_key.0 == b"deadly" => std::process::abort(),
            Request::CheckKey { evaluation_key } => {
                Event::KeyChecked { key_id: Sha256::digest(&evaluation_key.0).into() }
            }
            Request::Run(run) => behave(&run, &mut requests, &mut events),
            // One that comes when nothing runs has no answer.
            Request::Stop => continue,
        };
        write(&mut events, &event).expect("the worker listens");
    }
}

fn behave(run: &Run, requests: &mut impl std::io::Read, events: &mut impl Write) -> Event {
    match run.payload.as_str() {
        "refuse" => {
            return Event::Refused { reason: Refusal::CiphertextInvalid, detail: "not a ciphertext".to_owned() };
        }
        "babble" => return Event::Failed { detail: "ä".repeat(5_000) },
        "die reading" => std::process::abort(),
        "surroundings" => return Event::Failed { detail: surroundings() },
        "garbage" => {
            events.write_all(&[0, 0, 0, 5, 1, 2, 3, 4, 5]).expect("the worker listens");
            events.flush().expect("the worker listens");
            std::thread::sleep(Duration::from_secs(60));
        }
        "result first" => return done(run),
        _ => {}
    }
    let mut tell = |event: &Event| write(&mut *events, event).expect("the worker listens");
    tell(&Event::Prepared(prepared()));
    match run.payload.as_str() {
        "die computing" => std::process::abort(),
        "wait" => {
            let heard = read::<Request>(requests).expect("the worker speaks");
            assert!(matches!(heard, Some(Request::Stop)));
            return Event::Stopped;
        }
        "deaf" => std::thread::sleep(Duration::from_secs(60)),
        "fail" => return Event::Failed { detail: "no noise left".to_owned() },
        _ => {}
    }
    let resumed = run.checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.step);
    for step in resumed + 1..=4 {
        tell(&Event::Progress { step, pbs: u64::from(step) * 10 });
        if step < 4 {
            let values = Blob(vec![step as u8; 100]);
            tell(&Event::Checkpoint(Checkpoint { program_hash: [2; 32], inputs_hash: [1; 32], step, values }));
        }
    }
    done(run)
}

fn sleep() -> Event {
    std::thread::sleep(Duration::from_secs(60));
    Event::Stopped
}

fn prepared() -> Prepared {
    let profile = fhe::profile::pin().clone();
    Prepared { input_types: Vec::new(), inputs_hash: [1; 32], program_hash: [2; 32], profile, steps: 4, pbs: 40 }
}

fn done(run: &Run) -> Event {
    let result = run.inputs.0.clone();
    Event::Done(Done { result_hash: Sha256::digest(&result).into(), result: Blob(result) })
}

/// What this process was given beside its pipes.
fn surroundings() -> String {
    let variables: Vec<String> = std::env::vars().map(|(name, _)| name).collect();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    format!("{variables:?} {arguments:?}")
}

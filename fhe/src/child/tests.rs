//! A conversation with the child over pipes, with real keys and a compiler of its own.

use std::io::{PipeReader, PipeWriter, Read as _, pipe};
use std::thread::{self, JoinHandle};

use jobs::fhe::program::{Binary, Operand, Operation, OutputValue, ValueId, ValueType};

use super::protocol::{Blob, Checkpoint, Done, KeyMode, LoadKey, Refusal, Run};
use super::*;
use crate::clear::ClearValue;
use crate::decrypt::decrypt;
use crate::encrypt;
use crate::testing;

/// Bytes that a pipe holds.
const PIPE: usize = 64 * 1024;

/// One child on a thread.
struct Child {
    to: PipeWriter,
    from: PipeReader,
    thread: JoinHandle<Result<(), FrameError>>,
}

impl Child {
    fn start() -> Self {
        let (child_reads, to) = pipe().expect("a pipe");
        let (from, child_writes) = pipe().expect("a pipe");
        let thread = thread::spawn(move || serve_with(child_reads, child_writes, &products));
        Self { to, from, thread }
    }

    fn with_client_key() -> Self {
        let mut child = Self::start();
        let keys = &testing::client().bytes;
        child.ask(&Request::LoadKey(load(KeyMode::Client, keys.id().0, &keys.evaluation_key)));
        assert!(matches!(child.hear(), Event::KeyLoaded));
        child
    }

    fn ask(&mut self, request: &Request) {
        frames::write(&mut self.to, request).expect("the child reads");
    }

    fn hear(&mut self) -> Event {
        frames::read(&mut self.from).expect("the child writes").expect("the child lives")
    }

    /// Everything up to the last event of a run.
    fn hear_run(&mut self) -> (Vec<Event>, Event) {
        let mut events = Vec::new();
        loop {
            match self.hear() {
                event @ (Event::Prepared(_) | Event::Progress { .. } | Event::Checkpoint(_)) => events.push(event),
                last => return (events, last),
            }
        }
    }

    fn end(self) {
        drop(self.to);
        self.thread.join().expect("no panic").expect("no broken frame");
    }
}

fn load(mode: KeyMode, key_id: [u8; 32], evaluation_key: &[u8]) -> LoadKey {
    LoadKey { mode, key_id, evaluation_key: Blob(evaluation_key.to_vec()), public_key: None, crs: None }
}

/// A chain of `payload` products of the first input, of one type alone.
fn products(payload: &str, inputs: &[ValueType]) -> Result<Compiled, CompileError> {
    let count: u32 = payload.parse().map_err(|_| CompileError::Payload("not a number".to_owned()))?;
    if inputs != [ValueType::U8] {
        return Err(CompileError::Inputs("one u8".to_owned()));
    }
    let product =
        |id| Operation::Binary { operation: Binary::Mul, left: ValueId(id), right: Operand::Value(ValueId(0)) };
    let outputs = [("product", OutputValue::Encrypted(ValueId(count)))];
    let program = testing::program(inputs.to_vec(), (0..count).map(product).collect(), &outputs);
    Ok(Compiled { program, input_pbs: 0, step_pbs: vec![28; count as usize] })
}

fn run(payload: &str, inputs: Vec<u8>) -> Run {
    let keys = &testing::client().bytes;
    Run {
        job_id: [1; 16],
        tenant: testing::origin().tenant,
        submitter: testing::origin().submitter,
        mode: KeyMode::Client,
        key_id: keys.id().0,
        payload: payload.to_owned(),
        inputs: Blob(inputs),
        checkpoint: None,
        checkpoint_pbs: 50,
        fhe_unit_ceiling: None,
    }
}

fn inputs(values: &[ClearValue]) -> Vec<u8> {
    encrypt::for_client(values, &testing::client().secret).expect("encryption")
}

fn done(last: Event) -> Done {
    match last {
        Event::Done(done) => done,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_run_tells_its_progress_and_a_checkpoint_saves_what_was_done() {
    let mut child = Child::with_client_key();
    let blob = inputs(&[ClearValue::U8(3)]);
    child.ask(&Request::Run(Box::new(run("4", blob.clone()))));
    let (events, last) = child.hear_run();
    let whole = done(last);
    let clear = decrypt(&whole.result.0, &testing::client().secret).expect("our own result");
    assert_eq!(clear.to_json(), r#"{"product":243}"#);
    let Some(Event::Prepared(prepared)) = events.first() else { panic!("{events:?}") };
    assert_eq!((prepared.steps, prepared.pbs), (4, 112));
    assert_eq!(prepared.input_types, [ValueType::U8]);
    assert!(events.iter().any(|event| matches!(event, Event::Progress { step: 4, pbs: 112 })));
    let checkpoints: Vec<&Checkpoint> =
        events.iter().filter_map(|event| if let Event::Checkpoint(it) = event { Some(it) } else { None }).collect();
    assert_eq!(checkpoints.iter().map(|it| it.step).collect::<Vec<_>>(), [2]);

    let resumed = Run { checkpoint: Some(checkpoints[0].clone()), ..run("4", blob) };
    child.ask(&Request::Run(Box::new(resumed)));
    let (events, last) = child.hear_run();
    assert!(matches!(events[1], Event::Progress { step: 2, pbs: 56 }));
    assert_eq!(done(last).result_hash, whole.result_hash);
    child.end();
}

#[test]
fn a_stop_ends_what_runs_and_not_what_comes_after() {
    let mut child = Child::with_client_key();
    let blob = inputs(&[ClearValue::U8(3)]);
    child.ask(&Request::Run(Box::new(run("1000", blob.clone()))));
    assert!(matches!(child.hear(), Event::Prepared(_)));
    child.ask(&Request::Stop);
    let (events, last) = child.hear_run();
    assert!(matches!(last, Event::Stopped), "{last:?}");
    assert!(events.len() < 100);
    child.ask(&Request::Run(Box::new(run("1", blob))));
    let result = done(child.hear_run().1).result.0;
    let clear = decrypt(&result, &testing::client().secret).expect("our own result");
    assert_eq!(clear.to_json(), r#"{"product":9}"#);
    child.end();
}

/// A checkpoint of one value is longer than what a pipe holds, so the child stands still until all of it is read: it has
/// done one operation when the stop is on its way, and sees it after the next one at the latest.
#[test]
fn a_stop_is_obeyed_within_one_operation() {
    let mut child = Child::with_client_key();
    let run = Run { checkpoint_pbs: 1, ..run("1000", inputs(&[ClearValue::U8(3)])) };
    child.ask(&Request::Run(Box::new(run)));
    let mut steps = Vec::new();
    loop {
        let mut length = [0; 4];
        child.from.read_exact(&mut length).expect("the child writes");
        let mut body = vec![0; u32::from_be_bytes(length) as usize];
        if body.len() > PIPE && steps.is_empty() {
            child.ask(&Request::Stop);
        }
        child.from.read_exact(&mut body).expect("the child writes");
        match ciborium::from_reader(body.as_slice()).expect("an event") {
            Event::Prepared(_) | Event::Progress { .. } => assert!(body.len() < PIPE),
            Event::Checkpoint(checkpoint) => {
                assert!(body.len() > PIPE, "the child did not wait");
                steps.push(checkpoint.step);
            }
            Event::Stopped => break,
            other => panic!("{other:?}"),
        }
    }
    assert!(steps == [1] || steps == [1, 2], "operations done: {steps:?}");
    child.end();
}

#[test]
fn nothing_is_computed_of_what_costs_more_than_it_may() {
    let mut child = Child::with_client_key();
    let blob = inputs(&[ClearValue::U8(3)]);
    // 112 bootstrappings.
    let under = |units| Run { fhe_unit_ceiling: Some(units), ..run("4", blob.clone()) };
    child.ask(&Request::Run(Box::new(under(1))));
    let (events, last) = child.hear_run();
    assert!(events.is_empty(), "nothing was made ready: {events:?}");
    let Event::Refused { reason: Refusal::TooDear, detail } = last else { panic!("{last:?}") };
    assert_eq!(detail, "The job costs 2 FHE units; its ceiling allows 1.");
    child.ask(&Request::Run(Box::new(under(2))));
    assert!(matches!(child.hear_run().1, Event::Done(_)), "as much as it may");
    child.end();
}

#[test]
fn every_refusal_leaves_the_child_working() {
    let mut child = Child::with_client_key();
    let good = inputs(&[ClearValue::U8(3)]);
    let mut refused = |run: Run| {
        child.ask(&Request::Run(Box::new(run)));
        match child.hear_run().1 {
            Event::Refused { reason, .. } => Some(reason),
            Event::Failed { .. } => None,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refused(run("1", vec![1, 2, 3])), Some(Refusal::CiphertextInvalid));
    assert_eq!(refused(run("1", inputs(&[ClearValue::U16(3)]))), Some(Refusal::InputsUnfit));
    assert_eq!(refused(run("what", good.clone())), None);
    assert_eq!(refused(Run { key_id: [0; 32], ..run("1", good.clone()) }), None);
    assert_eq!(refused(Run { mode: KeyMode::Network, ..run("1", good.clone()) }), None);
    child.ask(&Request::Run(Box::new(run("1", good))));
    assert!(matches!(child.hear_run().1, Event::Done(_)));
    child.end();
}

#[test]
fn keys_are_checked_and_loaded_under_their_own_id_alone() {
    let mut child = Child::start();
    let keys = &testing::client().bytes;
    child.ask(&Request::CheckKey { evaluation_key: Blob(keys.evaluation_key.clone()) });
    assert!(matches!(child.hear(), Event::KeyChecked { key_id } if key_id == keys.id().0));
    child.ask(&Request::CheckKey { evaluation_key: Blob(vec![7; 1000]) });
    assert!(matches!(child.hear(), Event::Refused { reason: Refusal::CiphertextInvalid, .. }));
    let network = &testing::network().bytes;
    child.ask(&Request::CheckKey { evaluation_key: Blob(network.evaluation_key.clone()) });
    assert!(matches!(child.hear(), Event::Refused { reason: Refusal::KeyMismatch, .. }));
    child.ask(&Request::LoadKey(load(KeyMode::Client, [0; 32], &keys.evaluation_key)));
    assert!(matches!(child.hear(), Event::Failed { .. }));
    child.ask(&Request::LoadKey(load(KeyMode::Network, network.id().0, &network.evaluation_key)));
    assert!(matches!(child.hear(), Event::Failed { .. }), "the public parts are missing");
    child.end();
}

#[test]
fn a_network_job_runs_and_another_tenants_does_not() {
    let network = testing::network();
    let mut child = Child::start();
    let load = LoadKey {
        public_key: Some(Blob(network.bytes.public_key.clone())),
        crs: Some(Blob(network.bytes.crs.clone())),
        ..load(KeyMode::Network, network.bytes.id().0, &network.bytes.evaluation_key)
    };
    child.ask(&Request::LoadKey(load));
    assert!(matches!(child.hear(), Event::KeyLoaded));
    let blob = encrypt::for_network(&[ClearValue::U8(5)], &network.public, &testing::origin()).expect("encryption");
    let run = |tenant: &str| Run {
        mode: KeyMode::Network,
        key_id: network.bytes.id().0,
        tenant: tenant.to_owned(),
        ..run("1", blob.clone())
    };
    child.ask(&Request::Run(Box::new(run("mallory"))));
    assert!(matches!(child.hear_run().1, Event::Refused { reason: Refusal::CiphertextInvalid, .. }));
    child.ask(&Request::Run(Box::new(run("acme"))));
    let result = done(child.hear_run().1).result.0;
    assert_eq!(decrypt(&result, &network.secret).expect("ours").to_json(), r#"{"product":25}"#);
    child.end();
}

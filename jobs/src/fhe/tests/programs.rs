//! Clients' programs: what the type checker accepts, and where it complains.

use serde_json::{Value, json};

use super::{payload, pointers, refused, request};
use crate::fhe::program::ValueType::{Bool, U8, U16};
use crate::fhe::program::{Operation, Output, OutputValue, Program, ValueId};
use crate::fhe::{EncryptedRequest, MAX_LIVE_BYTES};
use crate::field_error::FieldError;

/// A program on one input of each type, with these steps and the last one as its output.
fn program(steps: Value) -> Value {
    let inputs: Vec<_> =
        ["bool", "u8", "u16", "u32", "u64"].map(|kind| json!({"name": format!("a_{kind}"), "type": kind})).into();
    let output = steps.as_array().and_then(|steps| steps.last()).map_or(json!("a_u8"), |step| step["name"].clone());
    json!({"inputs": inputs, "steps": steps, "outputs": [output]})
}

fn step(op: &str, args: Value) -> Value {
    json!({"name": "x", "op": op, "args": args})
}

fn complaint(step: &Value) -> FieldError {
    let errors = refused(&payload("program", json!({"program": program(json!([step]))})));
    assert_eq!(errors.len(), 1, "{step}: {errors:?}");
    errors[0].clone()
}

#[test]
fn operations_on_fitting_operands_are_accepted() {
    for number in ["a_u8", "a_u16", "a_u32", "a_u64"] {
        for op in ["add", "sub", "min", "max", "and", "or", "xor", "eq", "ne", "lt", "le", "gt", "ge"] {
            for args in [json!([number, number]), json!([number, 255])] {
                request("program", json!({"program": program(json!([step(op, args)]))}));
            }
        }
        for (op, clear) in [("mul", 255), ("div", 255), ("rem", 255), ("shl", 7), ("shr", 0)] {
            request("program", json!({"program": program(json!([step(op, json!([number, clear]))]))}));
        }
        for args in [json!(["a_bool", number, number]), json!(["a_bool", 1, number]), json!(["a_bool", number, 0])] {
            request("program", json!({"program": program(json!([step("select", args)]))}));
        }
        let steps = json!([step("not", json!([number]))]);
        request("program", json!({"program": program(steps)}));
        let steps = json!([step("sum", json!([number, number, number]))]);
        request("program", json!({"program": program(steps)}));
    }
    for op in ["and", "or", "xor", "eq", "ne"] {
        for args in [json!(["a_bool", "a_bool"]), json!(["a_bool", 1]), json!([0, "a_bool"])] {
            request("program", json!({"program": program(json!([step(op, args)]))}));
        }
    }
    for (op, args) in [
        ("mul", json!(["a_u32", "a_u32"])),
        ("div", json!(["a_u16", "a_u16"])),
        ("rem", json!(["a_u8", "a_u8"])),
        ("add", json!(["18446744073709551615", "a_u64"])),
        ("select", json!(["a_bool", "a_bool", 1])),
        ("not", json!(["a_bool"])),
    ] {
        request("program", json!({"program": program(json!([step(op, args)]))}));
    }
    for to in ["u8", "u16", "u32", "u64"] {
        let cast = json!({"name": "x", "op": "cast", "args": ["a_bool"], "to": to});
        request("program", json!({"program": program(json!([cast]))}));
    }
}

#[test]
fn everything_else_is_refused_where_it_stands() {
    for (op, args, at) in [
        ("add", json!(["a_u8", "a_u16"]), "/args/1"),
        ("add", json!(["a_bool", "a_bool"]), "/args/0"),
        ("add", json!(["a_u8", 256]), "/args/1"),
        ("add", json!([256, "a_u8"]), "/args/0"),
        ("add", json!([1, 2]), "/args/0"),
        ("add", json!(["a_u8"]), "/args"),
        ("add", json!([]), "/args"),
        ("add", json!("a_u8"), "/args"),
        ("add", json!(["a_u8", -1]), "/args/1"),
        ("add", json!(["a_u8", 1.5]), "/args/1"),
        ("add", json!(["a_u8", true]), "/args/1"),
        ("add", json!(["a_u8", "unknown"]), "/args/1"),
        ("add", json!(["x", "a_u8"]), "/args/0"),
        ("add", json!(["a_u64", "18446744073709551616"]), "/args/1"),
        ("sub", json!([5, "a_u8"]), "/args/0"),
        ("mul", json!(["a_u64", "a_u64"]), "/args/1"),
        ("div", json!(["a_u8", 0]), "/args/1"),
        ("rem", json!(["a_u64", 0]), "/args/1"),
        ("div", json!(["a_u32", "a_u32"]), "/args/1"),
        ("rem", json!(["a_u64", "a_u64"]), "/args/1"),
        ("div", json!([1, "a_u8"]), "/args/0"),
        ("shl", json!(["a_u8", 8]), "/args/1"),
        ("shr", json!(["a_u8", "a_u8"]), "/args/1"),
        ("shl", json!(["a_bool", 0]), "/args/0"),
        ("lt", json!(["a_bool", "a_bool"]), "/args/0"),
        ("gt", json!([300, "a_u8"]), "/args/0"),
        ("and", json!(["a_bool", 2]), "/args/1"),
        ("eq", json!(["a_bool", "a_u8"]), "/args/1"),
        ("select", json!(["a_u8", "a_u8", "a_u8"]), "/args/0"),
        ("select", json!(["a_bool", 1, 2]), "/args/1"),
        ("select", json!(["a_bool", "a_u8", "a_u16"]), "/args/2"),
        ("select", json!(["a_bool", 256, "a_u8"]), "/args/1"),
        ("select", json!([1, "a_u8", "a_u8"]), "/args/0"),
        ("sum", json!(["a_bool", "a_bool"]), "/args/0"),
        ("sum", json!(["a_u8", 1]), "/args/1"),
        ("sum", json!(["a_u8", "a_u8", "a_u16"]), "/args/2"),
        ("not", json!([1]), "/args/0"),
        ("pow", json!(["a_u8", 2]), "/op"),
    ] {
        let step = step(op, args);
        assert_eq!(complaint(&step).pointer, format!("/parameters/program/steps/0{at}"), "{step}");
    }
    let cast = |to: Value| json!({"name": "x", "op": "cast", "args": ["a_u8"], "to": to});
    for (step, at) in [
        (cast(json!("bool")), "/to"),
        (cast(json!("u128")), "/to"),
        (cast(json!(null)), "/to"),
        (json!({"name": "x", "op": "not", "args": ["a_u8"], "to": "u8"}), "/to"),
        (json!({"op": "not", "args": ["a_u8"]}), "/name"),
        (json!({"name": "a_u8", "op": "not", "args": ["a_u8"]}), "/name"),
        (json!([]), ""),
    ] {
        let errors = refused(&payload("program", json!({"program": program(json!([step]))})));
        assert_eq!(errors[0].pointer, format!("/parameters/program/steps/0{at}"), "{step}");
    }
}

#[test]
fn one_mistake_is_one_complaint() {
    let steps = json!([
        {"name": "wrong", "op": "add", "args": ["a_u8", "a_u16"]},
        {"name": "after", "op": "add", "args": ["wrong", 1]},
        {"name": "last", "op": "not", "args": ["after"]}
    ]);
    let errors = refused(&payload("program", json!({"program": program(steps)})));
    assert_eq!(pointers(errors), ["/parameters/program/steps/0/args/1"]);
}

#[test]
fn names_inputs_and_outputs_are_checked() {
    let good = json!({"inputs": [{"name": "a", "type": "u8"}], "outputs": ["a"]});
    request("program", json!({"program": good}));
    for name in ["", "A", "1a", "_a", "a-b", "ä", "a b", &"a".repeat(33)] {
        let program = json!({"inputs": [{"name": name, "type": "u8"}], "outputs": [name]});
        let errors = refused(&payload("program", json!({"program": program})));
        assert_eq!(errors[0].pointer, "/parameters/program/inputs/0/name", "{name}");
    }
    for (field, value, at) in [
        ("inputs", json!([]), "/inputs"),
        ("inputs", json!([{"name": "a", "type": "u8"}, {"name": "a", "type": "u8"}]), "/inputs/1/name"),
        ("inputs", json!([{"name": "a", "type": "u7"}]), "/inputs/0/type"),
        ("inputs", json!([{"name": "a", "type": "u8", "x": 1}]), "/inputs/0/x"),
        ("outputs", json!([]), "/outputs"),
        ("outputs", json!(["a", "a"]), "/outputs/1"),
        ("outputs", json!(["b"]), "/outputs/0"),
        ("outputs", json!([1]), "/outputs/0"),
        ("outputs", json!(vec!["a"; 17]), "/outputs"),
        ("steps", json!({}), "/steps"),
        ("steps", json!(vec![step("not", json!(["a"])); 1_001]), "/steps"),
        ("loops", json!([]), "/loops"),
    ] {
        let mut program = good.clone();
        program[field] = value;
        let errors = refused(&payload("program", json!({"program": program})));
        assert_eq!(errors[0].pointer, format!("/parameters/program{at}"), "{program}");
    }
    assert_eq!(pointers(refused(&payload("program", json!({})))), ["/parameters/program"]);
    for wrong in [json!([]), json!("x"), json!(1)] {
        assert_eq!(pointers(refused(&payload("program", json!({"program": wrong})))), ["/parameters/program"]);
    }
}

#[test]
fn a_program_computes_what_it_says() {
    let steps = json!([
        {"name": "wide", "op": "cast", "args": ["a_u8"], "to": "u16"},
        {"name": "product", "op": "mul", "args": [300, "wide"]},
        {"name": "more", "op": "gt", "args": [1000, "product"]},
        {"name": "chosen", "op": "select", "args": ["more", "product", "a_u16"]}
    ]);
    let compiled = request("program", json!({"program": program(steps)}))
        .compile(&[Bool, U8, U16, crate::fhe::program::ValueType::U32, crate::fhe::program::ValueType::U64])
        .unwrap();
    let chosen = |small: u64| compiled.evaluate_clear(&[0, small, 7, 0, 0]).unwrap()[0].1;
    assert_eq!([chosen(3), chosen(4), chosen(219)], [900, 7, (300 * 219) % 65_536]);
}

#[test]
fn the_inputs_are_those_that_are_declared() {
    let request = request("program", json!({"program": {"inputs": [{"name": "a", "type": "u8"}], "outputs": ["a"]}}));
    assert!(request.compile(&[U8]).is_ok());
    assert_eq!(pointers(request.compile(&[U16]).unwrap_err()), ["/parameters/program/inputs/0/type"]);
    assert_eq!(pointers(request.compile(&[U8, U8]).unwrap_err()), ["/parameters/program/inputs"]);
}

#[test]
fn a_program_that_takes_too_long_is_refused() {
    let steps: Vec<_> =
        (0..1_000).map(|index| json!({"name": format!("s{index}"), "op": "div", "args": ["a_u64", 10]})).collect();
    let errors = refused(&payload("program", json!({"program": program(json!(steps))})));
    assert_eq!(errors[0].pointer, "/parameters/program");
    assert!(errors[0].reason.contains("bootstrappings"));
}

/// What is kept must fit into a checkpoint, and into a worker.
#[test]
fn a_program_that_keeps_too_much_at_once_is_refused() {
    let wide = |count: usize| {
        let names: Vec<_> = (0..count).map(|index| format!("s{index}")).collect();
        let mut steps: Vec<_> =
            names.iter().map(|name| json!({"name": name, "op": "not", "args": ["a_u64"]})).collect();
        steps.push(json!({"name": "sum", "op": "sum", "args": names}));
        payload("program", json!({"program": program(json!(steps))}))
    };
    let bytes = 32 * 17 * 1024;
    let most = usize::try_from(MAX_LIVE_BYTES / bytes).unwrap();
    assert!(EncryptedRequest::parse_payload(&wide(most)).is_ok());
    let errors = refused(&wide(most + 1));
    assert_eq!(errors[0].pointer, "/parameters/program/steps");
    assert!(errors[0].reason.contains(&(bytes * (most as u64 + 1)).to_string()), "{errors:?}");
    // As many, each forgotten before the next one but one.
    let chain: Vec<_> = (0..most + 100)
        .map(|index| {
            let before = if index == 0 { "a_u64".to_owned() } else { format!("s{}", index - 1) };
            json!({"name": format!("s{index}"), "op": "not", "args": [before]})
        })
        .collect();
    request("program", json!({"program": program(json!(chain))}));
}

#[test]
fn the_checker_does_not_trust_its_own_kind() {
    let output = |value| Output { name: "x".to_owned(), value };
    let good = Program {
        inputs: vec![Bool],
        steps: vec![Operation::Not { value: ValueId(0) }],
        outputs: vec![output(OutputValue::Encrypted(ValueId(1)))],
    };
    assert_eq!(good.check(), Ok(vec![Bool, Bool]));
    let mut later = good.clone();
    later.steps = vec![Operation::Not { value: ValueId(1) }];
    assert_eq!(pointers(later.check().unwrap_err()), ["/steps/0/args/0"]);
    for value in [OutputValue::Encrypted(ValueId(2)), OutputValue::Signed(ValueId(1))] {
        let mut wrong = good.clone();
        wrong.outputs = vec![output(value)];
        assert_eq!(pointers(wrong.check().unwrap_err()), ["/outputs/0"]);
    }
    let mut twice = good.clone();
    twice.outputs.push(twice.outputs[0].clone());
    assert_eq!(pointers(twice.check().unwrap_err()), ["/outputs/1/name"]);
    assert!(Program::default().check().is_err());
    let json = serde_json::to_value(&good).unwrap();
    assert_eq!(serde_json::from_value::<Program>(json).unwrap(), good);
}

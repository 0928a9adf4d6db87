//! A client's own program as it stands in JSON: `{inputs: [{name, type}], steps: [{name, op, args}], outputs: [names]}`.

use std::collections::HashMap;

use super::KeyMode;
use super::check::{MAX_INPUTS, MAX_OUTPUTS, MAX_STEPS, NAME_RULE, Part, is_name, result_type};
use super::price::Price;
use super::program::{Binary, Operand, Operation, Output, OutputValue, Program, ValueId, ValueType};
use super::sum;
use crate::field_error::{FieldErrors, element};
use crate::object::{At, Object, unsigned_integer};

/// Most bootstrappings of a client's program: about a quarter of an hour on two cores.
pub const MAX_PROGRAM_PBS: u64 = 100_000;

/// Reads and compiles a program.
pub(super) fn compile(at: &At<'_>, errors: &mut FieldErrors) -> Option<Program> {
    let mut fields = Object::open(at, errors)?;
    let inputs = fields.required("inputs");
    let steps = fields.optional("steps");
    let outputs = fields.required("outputs");
    fields.close(errors);

    let mut compiler = Compiler::default();
    for input in inputs?.elements(MAX_INPUTS, errors)? {
        compiler.input(&input, errors);
    }
    if let Some(steps) = steps.filter(|at| at.value.as_array().is_none_or(|steps| !steps.is_empty())) {
        for step in steps.elements(MAX_STEPS, errors)? {
            compiler.step(&step, errors);
        }
    }
    for output in outputs?.elements(MAX_OUTPUTS, errors)? {
        compiler.output(&output, errors);
    }
    let program = compiler.program;
    if !errors.is_empty() {
        return None;
    }
    if let Err(faults) = program.check() {
        for fault in faults {
            errors.add(format!("{}{}", at.pointer, fault.pointer), fault.reason);
        }
        return None;
    }
    // The key is chosen elsewhere: the limit is that of the dearer mode.
    let pbs = Price::of(&program, KeyMode::Network).total();
    if pbs > MAX_PROGRAM_PBS {
        errors.add(&at.pointer, format!("must take at most {MAX_PROGRAM_PBS} bootstrappings; it takes {pbs}"));
        return None;
    }
    Some(program)
}

/// What a name stands for; `None` when it was complained about already.
type Meaning = Option<ValueId>;

#[derive(Default)]
struct Compiler {
    names: HashMap<String, Meaning>,
    program: Program,
    types: Vec<ValueType>,
}

/// An argument as the client wrote it.
enum Argument {
    Operand(Operand),
    /// It was complained about, here or where its name was defined.
    Refused,
}

impl Compiler {
    fn input(&mut self, at: &At<'_>, errors: &mut FieldErrors) {
        let Some(mut fields) = Object::open(at, errors) else { return };
        let name = fields.required("name");
        let kind = fields.required("type");
        fields.close(errors);
        let kind = kind.and_then(|at| at.parsed::<ValueType>(errors));
        let value = kind.map(|kind| self.value(kind));
        self.program.inputs.extend(kind);
        self.define(name, value, errors);
    }

    fn step(&mut self, at: &At<'_>, errors: &mut FieldErrors) {
        let Some(mut fields) = Object::open(at, errors) else { return };
        let name = fields.required("name");
        let op = fields.required("op").and_then(|at| at.parsed::<Op>(errors));
        let args = fields.required("args");
        let target = match op {
            Some(Op::Cast) => fields.required("to").and_then(|at| at.parsed::<ValueType>(errors)),
            _ => None,
        };
        fields.close(errors);
        let written = op.zip(args).and_then(|(op, args)| Written::read(op, target, &args, self, errors));
        let value = written.and_then(|written| self.operation(written, at, errors));
        self.define(name, value, errors);
    }

    fn operation(&mut self, written: Written, at: &At<'_>, errors: &mut FieldErrors) -> Option<ValueId> {
        match result_type(&written.operation, &self.types) {
            Ok(kind) => Some(match written.operation {
                Operation::Sum { values } if values.len() > sum::CHUNK => {
                    sum::in_parts(&values, |part| self.push(part, kind))
                }
                operation => self.push(operation, kind),
            }),
            Err((part, reason)) => {
                let pointer = match part {
                    Part::Operation => at.pointer.clone(),
                    Part::Operand(operand) if written.exchanged => format!("{}/args/{}", at.pointer, 1 - operand),
                    Part::Operand(operand) => format!("{}/args/{operand}", at.pointer),
                    Part::Target => format!("{}/to", at.pointer),
                };
                errors.add(pointer, reason);
                None
            }
        }
    }

    fn output(&mut self, at: &At<'_>, errors: &mut FieldErrors) {
        let Some(name) = at.text(errors) else { return };
        match self.names.get(name) {
            _ if self.program.outputs.iter().any(|output| output.name == name) => {
                errors.add(&at.pointer, "is given twice");
            }
            None => errors.add(&at.pointer, "is not the name of an input or a step"),
            Some(None) => {}
            Some(Some(value)) => {
                let value = OutputValue::Encrypted(*value);
                self.program.outputs.push(Output { name: name.to_owned(), value });
            }
        }
    }

    fn push(&mut self, step: Operation, kind: ValueType) -> ValueId {
        self.program.steps.push(step);
        self.value(kind)
    }

    fn value(&mut self, kind: ValueType) -> ValueId {
        let id = ValueId(u32::try_from(self.types.len()).unwrap_or(u32::MAX));
        self.types.push(kind);
        id
    }

    fn define(&mut self, at: Option<At<'_>>, value: Meaning, errors: &mut FieldErrors) {
        let Some((at, name)) = at.and_then(|at| at.text(errors).map(|name| (at, name))) else { return };
        if !is_name(name) {
            errors.add(&at.pointer, NAME_RULE);
        } else if self.names.contains_key(name) {
            errors.add(&at.pointer, "is given twice");
        }
        self.names.insert(name.to_owned(), value);
    }

    fn argument(&self, at: &At<'_>, errors: &mut FieldErrors) -> Argument {
        if let Some(clear) = unsigned_integer(at.value) {
            return Argument::Operand(Operand::Clear(clear));
        }
        let found = match at.value.as_str() {
            Some(name) => self.names.get(name).copied(),
            None => {
                errors.add(&at.pointer, "must be the name of an earlier value, or an integer of 0 or more");
                return Argument::Refused;
            }
        };
        match found {
            Some(Some(value)) => Argument::Operand(Operand::Value(value)),
            Some(None) => Argument::Refused,
            None => {
                errors.add(&at.pointer, "is not the name of an earlier value");
                Argument::Refused
            }
        }
    }
}

/// An operation by its name on the wire.
#[derive(Clone, Copy)]
enum Op {
    Binary(Binary),
    Not,
    Select,
    Cast,
    Sum,
}

/// Names of the operations that are not [`Binary`].
const OTHERS: [(&str, Op); 4] = [("not", Op::Not), ("select", Op::Select), ("cast", Op::Cast), ("sum", Op::Sum)];

/// Every operation's name, as schema and complaints list them.
pub(super) fn names() -> Vec<&'static str> {
    Binary::ALL.into_iter().map(Binary::as_str).chain(OTHERS.map(|(name, _)| name)).collect()
}

impl std::str::FromStr for Op {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let binary = Binary::ALL.into_iter().find(|binary| binary.as_str() == name).map(Self::Binary);
        let other = || OTHERS.into_iter().find(|(other, _)| *other == name).map(|(_, op)| op);
        binary.or_else(other).ok_or_else(|| format!("is not one of {}", names().join(", ")))
    }
}

/// A step as the client wrote it, before its types are looked at.
struct Written {
    operation: Operation,
    /// The client wrote the operands the other way round.
    exchanged: bool,
}

impl Written {
    fn read(
        op: Op,
        target: Option<ValueType>,
        at: &At<'_>,
        compiler: &Compiler,
        errors: &mut FieldErrors,
    ) -> Option<Self> {
        let args = at.elements(MAX_INPUTS, errors)?;
        let expected = match op {
            Op::Binary(_) => 2,
            Op::Not | Op::Cast => 1,
            Op::Select => 3,
            Op::Sum => args.len(),
        };
        if args.len() != expected {
            errors.add(&at.pointer, format!("must have {expected} elements; it has {}", args.len()));
            return None;
        }
        let read: Vec<_> = args.iter().map(|at| compiler.argument(at, errors)).collect();
        let operands: Option<Vec<Operand>> = read
            .into_iter()
            .map(|argument| match argument {
                Argument::Operand(operand) => Some(operand),
                Argument::Refused => None,
            })
            .collect();
        let mut encrypted = |index: usize, operand: Operand| match operand {
            Operand::Value(value) => Some(value),
            Operand::Clear(_) => {
                errors.add(element(&at.pointer, index), "must be encrypted");
                None
            }
        };
        let (operation, exchanged) = match (op, operands?.as_slice()) {
            (Op::Binary(operation), [Operand::Clear(left), Operand::Value(right)])
                if operation.mirrored().is_some() =>
            {
                let operation = operation.mirrored()?;
                (Operation::Binary { operation, left: *right, right: Operand::Clear(*left) }, true)
            }
            (Op::Binary(operation), [left, right]) => {
                (Operation::Binary { operation, left: encrypted(0, *left)?, right: *right }, false)
            }
            (Op::Not, [value]) => (Operation::Not { value: encrypted(0, *value)? }, false),
            (Op::Cast, [value]) => (Operation::Cast { value: encrypted(0, *value)?, to: target? }, false),
            (Op::Select, [condition, then, otherwise]) => {
                let condition = encrypted(0, *condition)?;
                let (then, otherwise) = (*then, *otherwise);
                let result = [then, otherwise].into_iter().find_map(|operand| match operand {
                    Operand::Value(value) => compiler.types.get(value.index()).copied(),
                    Operand::Clear(_) => None,
                });
                let result = result.unwrap_or(ValueType::U64);
                (Operation::Select { condition, then, otherwise, result }, false)
            }
            (Op::Sum, operands) => {
                let values: Option<Vec<_>> =
                    operands.iter().enumerate().map(|(index, operand)| encrypted(index, *operand)).collect();
                (Operation::Sum { values: values? }, false)
            }
            _ => return None,
        };
        Some(Self { operation, exchanged })
    }
}

//! Each operation, each type.

use super::*;
use crate::execution::Unsuitable;

#[test]
fn operations_on_two_encrypted_numbers_are_those_of_the_oracle() {
    let key = fast();
    alone(|| {
        for kind in NUMBERS {
            for operation in BINARIES.into_iter().filter(|operation| is_offered(*operation, kind)) {
                for (left, right) in pairs(kind) {
                    let got = key.evaluate(encrypted(operation), &[(kind, left), (kind, right)]);
                    assert_eq!(got, Ok(oracle(operation, kind, left, right)), "{operation:?} {kind:?} {left} {right}");
                }
            }
        }
    });
}

#[test]
fn operations_with_a_clear_number_are_those_of_the_oracle() {
    let key = fast();
    alone(|| {
        for kind in NUMBERS {
            for operation in BINARIES.into_iter().filter(|operation| !is_shift(*operation)) {
                for (left, right) in pairs(kind) {
                    if is_division(operation) && right == 0 {
                        continue;
                    }
                    let got = key.evaluate(clear(operation, right), &[(kind, left)]);
                    assert_eq!(got, Ok(oracle(operation, kind, left, right)), "{operation:?} {kind:?} {left} {right}");
                }
            }
        }
    });
}

#[test]
fn shifts_go_to_the_width_and_beyond() {
    let key = fast();
    for kind in NUMBERS {
        let width = u64::from(kind.bits());
        for operation in [Binary::Shl, Binary::Shr] {
            for amount in [0, 1, 2, 3, width - 1, width, width + 1, 300] {
                let got = key.evaluate(clear(operation, amount), &[(kind, kind.highest() - 2)]);
                let expected = oracle(operation, kind, kind.highest() - 2, amount);
                assert_eq!(got, Ok(expected), "{operation:?} {kind:?} {amount}");
            }
        }
    }
}

#[test]
fn bools_know_logic_alone() {
    let key = fast();
    for operation in BINARIES {
        let logic = matches!(operation, Binary::And | Binary::Or | Binary::Xor | Binary::Eq | Binary::Ne);
        for (left, right) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            let values = [(ValueType::Bool, left), (ValueType::Bool, right)];
            for got in
                [key.evaluate(encrypted(operation), &values), key.evaluate(clear(operation, right), &values[..1])]
            {
                match logic {
                    true => assert_eq!(got, Ok(oracle(operation, ValueType::Bool, left, right)), "{operation:?}"),
                    false => {
                        assert_eq!(got, Err(ExecutionError::Step { step: 0, reason: Unsuitable::Types }));
                    }
                }
            }
        }
    }
}

#[test]
fn not_inverts_each_bit() {
    let key = fast();
    for kind in NUMBERS.into_iter().chain([ValueType::Bool]) {
        for value in [0, 1, kind.highest()] {
            let got = key.evaluate(Operation::Not { value: ValueId(0) }, &[(kind, value)]);
            assert_eq!(got, Ok((kind, kind.highest() - value)));
        }
    }
}

#[test]
fn select_takes_the_side_that_the_condition_names() {
    let key = fast();
    for kind in NUMBERS.into_iter().chain([ValueType::Bool]) {
        let (then, otherwise) = (kind.highest(), 0);
        for (then, otherwise) in [(then, otherwise), (otherwise, then)] {
            for condition in [0, 1] {
                let expected = Ok((kind, if condition == 1 { then } else { otherwise }));
                let values = [(ValueType::Bool, condition), (kind, then), (kind, otherwise)];
                let select =
                    |then, otherwise| Operation::Select { condition: ValueId(0), then, otherwise, result: kind };
                let both = select(Operand::Value(ValueId(1)), Operand::Value(ValueId(2)));
                assert_eq!(key.evaluate(both, &values), expected);
                let clear_otherwise = select(Operand::Value(ValueId(1)), Operand::Clear(otherwise));
                assert_eq!(key.evaluate(clear_otherwise, &values[..2]), expected, "{kind:?}");
                let clear_then = select(Operand::Clear(then), Operand::Value(ValueId(1)));
                assert_eq!(key.evaluate(clear_then, &[values[0], values[2]]), expected, "{kind:?}");
            }
        }
    }
}

#[test]
fn casts_cut_off_or_fill_with_zeros() {
    let key = fast();
    for from in NUMBERS.into_iter().chain([ValueType::Bool]) {
        for to in NUMBERS {
            for value in [0, 1, from.highest()] {
                let got = key.evaluate(Operation::Cast { value: ValueId(0), to }, &[(from, value)]);
                assert_eq!(got, Ok((to, value & to.highest())), "{from:?} to {to:?}");
            }
        }
    }
}

#[test]
fn sums_wrap_at_the_width() {
    let key = fast();
    for kind in NUMBERS {
        for count in [1, 2, 3, 7, 16, 40] {
            let values: Vec<(ValueType, u64)> = (0..count).map(|n| (kind, kind.highest() - n * 3)).collect();
            let total: u128 = values.iter().map(|(_, value)| u128::from(*value)).sum();
            let operation = Operation::Sum { values: (0..count as u32).map(ValueId).collect() };
            let expected = (total & u128::from(kind.highest())) as u64;
            assert_eq!(key.evaluate(operation, &values), Ok((kind, expected)), "{kind:?} {count}");
        }
    }
}

#[test]
fn what_is_not_offered_is_refused() {
    let key = fast();
    let refused = |reason| Err(ExecutionError::Step { step: 0, reason });
    for (operation, kind) in [
        (Binary::Mul, ValueType::U64),
        (Binary::Div, ValueType::U32),
        (Binary::Rem, ValueType::U32),
        (Binary::Div, ValueType::U64),
        (Binary::Rem, ValueType::U64),
    ] {
        assert_eq!(key.evaluate(encrypted(operation), &[(kind, 6), (kind, 3)]), refused(Unsuitable::TooWide));
    }
    let (one, two) = ((ValueType::U8, 1), (ValueType::U16, 2));
    assert_eq!(key.evaluate(clear(Binary::Div, 0), &[one]), refused(Unsuitable::DivisionByZero));
    assert_eq!(key.evaluate(clear(Binary::Rem, 0), &[one]), refused(Unsuitable::DivisionByZero));
    assert_eq!(key.evaluate(clear(Binary::Add, 256), &[one]), refused(Unsuitable::ClearTooLarge));
    assert_eq!(key.evaluate(encrypted(Binary::Add), &[one, two]), refused(Unsuitable::Types));
    assert_eq!(key.evaluate(encrypted(Binary::Shl), &[one, one]), refused(Unsuitable::EncryptedShift));
    assert_eq!(key.evaluate(Operation::Sum { values: vec![] }, &[one]), refused(Unsuitable::Types));
    let to_bool = Operation::Cast { value: ValueId(0), to: ValueType::Bool };
    assert_eq!(key.evaluate(to_bool, &[one]), refused(Unsuitable::Types));
}

#[test]
fn real_parameters_agree_with_the_oracle_on_u8() {
    let key = real();
    let kind = ValueType::U8;
    for operation in BINARIES {
        let (left, right) = if is_shift(operation) { (0b1011_0111, 3) } else { (250, 7) };
        if is_offered(operation, kind) {
            let got = key.evaluate(encrypted(operation), &[(kind, left), (kind, right)]);
            assert_eq!(got, Ok(oracle(operation, kind, left, right)), "{operation:?}");
        }
        let got = key.evaluate(clear(operation, right), &[(kind, left)]);
        assert_eq!(got, Ok(oracle(operation, kind, left, right)), "{operation:?} clear");
    }
}

#[test]
fn real_parameters_agree_with_the_oracle_on_a_sample_of_u16() {
    let key = real();
    let kind = ValueType::U16;
    for operation in [Binary::Add, Binary::Sub, Binary::Mul, Binary::Max, Binary::Xor, Binary::Le] {
        for (left, right) in [(65_535, 65_535), (300, 40_000)] {
            let got = key.evaluate(encrypted(operation), &[(kind, left), (kind, right)]);
            assert_eq!(got, Ok(oracle(operation, kind, left, right)), "{operation:?} {left} {right}");
        }
    }
}

//! `matrix_multiplication`: the product of two matrices of doubles, row by row.
//!
//! Each entry is summed in the order of the inner index, in doubles: integers are exact while they stay below 2^53.

use jobs::algorithm::Matrix;

use crate::control::Progress;
use crate::{Product, RunError};

/// Rows between two reports.
const ROWS_A_REPORT: usize = 8;

/// Multiplies `a`, which has as many columns as `b` has rows, by `b`.
pub(crate) fn run(a: &Matrix, b: &Matrix, progress: &mut Progress) -> Result<Product, RunError> {
    let mut product = Vec::with_capacity(a.rows());
    for index in 0..a.rows() {
        progress.poll()?;
        if index % ROWS_A_REPORT == 0 {
            let percent = u8::try_from(index * 100 / a.rows()).unwrap_or(100);
            progress.report(percent, "multiplying", &format!("row {} of {}", index + 1, a.rows()));
        }
        product.push(row(a.row(index), b, index)?);
    }
    progress.report(100, "done", "");
    Ok(Product { product })
}

/// Row `index` of the product: the rows of `b`, weighted by the entries of `weights`, added up. At most 2^18
/// multiply-adds (a third of a millisecond), so that looking at the stop flag once a row is often enough.
fn row(weights: &[f64], b: &Matrix, index: usize) -> Result<Vec<f64>, RunError> {
    let mut sums = vec![0.0; b.columns()];
    for (inner, weight) in weights.iter().enumerate() {
        for (sum, entry) in sums.iter_mut().zip(b.row(inner)) {
            *sum += weight * entry;
        }
    }
    match sums.iter().position(|sum| !sum.is_finite()) {
        None => Ok(sums),
        Some(column) => Err(RunError::ArithmeticOverflow { what: format!("product[{index}][{column}]") }),
    }
}

#[cfg(test)]
mod tests {
    use jobs::algorithm::{Algorithm, Input};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::trial::Trial;

    fn multiply(a: &serde_json::Value, b: &serde_json::Value, trial: &mut Trial) -> Result<Product, RunError> {
        let Ok(Input::MatrixMultiplication(input)) =
            Input::parse(Algorithm::MatrixMultiplication, Some(&json!({"a": a, "b": b})))
        else {
            panic!("{a} {b}")
        };
        run(input.a(), input.b(), &mut Progress::new(trial))
    }

    #[test]
    fn known_products() {
        let product = |a, b| multiply(&a, &b, &mut Trial::default()).unwrap().product;
        assert_eq!(product(json!([[1, 2], [3, 4]]), json!([[5, 6], [7, 8]])), [[19.0, 22.0], [43.0, 50.0]]);
        assert_eq!(product(json!([[1, 2, 3]]), json!([[4], [5], [6]])), [[32.0]]);
        assert_eq!(product(json!([[2], [3]]), json!([[0.5, -1]])), [[1.0, -2.0], [1.5, -3.0]]);
    }

    #[test]
    fn overflow_is_named_by_its_entry() {
        for (a, b) in [
            (json!([[1, 1], [1, 1e200]]), json!([[1, 1], [1, 1e200]])),
            (json!([[1, 1], [1e300, -1e300]]), json!([[1, 1e100], [1, 1e100]])),
        ] {
            let error = multiply(&a, &b, &mut Trial::default()).unwrap_err();
            assert_eq!(error, RunError::ArithmeticOverflow { what: "product[1][1]".into() });
        }
    }

    #[test]
    fn a_stop_is_seen_at_every_row() {
        let (a, b) = (vec![vec![1; 3]; 40], vec![vec![1; 2]; 3]);
        for at in 0..40 {
            let mut trial = Trial::stopping_at(at);
            assert_eq!(multiply(&json!(a), &json!(b), &mut trial), Err(RunError::Stopped));
            assert_eq!(trial.polls(), at + 1, "nothing asks twice after a stop");
        }
        assert!(multiply(&json!(a), &json!(b), &mut Trial::stopping_at(40)).is_ok());
    }

    proptest! {
        #[test]
        fn integers_agree_with_the_definition(
            (rows, inner, columns) in (1_usize..12, 1_usize..12, 1_usize..12),
            entries in prop::collection::vec(-1_000_000_i64..1_000_000, 288),
        ) {
            let at = |index: usize| entries[index % entries.len()];
            let a: Vec<Vec<i64>> = (0..rows).map(|r| (0..inner).map(|i| at(r * inner + i)).collect()).collect();
            let b: Vec<Vec<i64>> = (0..inner).map(|i| (0..columns).map(|c| at(144 + i * columns + c)).collect()).collect();
            let got = multiply(&json!(a), &json!(b), &mut Trial::default()).unwrap().product;
            for r in 0..rows {
                for c in 0..columns {
                    let exact: i64 = (0..inner).map(|i| a[r][i] * b[i][c]).sum();
                    let exact = exact as f64;
                    prop_assert_eq!(got[r][c], exact);
                }
            }
        }
    }
}

//! Input of `matrix_multiplication`: `{a, b}`, each an array of rows.

use serde_json::Value;

use super::doubles::numbers;
use crate::field_error::{FieldError, FieldErrors, element};
use crate::object::{At, Object};

/// Most rows, and most columns, of each matrix.
pub const MAX_DIMENSION: usize = 512;

/// Multiply-adds that cost 1 CU.
const MULTIPLY_ADDS_A_UNIT: usize = 1 << 20;

/// A rectangular matrix of finite doubles.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    columns: usize,
    entries: Vec<f64>,
}

impl Matrix {
    /// How many rows, 1 to [`MAX_DIMENSION`].
    pub fn rows(&self) -> usize {
        self.entries.len() / self.columns
    }

    /// How many columns, 1 to [`MAX_DIMENSION`].
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Row `index`, counted from 0.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn row(&self, index: usize) -> &[f64] {
        &self.entries[index * self.columns..(index + 1) * self.columns]
    }

    fn read(at: &At<'_>, errors: &mut FieldErrors) -> Option<Self> {
        let rows = at.array(MAX_DIMENSION, errors)?;
        let columns = rows[0].as_array().map(Vec::len).filter(|columns| (1..=MAX_DIMENSION).contains(columns));
        let mut entries = Vec::new();
        for (index, value) in rows.iter().enumerate() {
            let at = At { value, pointer: element(&at.pointer, index) };
            let Some(row) = at.array(MAX_DIMENSION, errors) else { continue };
            // Without a good first row there is no width to hold the others to; that row's own complaint comes first.
            if let Some(columns) = columns.filter(|columns| *columns != row.len()) {
                errors.add(&at.pointer, format!("must have {columns} elements, as row 0 has; it has {}", row.len()));
            }
            numbers(row, &at.pointer, &mut entries, errors);
            if errors.is_full() {
                break;
            }
        }
        columns.map(|columns| Self { columns, entries })
    }
}

/// The two matrices to multiply: `a` has as many columns as `b` has rows.
#[derive(Debug, Clone, PartialEq)]
pub struct MatrixMultiplication {
    a: Matrix,
    b: Matrix,
}

impl MatrixMultiplication {
    /// The left factor.
    pub fn a(&self) -> &Matrix {
        &self.a
    }

    /// The right factor.
    pub fn b(&self) -> &Matrix {
        &self.b
    }

    pub(super) fn parse(input: &Value) -> Result<Self, Vec<FieldError>> {
        let mut errors = FieldErrors::default();
        let read = Self::read(&At::root(input), &mut errors);
        errors.or(read)
    }

    fn read(at: &At<'_>, errors: &mut FieldErrors) -> Option<Self> {
        let mut fields = Object::open(at, errors)?;
        let (a, b) = (fields.required("a"), fields.required("b"));
        fields.close(errors);
        let rows = b.as_ref().and_then(|at| at.value.as_array()).map_or(0, Vec::len);
        let a = a.and_then(|at| Matrix::read(&at, errors));
        let b = b.and_then(|at| Matrix::read(&at, errors));
        let (a, b) = a.zip(b)?;
        if a.columns() != rows {
            let columns = a.columns();
            errors.add("/b", format!("must have as many rows as a has columns ({columns}); it has {rows}"));
        }
        Some(Self { a, b })
    }

    pub(super) fn execution_units(&self) -> u64 {
        let multiply_adds = self.a.rows() * self.a.columns() * self.b.columns();
        u64::try_from(multiply_adds.div_ceil(MULTIPLY_ADDS_A_UNIT)).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pointers(input: &Value) -> Vec<String> {
        MatrixMultiplication::parse(input).unwrap_err().into_iter().map(|error| error.pointer).collect()
    }

    #[test]
    fn matrices_are_read_row_by_row() {
        let input = json!({"a": [[1, 2, 3], [4, 5, 6]], "b": [[1], [0.5], ["-9007199254740993"]]});
        let read = MatrixMultiplication::parse(&input).unwrap();
        assert_eq!((read.a().rows(), read.a().columns(), read.b().rows(), read.b().columns()), (2, 3, 3, 1));
        assert_eq!(read.a().row(1), [4.0, 5.0, 6.0]);
        assert_eq!(read.b().row(2), [-9_007_199_254_740_992.0]);
    }

    #[test]
    fn wrong_entries_and_rows_are_named() {
        let good = json!([[1, 2], [3, 4]]);
        assert_eq!(pointers(&json!({"a": [[1, 2], ["x", 4]], "b": good})), ["/a/1/0"]);
        assert_eq!(pointers(&json!({"a": good, "b": [[1, null], [3, {}]]})), ["/b/0/1", "/b/1/1"]);
        assert_eq!(pointers(&json!({"a": [[1, 2], [3]], "b": good})), ["/a/1"]);
        assert_eq!(pointers(&json!({"a": [[1, 2], 3], "b": good})), ["/a/1"]);
        assert_eq!(pointers(&json!({"a": [7, [3, 4]], "b": good})), ["/a/0"]);
        assert_eq!(pointers(&json!({"a": [[], []], "b": good})), ["/a/0", "/a/1"]);
        assert_eq!(pointers(&json!({"a": [], "b": good})), ["/a"]);
        assert_eq!(pointers(&json!({"a": good, "b": "good"})), ["/b"]);
        assert_eq!(pointers(&json!({"a": good, "b": [[1, 2]]})), ["/b"]);
        assert_eq!(pointers(&json!({"a": good})), ["/b"]);
        assert_eq!(pointers(&json!({"c": good})), ["/c", "/a", "/b"]);
    }

    #[test]
    fn dimensions_are_limited() {
        let over = vec![0; MAX_DIMENSION + 1];
        assert_eq!(pointers(&json!({"a": [over], "b": [[1]]})), ["/a/0"]);
        let tall: Vec<_> = (0..=MAX_DIMENSION).map(|_| json!([1])).collect();
        assert_eq!(pointers(&json!({"a": tall, "b": [[1]]})), ["/a"]);
    }
}

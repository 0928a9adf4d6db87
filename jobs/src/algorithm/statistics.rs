//! Input of `statistical_analysis`: `{values}`.

use serde_json::Value;

use super::doubles::numbers;
use crate::field_error::{FieldError, FieldErrors};
use crate::object::{At, Object};

/// Most values that one job takes.
pub const MAX_VALUES: usize = 65_536;

/// The values to describe.
#[derive(Debug, Clone, PartialEq)]
pub struct StatisticalAnalysis {
    values: Vec<f64>,
}

impl StatisticalAnalysis {
    /// The values in the client's order: 1 to [`MAX_VALUES`], all finite.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    pub(super) fn parse(input: &Value) -> Result<Self, Vec<FieldError>> {
        let mut errors = FieldErrors::default();
        let read = Self::read(&At::root(input), &mut errors);
        errors.or(read)
    }

    fn read(at: &At<'_>, errors: &mut FieldErrors) -> Option<Self> {
        let mut fields = Object::open(at, errors)?;
        let at = fields.required("values");
        fields.close(errors);
        let at = at?;
        let mut values = Vec::new();
        numbers(at.array(MAX_VALUES, errors)?, &at.pointer, &mut values, errors);
        Some(Self { values })
    }

    pub(super) fn execution_units(&self) -> u64 {
        super::payload_units(self.values.len())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_of_every_notation_are_read() {
        let input = json!({"values": [1, -2, 0.5, 1e300, "9007199254740993"]});
        let read = StatisticalAnalysis::parse(&input).unwrap();
        assert_eq!(read.values(), [1.0, -2.0, 0.5, 1e300, 9_007_199_254_740_992.0]);
    }

    #[test]
    fn each_wrong_value_is_named() {
        let input = json!({"values": [1, "2", null, 4, [5], {"x": 6}, true]});
        let errors = StatisticalAnalysis::parse(&input).unwrap_err();
        let pointers: Vec<_> = errors.iter().map(|error| error.pointer.as_str()).collect();
        assert_eq!(pointers, ["/values/1", "/values/2", "/values/4", "/values/5", "/values/6"]);
    }

    #[test]
    fn the_list_has_one_to_the_limit() {
        let parse = |count: usize| StatisticalAnalysis::parse(&json!({"values": vec![0; count]}));
        assert!(parse(1).is_ok() && parse(MAX_VALUES).is_ok());
        for count in [0, MAX_VALUES + 1] {
            assert_eq!(parse(count).unwrap_err()[0].pointer, "/values");
        }
        for wrong in [json!(1), json!("[1]"), json!({"0": 1})] {
            let errors = StatisticalAnalysis::parse(&json!({ "values": wrong })).unwrap_err();
            assert_eq!(errors, [FieldError::new("/values", "must be an array")]);
        }
    }

    #[test]
    fn a_list_of_nonsense_is_not_listed_in_full() {
        let errors = StatisticalAnalysis::parse(&json!({"values": vec![json!(null); 65_536]})).unwrap_err();
        assert_eq!(errors.len(), 20);
    }
}

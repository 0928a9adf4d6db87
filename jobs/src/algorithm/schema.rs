//! JSON Schemas (draft 2020-12) of what plain jobs take, built from the limits that the code enforces and committed
//! under `docs/algorithms/`. Run the tests with `UPDATE_SCHEMAS=1` to write them anew.

use serde_json::{Value, json};

use super::{Algorithm, DEFAULT_TIMEOUT_SECONDS, MAX_DIMENSION, MAX_TIMEOUT_SECONDS, MAX_VALUES};

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The schema of `payload.input` of `algorithm`.
pub fn input_schema(algorithm: Algorithm) -> Value {
    match algorithm {
        Algorithm::PrimeFactorization => json!({
            "$schema": DIALECT,
            "title": "Input of prime_factorization",
            "type": "object",
            "properties": {
                "number": {
                    "description": "The number to factor, 1 to 2^128 - 1: an integer written in digits, or a decimal string.",
                    "anyOf": [
                        { "type": "integer", "minimum": 1 },
                        { "type": "string", "pattern": "^[1-9][0-9]{0,38}$" }
                    ]
                }
            },
            "required": ["number"],
            "additionalProperties": false
        }),
        Algorithm::StatisticalAnalysis => json!({
            "$schema": DIALECT,
            "title": "Input of statistical_analysis",
            "type": "object",
            "properties": {
                "values": {
                    "description": "The values to describe; each is read as an IEEE 754 double.",
                    "type": "array",
                    "items": { "type": "number" },
                    "minItems": 1,
                    "maxItems": MAX_VALUES
                }
            },
            "required": ["values"],
            "additionalProperties": false
        }),
        Algorithm::MatrixMultiplication => json!({
            "$schema": DIALECT,
            "title": "Input of matrix_multiplication",
            "description": "All rows of a matrix have one length, and a has as many columns as b has rows.",
            "type": "object",
            "properties": {
                "a": { "description": "The left factor.", "$ref": "#/$defs/matrix" },
                "b": { "description": "The right factor.", "$ref": "#/$defs/matrix" }
            },
            "required": ["a", "b"],
            "additionalProperties": false,
            "$defs": {
                "matrix": {
                    "description": "An array of rows; each entry is read as an IEEE 754 double.",
                    "type": "array",
                    "items": {
                        "type": "array",
                        "items": { "type": "number" },
                        "minItems": 1,
                        "maxItems": MAX_DIMENSION
                    },
                    "minItems": 1,
                    "maxItems": MAX_DIMENSION
                }
            }
        }),
    }
}

/// The schema of `payload.parameters` of every plain job.
pub fn parameters_schema() -> Value {
    json!({
        "$schema": DIALECT,
        "title": "Parameters of a plain job",
        "type": "object",
        "properties": {
            "timeout": {
                "description": "Seconds of computing after which the job fails.",
                "type": "integer",
                "minimum": 1,
                "maximum": MAX_TIMEOUT_SECONDS,
                "default": DEFAULT_TIMEOUT_SECONDS
            }
        },
        "additionalProperties": false
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_committed_schemas_are_those_of_the_code() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/algorithms");
        let mut schemas = vec![("parameters", parameters_schema())];
        schemas.extend(Algorithm::ALL.map(|algorithm| (algorithm.as_str(), input_schema(algorithm))));
        for (name, schema) in schemas {
            let path = folder.join(format!("{name}.schema.json"));
            let expected = format!("{schema:#}\n");
            if std::env::var_os("UPDATE_SCHEMAS").is_some() {
                std::fs::create_dir_all(&folder).unwrap();
                std::fs::write(&path, &expected).unwrap();
            }
            let committed = std::fs::read_to_string(&path).unwrap();
            assert_eq!(committed, expected, "{} is stale: run the tests with UPDATE_SCHEMAS=1", path.display());
        }
    }
}

//! JSON Schemas (draft 2020-12) of what encrypted jobs take, built from the limits that the code enforces and committed
//! under `docs/algorithms/`, with the page of what they cost. Run the tests with `UPDATE_SCHEMAS=1` to write them anew.

use serde_json::{Map, Value, json};

use super::check::{MAX_INPUTS, MAX_OUTPUTS, MAX_STEPS};
use super::linear_score::MAX_BOOL_WEIGHTS;
use super::membership::MAX_CLEAR_SET;
use super::program::ValueType;
use super::request::{DEFAULT_TIMEOUT_SECONDS, MAX_TIMEOUT_SECONDS, SCHEME, SECURITY_LEVEL};
use super::statistics::Statistic;
use super::{FheAlgorithm, source};

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The schema of `payload` of an encrypted job that runs `algorithm`.
pub fn payload_schema(algorithm: FheAlgorithm) -> Value {
    let own = own_parameters(algorithm);
    let mut required = vec!["algorithm", "encrypted_data_url"];
    if !own.required.is_empty() || own.one_of.is_some() {
        required.push("parameters");
    }
    let mut parameters = json!({
        "type": "object",
        "properties": own.properties,
        "required": own.required,
        "additionalProperties": false
    });
    if let Some(one_of) = own.one_of {
        parameters["oneOf"] = one_of;
    }
    json!({
        "$schema": DIALECT,
        "title": format!("Payload of {algorithm}"),
        "description": own.description,
        "type": "object",
        "properties": {
            "algorithm": { "const": algorithm.as_str() },
            "encrypted_data_url": {
                "description": "Where the inputs are: the URL or the path of a blob of this service (/v1/blobs/SHA-256), \
                                or an https URL that is fetched once.",
                "type": "string",
                "maxLength": 2048
            },
            "client_public_key": {
                "description": "The P-256 key that the result is sealed to, as PEM of its SPKI; a retrieval may name \
                                another one.",
                "type": "string",
                "pattern": "^-----BEGIN PUBLIC KEY-----"
            },
            "key": { "$ref": "#/$defs/key" },
            "parameters": parameters
        },
        "required": required,
        "additionalProperties": false,
        "$defs": { "key": key_schema() }
    })
}

fn key_schema() -> Value {
    json!({
        "description": "The key that the inputs are encrypted under; by default the network's.",
        "type": "object",
        "properties": {
            "mode": {
                "description": "network: the key manager holds the key, and seals the result for its owner. client: the \
                                client holds it, and gets a ciphertext.",
                "enum": ["network", "client"],
                "default": "network"
            },
            "key_id": {
                "description": "The key's id. Required in client mode; in network mode the current key is meant when it \
                                is absent.",
                "type": "string",
                "pattern": "^0x[0-9a-fA-F]{64}$"
            }
        },
        "if": { "properties": { "mode": { "const": "client" } }, "required": ["mode"] },
        "then": { "required": ["key_id"] },
        "additionalProperties": false
    })
}

/// What an algorithm's `parameters` hold.
struct OwnParameters {
    description: &'static str,
    properties: Map<String, Value>,
    required: Vec<&'static str>,
    one_of: Option<Value>,
}

fn own_parameters(algorithm: FheAlgorithm) -> OwnParameters {
    let (description, own, required, one_of) = match algorithm {
        FheAlgorithm::EncryptedStatisticalAnalysis => (
            "Values of one type, u8, u16 or u32. Results: count (not encrypted), sum (of twice the width), mean (rounded \
             down), min, max, variance (of the population, rounded down). Limits: sum and mean 256 values of u8 and u16, \
             128 of u32; min and max 128, 64, 32; variance 64 of u8, 16 of u16.",
            json!({ "statistics": {
                "description": "Which statistics; by default all that type and number of the values allow.",
                "type": "array",
                "items": { "enum": Statistic::ALL.map(Statistic::as_str) },
                "minItems": 1,
                "uniqueItems": true
            } }),
            vec![],
            None,
        ),
        FheAlgorithm::EncryptedLinearScore => (
            "Inputs of one type, as many as weights: up to 64 numbers, or 256 bools. Results: score (signed, 32 bits or \
             64 where it might not fit) = bias + sum of weight times input; passed (only with a threshold) = score >= \
             threshold. Weights whose score might not fit 64 bits are refused.",
            json!({
                "weights": {
                    "description": "One for each input, not all 0.",
                    "type": "array",
                    "items": int32(),
                    "minItems": 1,
                    "maxItems": MAX_BOOL_WEIGHTS
                },
                "bias": with(int32(), json!({ "default": 0 })),
                "threshold": int32()
            }),
            vec!["weights"],
            None,
        ),
        FheAlgorithm::EncryptedMaximum => (
            "Sealed bids of one type: up to 64 of u8 or u16, 32 of u32, 16 of u64. Results: index (from 0) of the first \
             of the highest, and its price.",
            json!({}),
            vec![],
            None,
        ),
        FheAlgorithm::EncryptedSetMembership => (
            "Whether a number is in a set of numbers of its type. Result: member. The number is the first input; the set \
             is clear, or it is the other inputs, up to 128.",
            json!({
                "set": {
                    "description": "A set that everybody may read; there is one input. Numbers beyond 2^53 - 1 as \
                                    decimal strings.",
                    "type": "array",
                    "items": unsigned(),
                    "minItems": 1,
                    "maxItems": MAX_CLEAR_SET
                },
                "encrypted_set": { "description": "The set is the inputs after the first.", "const": true }
            }),
            vec![],
            Some(json!([{ "required": ["set"] }, { "required": ["encrypted_set"] }])),
        ),
        FheAlgorithm::Program => (
            "A straight-line program of the client's own: no branch, no loop, every value written once. Results: the \
             values that it names as outputs.",
            json!({ "program": program_schema() }),
            vec!["program"],
            None,
        ),
    };
    let mut properties = Map::new();
    for part in [own, common_parameters(algorithm)] {
        properties.extend(part.as_object().cloned().unwrap_or_default());
    }
    OwnParameters { description, properties, required, one_of }
}

fn common_parameters(algorithm: FheAlgorithm) -> Value {
    let common = json!({
        "timeout": {
            "description": "Seconds of computing after which the job fails.",
            "type": "integer",
            "minimum": 1,
            "maximum": MAX_TIMEOUT_SECONDS,
            "default": DEFAULT_TIMEOUT_SECONDS
        },
        "fhe_scheme": { "const": SCHEME, "default": SCHEME },
        "security_level": { "description": "In bits.", "const": SECURITY_LEVEL, "default": SECURITY_LEVEL }
    });
    if algorithm == FheAlgorithm::Program {
        return common;
    }
    with(
        common,
        json!({
            "value_type": {
                "description": "The type of the inputs. With count it makes the price exact before the job runs.",
                "enum": ValueType::ALL.map(ValueType::as_str)
            },
            "count": {
                "description": "How many inputs there are.",
                "type": "integer",
                "minimum": 1,
                "maximum": MAX_INPUTS
            }
        }),
    )
}

fn program_schema() -> Value {
    let name = json!({ "type": "string", "pattern": "^[a-z][a-z0-9_]{0,31}$" });
    json!({
        "type": "object",
        "properties": {
            "inputs": {
                "description": "The encrypted inputs in their order.",
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "name": name,
                        "type": { "enum": ValueType::ALL.map(ValueType::as_str) }
                    },
                    "required": ["name", "type"],
                    "additionalProperties": false
                },
                "minItems": 1,
                "maxItems": MAX_INPUTS
            },
            "steps": {
                "description": "What is computed, each step from earlier values. Arithmetic wraps at the type's width.",
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "name": name,
                        "op": {
                            "description": "The operands of an operation have one type; a clear one fits it. shl and shr \
                                            are by a clear number of bits; div and rem by a clear number that is not 0, \
                                            of u8 and u16 by an encrypted one too; mul of two encrypted u64 is not \
                                            offered; of bools there are and, or, xor, eq, ne, not and select. select \
                                            takes a bool and two values; sum as many as it is given.",
                            "enum": source::names()
                        },
                        "args": {
                            "description": "Names of inputs or of earlier steps, and clear numbers.",
                            "type": "array",
                            "items": { "anyOf": [name, unsigned()] },
                            "minItems": 1,
                            "maxItems": MAX_INPUTS
                        },
                        "to": {
                            "description": "The type that a cast makes.",
                            "enum": ValueType::NUMBERS.map(ValueType::as_str)
                        }
                    },
                    "required": ["name", "op", "args"],
                    "additionalProperties": false
                },
                "maxItems": MAX_STEPS
            },
            "outputs": {
                "description": "Names of the values that are the result, in its order.",
                "type": "array",
                "items": name,
                "minItems": 1,
                "maxItems": MAX_OUTPUTS,
                "uniqueItems": true
            }
        },
        "required": ["inputs", "outputs"],
        "additionalProperties": false
    })
}

fn int32() -> Value {
    json!({ "type": "integer", "minimum": i32::MIN, "maximum": i32::MAX })
}

fn unsigned() -> Value {
    json!({ "anyOf": [
        { "type": "integer", "minimum": 0 },
        { "type": "string", "pattern": "^(0|[1-9][0-9]{0,19})$" }
    ] })
}

/// An object and more members.
fn with(mut object: Value, more: Value) -> Value {
    if let (Value::Object(object), Value::Object(more)) = (&mut object, more) {
        object.extend(more);
    }
    object
}

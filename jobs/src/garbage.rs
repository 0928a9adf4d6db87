//! Any JSON at all, for tests of what reads a client's.

use proptest::prelude::*;
use serde_json::{Value, json};

/// Members have names at random, and these now and then.
pub(crate) fn json_value(names: &'static [&'static str]) -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z0-9_/:]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 48, 6, move |inner| {
        let name = prop_oneof!["[a-z_]{1,8}", prop::sample::select(names).prop_map(|name: &str| name.to_owned())];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::hash_map(name, inner, 0..6).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

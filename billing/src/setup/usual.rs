//! What the catalogue never says and relies on: fields that change amounts, and Lago's own defaults of them.

use serde_json::{Value, json};

use super::same;

/// A field, and what is in it unless somebody has set it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Usual {
    pub field: &'static str,
    pub is: Is,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Is {
    Nothing,
    No,
    Yes,
    Zero,
    NoItems,
}

impl Usual {
    pub(super) const fn new(field: &'static str, is: Is) -> Self {
        Self { field, is }
    }

    fn value(self) -> Value {
        match self.is {
            Is::Nothing => Value::Null,
            Is::No => json!(false),
            Is::Yes => json!(true),
            Is::Zero => json!(0),
            Is::NoItems => json!([]),
        }
    }

    /// Whether somebody has set it: what is not told at all is as usual.
    fn is_set(self, found: &Value) -> bool {
        !is_nothing(found) && !same(&self.value(), found)
    }
}

/// What says as little as null does.
pub(super) fn is_nothing(found: &Value) -> bool {
    match found {
        Value::Null => true,
        Value::Bool(_) | Value::Number(_) => false,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.values().all(is_nothing),
    }
}

/// The fields that somebody has set.
pub(super) fn set_fields(usual: &[Usual], found: &Value) -> Vec<String> {
    usual.iter().filter(|usual| usual.is_set(&found[usual.field])).map(|usual| usual.field.to_owned()).collect()
}

/// Puts them into a body as they usually are.
pub(super) fn reset(usual: &[Usual], found: &Value, body: &mut Value) {
    for usual in usual.iter().filter(|usual| usual.is_set(&found[usual.field])) {
        body[usual.field] = usual.value();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_has_set_is_as_usual_however_it_is_told() {
        let usual = [
            Usual::new("nothing", Is::Nothing),
            Usual::new("no", Is::No),
            Usual::new("yes", Is::Yes),
            Usual::new("zero", Is::Zero),
            Usual::new("items", Is::NoItems),
        ];
        for told in [
            json!({}),
            json!({ "nothing": null, "no": null, "yes": null, "zero": null, "items": null }),
            json!({ "nothing": "", "no": false, "yes": true, "zero": 0.0, "items": [] }),
            json!({ "nothing": {}, "no": false, "yes": true, "zero": "0", "items": [] }),
        ] {
            assert_eq!(set_fields(&usual, &told), [""; 0], "{told}");
        }
        let set = json!({ "nothing": "ceil", "no": true, "yes": false, "zero": 7.5, "items": [{ "a": 1 }] });
        assert_eq!(set_fields(&usual, &set), ["nothing", "no", "yes", "zero", "items"]);
        let mut body = json!({ "name": "kept" });
        reset(&usual, &set, &mut body);
        assert_eq!(body, json!({ "name": "kept", "nothing": null, "no": false, "yes": true, "zero": 0, "items": [] }));
    }
}

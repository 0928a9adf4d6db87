//! `/taxes`.

use axum::body::Bytes;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Map, Number, Value, json};
use uuid::Uuid;

use super::metrics::required;
use crate::Decimal;
use crate::standin::answer::{Refusal, rooted};
use crate::standin::keeper::{Answer, Keeper};
use crate::standin::period::iso;
use crate::standin::query::{All, Listed};
use crate::standin::records::{Record, Tax};

const ROOT: &str = "tax";

#[derive(Deserialize)]
struct Input {
    name: Option<String>,
    code: Option<String>,
    description: Option<String>,
    /// A number, or the same as text.
    rate: Option<Value>,
    applied_to_organization: Option<bool>,
}

impl Input {
    fn rate(&self) -> Result<Option<Decimal>, Refusal> {
        let text = match &self.rate {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Number(number)) => number.to_string(),
            Some(Value::String(text)) => text.clone(),
            Some(_) => return Err(Refusal::field("rate", "value_is_invalid")),
        };
        let rate = text.parse::<Decimal>().ok().filter(|rate| !rate.is_negative());
        rate.map(Some).ok_or_else(|| Refusal::field("rate", "value_is_invalid"))
    }
}

pub(super) async fn create(State(keeper): State<Keeper>, body: Bytes) -> Answer {
    let input: Input = rooted(&body, ROOT)?;
    let rate = input.rate()?;
    keeper
        .change(move |book, now| {
            let mut errors = Map::new();
            let name = required(&mut errors, "name", input.name);
            let code = required(&mut errors, "code", input.code);
            if book.taxes.contains_key(&code) {
                errors.insert("code".to_owned(), json!(["value_already_exist"]));
            }
            if !errors.is_empty() {
                return Err(Refusal::Invalid(errors));
            }
            let tax = Tax {
                id: Uuid::now_v7(),
                code,
                name,
                description: input.description,
                rate: rate.unwrap_or_else(Decimal::zero),
                applied_to_organization: input.applied_to_organization.unwrap_or(false),
                created_at: now,
            };
            let answer = json!({ ROOT: view(&tax) });
            Ok((vec![Record::Tax(tax)], answer))
        })
        .await
}

pub(super) async fn update(State(keeper): State<Keeper>, Path(code): Path<String>, body: Bytes) -> Answer {
    let input: Input = rooted(&body, ROOT)?;
    let rate = input.rate()?;
    keeper
        .change(move |book, _| {
            let mut tax = book.taxes.get(&code).cloned().ok_or(Refusal::NotFound(ROOT))?;
            if input.code.is_some_and(|code| code != tax.code) {
                return Err(Refusal::NotImplemented("renaming a tax".to_owned()));
            }
            tax.name = input.name.unwrap_or(tax.name);
            tax.description = input.description.or(tax.description);
            tax.rate = rate.unwrap_or(tax.rate);
            tax.applied_to_organization = input.applied_to_organization.unwrap_or(tax.applied_to_organization);
            let answer = json!({ ROOT: view(&tax) });
            Ok((vec![Record::Tax(tax)], answer))
        })
        .await
}

pub(super) async fn show(State(keeper): State<Keeper>, Path(code): Path<String>) -> Answer {
    keeper.read(move |book, _| Ok(json!({ ROOT: view(book.taxes.get(&code).ok_or(Refusal::NotFound(ROOT))?) }))).await
}

pub(super) async fn list(State(keeper): State<Keeper>, Listed { paging, .. }: Listed<All>) -> Answer {
    keeper.read(move |book, _| Ok(paging.answer("taxes", book.taxes.values().map(view).collect()))).await
}

pub(super) fn view(tax: &Tax) -> Value {
    // A rate is a JSON number in Lago; the exact decimal stays in the book.
    let rate = tax.rate.to_string().parse::<f64>().ok().and_then(Number::from_f64);
    json!({
        "lago_id": tax.id,
        "name": tax.name,
        "code": tax.code,
        "rate": rate,
        "description": tax.description,
        "applied_to_organization": tax.applied_to_organization,
        "created_at": iso(tax.created_at),
    })
}

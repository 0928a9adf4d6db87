//! `/webhook_endpoints`: who is told by webhook, and of what.

use axum::body::Bytes;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::NOTICE_ALGORITHM;
use crate::standin::answer::{Refusal, rooted};
use crate::standin::book::Book;
use crate::standin::keeper::{Answer, Keeper};
use crate::standin::period::iso;
use crate::standin::query::{All, Listed};
use crate::standin::records::{Record, WebhookEndpoint};

const ROOT: &str = "webhook_endpoint";
/// Endpoints that an organisation may have.
const MOST_ENDPOINTS: usize = 10;

#[derive(Deserialize)]
struct Input {
    webhook_url: Option<String>,
    signature_algo: Option<String>,
    name: Option<String>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

impl Input {
    /// The stand-in has no secret to share.
    fn refuse_the_unsupported(&self) -> Result<(), Refusal> {
        match self.signature_algo.as_deref() {
            None | Some(NOTICE_ALGORITHM) => Ok(()),
            Some("hmac") => Err(Refusal::NotImplemented("signing webhooks by hmac".to_owned())),
            Some(_) => Err(Refusal::field("signature_algo", "value_is_invalid")),
        }
    }

    /// `None` when nothing was said; what was said as `["*"]` or null means everything.
    fn event_types(&self) -> Result<Option<Option<Vec<String>>>, Refusal> {
        match self.rest.get("event_types") {
            None => Ok(None),
            Some(Value::Null) => Ok(Some(None)),
            Some(Value::Array(kinds)) => {
                let kinds = kinds.iter().filter_map(Value::as_str).map(|kind| kind.trim().to_lowercase());
                let kinds: Vec<String> = kinds.filter(|kind| !kind.is_empty()).collect();
                Ok(Some((kinds != ["*"]).then_some(kinds)))
            }
            Some(_) => Err(Refusal::field("event_types", "must_be_array")),
        }
    }

    /// The address, which no other endpoint has.
    fn url(&self, book: &Book, own: Option<Uuid>) -> Result<String, Refusal> {
        let url = self.webhook_url.clone().unwrap_or_default();
        if !(url.starts_with("http://") || url.starts_with("https://")) {
            return Err(Refusal::field("webhook_url", "url_is_invalid"));
        }
        let is_taken = |endpoint: &WebhookEndpoint| endpoint.webhook_url == url && Some(endpoint.id) != own;
        if book.webhook_endpoints.iter().any(is_taken) {
            return Err(Refusal::field("webhook_url", "value_already_exist"));
        }
        Ok(url)
    }
}

pub(super) async fn create(State(keeper): State<Keeper>, body: Bytes) -> Answer {
    let input: Input = rooted(&body, ROOT)?;
    input.refuse_the_unsupported()?;
    let event_types = input.event_types()?.flatten();
    keeper
        .change(move |book, now| {
            let webhook_url = input.url(book, None)?;
            if book.webhook_endpoints.len() >= MOST_ENDPOINTS {
                return Err(Refusal::field("base", "exceeded_limit"));
            }
            let endpoint = WebhookEndpoint {
                id: Uuid::now_v7(),
                webhook_url,
                signature_algo: NOTICE_ALGORITHM.to_owned(),
                name: input.name,
                event_types,
                created_at: now,
            };
            let answer = json!({ ROOT: view(&endpoint) });
            Ok((vec![Record::WebhookEndpoint(endpoint)], answer))
        })
        .await
}

pub(super) async fn update(State(keeper): State<Keeper>, Path(id): Path<String>, body: Bytes) -> Answer {
    let input: Input = rooted(&body, ROOT)?;
    input.refuse_the_unsupported()?;
    let event_types = input.event_types()?;
    keeper
        .change(move |book, _| {
            let mut endpoint = find(book, &id)?.clone();
            if input.webhook_url.is_some() {
                endpoint.webhook_url = input.url(book, Some(endpoint.id))?;
            }
            endpoint.signature_algo = input.signature_algo.unwrap_or(endpoint.signature_algo);
            endpoint.name = input.name.or(endpoint.name);
            endpoint.event_types = event_types.unwrap_or(endpoint.event_types);
            let answer = json!({ ROOT: view(&endpoint) });
            Ok((vec![Record::WebhookEndpoint(endpoint)], answer))
        })
        .await
}

/// What is still to be told there is told no more.
pub(super) async fn destroy(State(keeper): State<Keeper>, Path(id): Path<String>) -> Answer {
    keeper
        .change(move |book, _| {
            let endpoint = find(book, &id)?;
            Ok((vec![Record::WebhookEndpointGone(endpoint.id)], json!({ ROOT: view(endpoint) })))
        })
        .await
}

pub(super) async fn show(State(keeper): State<Keeper>, Path(id): Path<String>) -> Answer {
    keeper.read(move |book, _| Ok(json!({ ROOT: view(find(book, &id)?) }))).await
}

pub(super) async fn list(State(keeper): State<Keeper>, Listed { paging, .. }: Listed<All>) -> Answer {
    keeper
        .read(move |book, _| Ok(paging.answer("webhook_endpoints", book.webhook_endpoints.iter().map(view).collect())))
        .await
}

fn find<'a>(book: &'a Book, id: &str) -> Result<&'a WebhookEndpoint, Refusal> {
    let id = id.parse::<Uuid>().ok();
    let found = book.webhook_endpoints.iter().find(|endpoint| Some(endpoint.id) == id);
    found.ok_or(Refusal::NotFound(ROOT))
}

fn view(endpoint: &WebhookEndpoint) -> Value {
    json!({
        "lago_id": endpoint.id,
        "lago_organization_id": Uuid::nil(),
        "webhook_url": endpoint.webhook_url,
        "signature_algo": endpoint.signature_algo,
        "name": endpoint.name,
        "event_types": endpoint.event_types,
        "created_at": iso(endpoint.created_at),
    })
}

//! Namespace and search attributes, registered by API on any Temporal server. Idempotent.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use temporalio_common::protos::temporal::api::enums::v1::IndexedValueType;
use temporalio_common::protos::temporal::api::operatorservice::v1::{
    AddSearchAttributesRequest, ListSearchAttributesRequest,
};
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    DescribeNamespaceRequest, RegisterNamespaceRequest,
};
use tonic::{Code, IntoRequest};
use workflows::attributes;

use crate::Client;

/// How long a closed workflow stays visible.
const RETENTION: Duration = Duration::from_secs(7 * 24 * 3600);
/// What our search attributes are: compared as a whole, never split into words.
const KIND: IndexedValueType = IndexedValueType::Keyword;
/// Frontends cache their namespaces for some seconds; a new one is not known everywhere at once.
const PATIENCE: Duration = Duration::from_secs(60);

/// What was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub namespace_registered: bool,
    pub attributes_added: BTreeSet<&'static str>,
}

/// Registers what is missing, and returns when the server knows it.
///
/// # Errors
/// The server is away or refuses, or a search attribute is there and of another type.
pub async fn ensure(client: &Client) -> Result<Report> {
    let namespace = client.options().namespace.clone();
    let namespace_registered = ensure_namespace(client, &namespace).await?;
    let attributes_added = ensure_attributes(client, &namespace).await?;
    Ok(Report { namespace_registered, attributes_added })
}

/// Whether it was registered here.
async fn ensure_namespace(client: &Client, namespace: &str) -> Result<bool> {
    if is_known(client, namespace).await? {
        return Ok(false);
    }
    let request = RegisterNamespaceRequest {
        namespace: namespace.to_owned(),
        description: "Zama Jobs".to_owned(),
        workflow_execution_retention_period: RETENTION.try_into().ok(),
        ..Default::default()
    };
    match client.connection().workflow_service().register_namespace(request.into_request()).await {
        Ok(_) => Ok(true),
        Err(status) if status.code() == Code::AlreadyExists => Ok(false),
        Err(status) => Err(status).with_context(|| format!("Failed to register namespace {namespace}")),
    }
}

async fn is_known(client: &Client, namespace: &str) -> Result<bool> {
    let request = DescribeNamespaceRequest { namespace: namespace.to_owned(), ..Default::default() };
    match client.connection().workflow_service().describe_namespace(request.into_request()).await {
        Ok(_) => Ok(true),
        Err(status) if status.code() == Code::NotFound => Ok(false),
        Err(status) => Err(status).context("Failed to look up the namespace"),
    }
}

async fn ensure_attributes(client: &Client, namespace: &str) -> Result<BTreeSet<&'static str>> {
    let began = Instant::now();
    let mut added = BTreeSet::new();
    loop {
        match known(client, namespace).await {
            Ok(known) => {
                let missing = missing(&known, namespace)?;
                if missing.is_empty() {
                    return Ok(added);
                }
                ensure!(began.elapsed() < PATIENCE, "namespace {namespace} does not show what was added: {missing:?}");
                add(client, namespace, &missing).await?;
                added.extend(missing);
            }
            Err(error) if began.elapsed() > PATIENCE => return Err(error),
            Err(error) => tracing::debug!(error = format!("{error:#}"), "the namespace is not known everywhere yet"),
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// The namespace's own search attributes and their types, as the protocol numbers them.
async fn known(client: &Client, namespace: &str) -> Result<HashMap<String, i32>> {
    let request = ListSearchAttributesRequest { namespace: namespace.to_owned() };
    let listed = client.connection().operator_service().list_search_attributes(request.into_request()).await;
    Ok(listed.context("Failed to list search attributes")?.into_inner().custom_attributes)
}

fn missing(known: &HashMap<String, i32>, namespace: &str) -> Result<Vec<&'static str>> {
    let mut missing = Vec::new();
    for name in [attributes::TENANT.name(), attributes::JOB_TYPE.name(), attributes::STATUS.name()] {
        match known.get(name) {
            None => missing.push(name),
            Some(kind) if *kind == i32::from(KIND) => {}
            Some(kind) => bail!(
                "search attribute {name} of namespace {namespace} is of type {}, not {}: remove it \
                 (temporal operator search-attribute remove), or take another namespace (temporal.namespace)",
                spelt(*kind),
                spelt(KIND.into())
            ),
        }
    }
    Ok(missing)
}

/// As Temporal's command line spells a type, but for the case.
fn spelt(kind: i32) -> &'static str {
    let name = IndexedValueType::try_from(kind).unwrap_or_default().as_str_name();
    name.strip_prefix("INDEXED_VALUE_TYPE_").unwrap_or(name)
}

async fn add(client: &Client, namespace: &str, names: &[&str]) -> Result<()> {
    let search_attributes = names.iter().map(|name| ((*name).to_owned(), i32::from(KIND))).collect();
    let request = AddSearchAttributesRequest { search_attributes, namespace: namespace.to_owned() };
    match client.connection().operator_service().add_search_attributes(request.into_request()).await {
        Ok(_) => Ok(()),
        Err(status) if status.code() == Code::AlreadyExists => Ok(()),
        Err(status) => Err(status).context("Failed to add search attributes"),
    }
}

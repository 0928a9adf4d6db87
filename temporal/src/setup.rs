//! Namespace and search attributes, registered by API on any Temporal server. Idempotent.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, Result};
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
/// Frontends cache their namespaces for some seconds; a new one is not known everywhere at once.
const PATIENCE: Duration = Duration::from_secs(60);

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub namespace_registered: bool,
    pub attributes_added: Vec<String>,
}

/// Registers what is missing, and returns when the server knows it.
///
/// # Errors
/// The server is away, or refuses.
pub async fn ensure(client: &Client) -> Result<Report> {
    let namespace = client.options().namespace.clone();
    let namespace_registered = ensure_namespace(client, &namespace).await?;
    let attributes_added = ensure_attributes(client, &namespace).await?;
    Ok(Report { namespace_registered, attributes_added })
}

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
    let registered = client.connection().workflow_service().register_namespace(request.into_request()).await;
    match registered {
        Ok(_) => {}
        Err(status) if status.code() == Code::AlreadyExists => {}
        Err(status) => return Err(status).with_context(|| format!("Failed to register namespace {namespace}")),
    }
    Ok(true)
}

async fn is_known(client: &Client, namespace: &str) -> Result<bool> {
    let request = DescribeNamespaceRequest { namespace: namespace.to_owned(), ..Default::default() };
    match client.connection().workflow_service().describe_namespace(request.into_request()).await {
        Ok(_) => Ok(true),
        Err(status) if status.code() == Code::NotFound => Ok(false),
        Err(status) => Err(status).context("Failed to look up the namespace"),
    }
}

async fn ensure_attributes(client: &Client, namespace: &str) -> Result<Vec<String>> {
    let wanted = [attributes::TENANT.name(), attributes::JOB_TYPE.name(), attributes::STATUS.name()];
    let started = std::time::Instant::now();
    let mut added = Vec::new();
    loop {
        match missing(client, namespace, &wanted).await {
            Ok(missing) if missing.is_empty() => return Ok(added),
            Ok(missing) => {
                add(client, namespace, &missing).await?;
                added = missing;
            }
            Err(error) if started.elapsed() > PATIENCE => return Err(error),
            Err(error) => tracing::debug!(error = format!("{error:#}"), "the namespace is not known everywhere yet"),
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn missing(client: &Client, namespace: &str, wanted: &[&str]) -> Result<Vec<String>> {
    let request = ListSearchAttributesRequest { namespace: namespace.to_owned() };
    let listed = client.connection().operator_service().list_search_attributes(request.into_request()).await;
    let known = listed.context("Failed to list search attributes")?.into_inner().custom_attributes;
    Ok(wanted.iter().filter(|name| !known.contains_key(**name)).map(ToString::to_string).collect())
}

async fn add(client: &Client, namespace: &str, names: &[String]) -> Result<()> {
    let keyword = i32::from(IndexedValueType::Keyword);
    let search_attributes: HashMap<_, _> = names.iter().map(|name| (name.clone(), keyword)).collect();
    let request = AddSearchAttributesRequest { search_attributes, namespace: namespace.to_owned() };
    match client.connection().operator_service().add_search_attributes(request.into_request()).await {
        Ok(_) => Ok(()),
        Err(status) if status.code() == Code::AlreadyExists => Ok(()),
        Err(status) => Err(status).context("Failed to add search attributes"),
    }
}

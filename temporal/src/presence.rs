//! Whether Temporal and the workers are there: asked on a connection of its own, which is made when it is first needed.

use std::time::{Duration, SystemTime};

use temporalio_common::protos::temporal::api::enums::v1::TaskQueueType;
use temporalio_common::protos::temporal::api::taskqueue::v1::TaskQueue;
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    DescribeNamespaceRequest, DescribeTaskQueueRequest,
};
use tokio::sync::OnceCell;
use tonic::IntoRequest;
use workflows::task_queue::Queue;

use crate::connect::{Target, connect};
use crate::{Client, EngineError};

/// One for a process. Whoever asks sets the limit of time.
pub struct Presence {
    target: Target,
    client: OnceCell<Client>,
}

impl Presence {
    /// Does not connect yet.
    #[must_use]
    pub fn of(target: Target) -> Self {
        Self { target, client: OnceCell::new() }
    }

    /// Whether the server answers, and knows our namespace.
    ///
    /// # Errors
    /// It is away, or refuses.
    pub async fn namespace(&self) -> Result<(), EngineError> {
        let client = self.client().await?;
        let request = DescribeNamespaceRequest { namespace: self.target.namespace.clone(), ..Default::default() };
        client.connection().workflow_service().describe_namespace(request.into_request()).await?;
        Ok(())
    }

    /// How long ago a worker asked for work of this queue; `None`: not within the server's memory (minutes).
    ///
    /// # Errors
    /// The server is away, or refuses.
    pub async fn since_last_poll(&self, queue: Queue) -> Result<Option<Duration>, EngineError> {
        let client = self.client().await?;
        let kind = match queue {
            Queue::Jobs => TaskQueueType::Workflow,
            Queue::Compute | Queue::Fhe => TaskQueueType::Activity,
        };
        let request = DescribeTaskQueueRequest {
            namespace: self.target.namespace.clone(),
            task_queue: Some(TaskQueue { name: queue.as_str().to_owned(), ..Default::default() }),
            task_queue_type: kind.into(),
            ..Default::default()
        };
        let described = client.connection().workflow_service().describe_task_queue(request.into_request()).await?;
        let now = SystemTime::now();
        let polls = described.into_inner().pollers.into_iter().filter_map(|poller| poller.last_access_time);
        let ages = polls.filter_map(|at| SystemTime::try_from(at).ok());
        // A clock ahead of ours makes no poll older.
        Ok(ages.map(|at| now.duration_since(at).unwrap_or_default()).min())
    }

    async fn client(&self) -> Result<&Client, EngineError> {
        let connected = self.client.get_or_try_init(async || connect(&self.target).await).await;
        connected.map_err(|error| EngineError::Unavailable(format!("{error:#}")))
    }
}

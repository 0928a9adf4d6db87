//! What the platform asks of Temporal: start a job's workflow once, cancel a run, look after a run, complete a
//! confirmation. Every call but the start names workflow id and run id.

use jobs::submission::JobType;
use jobs::{JobId, JobStatus};
use store::cancel::WorkflowRun;
use store::starts::PendingStart;
use temporalio_client::errors::{AsyncActivityError, WorkflowInteractionError, WorkflowStartError};
use temporalio_client::{
    ActivityIdentifier, Client, RpcOptions, UntypedWorkflow, WorkflowCancelOptions, WorkflowDescribeOptions,
    WorkflowExecutionInfo, WorkflowExecutionStatus, WorkflowHandle, WorkflowIdConflictPolicy, WorkflowIdReusePolicy,
    WorkflowStartOptions,
};
use temporalio_common::data_converters::TemporalSerializable;
use temporalio_common::search_attributes::SearchAttributes;
use temporalio_common::{MemoValues, Priority, WorkflowDefinition};
use workflows::activities::{CONFIRM_ACTIVITY_ID, Step};
use workflows::{
    BatcherInput, BatcherWorkflow, JobInput, JobWorkflow, KeyCheckInput, KeyCheckWorkflow, ReporterInput,
    ReporterWorkflow, UsageHoursInput, UsageHoursWorkflow, attributes, task_queue,
};

use crate::engine_error::{EngineError, is_gone};

/// Temporal as the platform sees it. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    client: Client,
}

/// Whether a run still works on its job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    Running,
    /// Closed, or not known to the server.
    Gone,
}

impl Engine {
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Starts a job's workflow and answers its run. One that exists is a success only if its memo names this job.
    ///
    /// # Errors
    /// Temporal is away or refuses, or the id belongs to another job.
    pub async fn start_job(&self, start: &PendingStart) -> Result<WorkflowRun, EngineError> {
        let search = SearchAttributes::new([
            attributes::TENANT.value_set(start.tenant.to_string()),
            attributes::JOB_TYPE.value_set(start.job_type.as_str().to_owned()),
            attributes::STATUS.value_set(JobStatus::Pending.as_str().to_owned()),
        ]);
        let mut memo = MemoValues::new();
        memo.insert(attributes::JOB_ID_MEMO, start.job_id.to_string());
        let options = WorkflowStartOptions::new(task_queue::JOBS, start.workflow_id.clone())
            .id_reuse_policy(WorkflowIdReusePolicy::RejectDuplicate)
            .id_conflict_policy(WorkflowIdConflictPolicy::Fail)
            .search_attributes(search)
            .memo(memo)
            .priority(Priority::builder().fairness_key(start.tenant.to_string()).build())
            .static_summary(format!("{} for {}", start.algorithm, start.tenant))
            .build();
        match self.client.start_workflow(JobWorkflow::run, job_input(start), options).await {
            Ok(handle) => Ok(run_of(start, handle.run_id().unwrap_or_default())),
            Err(WorkflowStartError::AlreadyStarted { run_id, .. }) => {
                self.adopt(run_of(start, &run_id.unwrap_or_default()), start.job_id).await
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn adopt(&self, run: WorkflowRun, job: JobId) -> Result<WorkflowRun, EngineError> {
        let described = self.handle(&run).describe(WorkflowDescribeOptions::default()).await;
        let description = described?;
        let memo: Option<String> = description.memo().get(attributes::JOB_ID_MEMO).ok().flatten();
        if memo.as_deref() == Some(job.to_string().as_str()) {
            Ok(WorkflowRun { run_id: description.run_id().to_owned(), ..run })
        } else {
            Err(EngineError::Conflict(run.workflow_id))
        }
    }

    /// Tells a run that its job is cancelled. A run that is gone needs no telling.
    ///
    /// # Errors
    /// Temporal is away, or refuses.
    pub async fn cancel(&self, run: &WorkflowRun) -> Result<(), EngineError> {
        let options = WorkflowCancelOptions::builder().reason("cancelled by the client".to_owned()).build();
        match self.handle(run).cancel(options).await {
            Ok(()) => Ok(()),
            Err(WorkflowInteractionError::NotFound(status)) if is_gone(&status) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Looks after a run.
    ///
    /// # Errors
    /// Temporal is away, or refuses.
    pub async fn run_state(&self, run: &WorkflowRun) -> Result<RunState, EngineError> {
        match self.handle(run).describe(WorkflowDescribeOptions::default()).await {
            Ok(description) if description.status() == WorkflowExecutionStatus::Running => Ok(RunState::Running),
            Ok(_) => Ok(RunState::Gone),
            Err(WorkflowInteractionError::NotFound(status)) if is_gone(&status) => Ok(RunState::Gone),
            Err(error) => Err(error.into()),
        }
    }

    /// Completes a job's confirmation from outside. A confirmation that does not wait yet, or no longer, reads the
    /// database by itself.
    ///
    /// # Errors
    /// Temporal is away, or refuses.
    pub async fn complete_confirmation(&self, run: &WorkflowRun) -> Result<(), EngineError> {
        let id = ActivityIdentifier::by_id_workflow(&run.workflow_id, &run.run_id, CONFIRM_ACTIVITY_ID);
        match self
            .client
            .get_async_activity_handle(id)
            .complete(Some(Step::Ended(JobStatus::Completed)), RpcOptions::default())
            .await
        {
            Ok(()) => Ok(()),
            Err(AsyncActivityError::NotFound(status)) if is_gone(&status) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes sure that the registry's batcher runs.
    ///
    /// # Errors
    /// Temporal is away, or refuses.
    pub async fn ensure_batcher(&self, input: BatcherInput) -> Result<(), EngineError> {
        let id = input.workflow_id();
        self.ensure(BatcherWorkflow::run, input, id).await
    }

    /// Makes sure that the usage reporter runs.
    ///
    /// # Errors
    /// Temporal is away, or refuses.
    pub async fn ensure_reporter(&self, input: ReporterInput) -> Result<(), EngineError> {
        self.ensure(ReporterWorkflow::run, input, ReporterInput::WORKFLOW_ID.to_owned()).await
    }

    /// Makes sure that the hours of usage are booked.
    ///
    /// # Errors
    /// Temporal is away, or refuses.
    pub async fn ensure_usage_hours(&self, input: UsageHoursInput) -> Result<(), EngineError> {
        self.ensure(UsageHoursWorkflow::run, input, UsageHoursInput::WORKFLOW_ID.to_owned()).await
    }

    /// Makes sure that an uploaded evaluation key is checked.
    ///
    /// # Errors
    /// Temporal is away, or refuses.
    pub async fn ensure_key_check(&self, input: KeyCheckInput) -> Result<(), EngineError> {
        let id = input.workflow_id();
        self.ensure(KeyCheckWorkflow::run, input, id).await
    }

    async fn ensure<W>(&self, workflow: W, input: W::Input, id: String) -> Result<(), EngineError>
    where
        W: temporalio_common::HasWorkflowDefinition + WorkflowDefinition,
        W::Input: Send + TemporalSerializable,
    {
        let options = WorkflowStartOptions::new(task_queue::JOBS, id)
            .id_conflict_policy(WorkflowIdConflictPolicy::UseExisting)
            .build();
        match self.client.start_workflow(workflow, input, options).await {
            Ok(_) | Err(WorkflowStartError::AlreadyStarted { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn handle(&self, run: &WorkflowRun) -> WorkflowHandle<Client, UntypedWorkflow> {
        let info = WorkflowExecutionInfo::builder()
            .namespace(self.client.options().namespace.clone())
            .workflow_id(run.workflow_id.clone())
            .run_id(run.run_id.clone())
            .build();
        WorkflowHandle::new(self.client.clone(), info)
    }
}

fn run_of(start: &PendingStart, run_id: &str) -> WorkflowRun {
    WorkflowRun { workflow_id: start.workflow_id.clone(), run_id: run_id.to_owned() }
}

fn job_input(start: &PendingStart) -> JobInput {
    let queue = match start.job_type {
        JobType::Compute => task_queue::COMPUTE,
        JobType::FheCompute => task_queue::FHE,
    };
    JobInput {
        job_id: start.job_id,
        job_type: start.job_type,
        compute_queue: queue.to_owned(),
        algorithm: start.algorithm.clone(),
        timeout_seconds: start.timeout_seconds.unsigned_abs(),
        deadline_ms: start.deadline.and_then(|time| u64::try_from(time.timestamp_millis()).ok()),
        request_id: start.request_id.clone(),
    }
}

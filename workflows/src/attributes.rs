//! Search attributes by which operators find workflows.

use temporalio_workflow::common::search_attributes::SearchAttributeKey;

/// The job's tenant.
pub const TENANT: SearchAttributeKey<String> = SearchAttributeKey::keyword("ZamaTenant");
/// `compute` or `fhe_compute`.
pub const JOB_TYPE: SearchAttributeKey<String> = SearchAttributeKey::keyword("ZamaJobType");
/// The job's state, as clients see it.
pub const STATUS: SearchAttributeKey<String> = SearchAttributeKey::keyword("ZamaStatus");

/// Memo field that holds the job id: a start that already exists is ours only when it agrees.
pub const JOB_ID_MEMO: &str = "job_id";

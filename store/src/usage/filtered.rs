//! Which rows a filter wants, in SQL: said once, so that sums are those of the rows that are listed.

/// The rows of a `UsageFilter`: each of its plans as `$select!(of_job, within, wanted, time)`, which puts
/// these pieces of SQL into its query. No plan suits all: a job's rows are found by it, all others by the time that is asked
/// about. A bound of the other time is written so that no index has it.
///
/// Parameters: 1 tenant, 2 job, 3 user, 4 metric, 5 and 6 `from` and `until`, 10 and 11 `billed_from` and `billed_until`.
macro_rules! select_filtered {
    ($select:ident, $filter:expr, $pool:expr) => {
        match ($filter.job, $filter.is_by_billing()) {
            (Some(_), false) => select_filtered!($select by use "job_id = $2::uuid").fetch_all($pool).await?,
            (Some(_), true) => select_filtered!($select by billing "job_id = $2::uuid").fetch_all($pool).await?,
            (None, false) => select_filtered!($select by use "$2::uuid IS NULL").fetch_all($pool).await?,
            (None, true) => select_filtered!($select by billing "$2::uuid IS NULL").fetch_all($pool).await?,
        }
    };
    ($select:ident by use $of_job:tt) => {
        select_filtered!(
            $select with $of_job
            "occurred_at >= coalesce($5::timestamptz, '-infinity')
             AND occurred_at < coalesce($6::timestamptz, 'infinity')
             AND $10::timestamptz IS NULL AND ($11::timestamptz IS NULL OR billed_at < $11)"
            "occurred_at"
        )
    };
    ($select:ident by billing $of_job:tt) => {
        select_filtered!(
            $select with $of_job
            "billed_at >= $10::timestamptz AND billed_at < coalesce($11::timestamptz, 'infinity')
             AND ($5::timestamptz IS NULL OR occurred_at >= $5) AND ($6::timestamptz IS NULL OR occurred_at < $6)"
            "billed_at"
        )
    };
    ($select:ident with $of_job:tt $within:tt $time:tt) => {
        $select!(
            $of_job,
            $within,
            "($3::text IS NULL OR EXISTS (SELECT 1 FROM jobs j WHERE j.id = u.job_id AND j.tenant = $1 AND j.user_id = $3))
             AND ($4::text IS NULL OR metric = $4)",
            $time
        )
    };
}

pub(super) use select_filtered;

//! Which jobs a confirmed batch holds, when the database forgot: the root tells whether a guess is right.
//!
//! Sealing takes waiting jobs in the order in which their outcomes were fixed and gives them rising indices, so that a
//! batch is a run of them. Receipts name jobs by their index; the run then fills the indices that are left.

use std::collections::BTreeMap;

use ::chain::ConfirmedBatch;
use jobs::leaf::Leaf;
use jobs::merkle::Batch;
use store::sealing::LeafJob;

use super::indices::indices;

/// The leaves of the batch in index order, if they lead to its root: `known` by their index, the rest a run of `waiting`.
pub(super) fn leaves(
    batch: &ConfirmedBatch,
    known: &BTreeMap<u64, LeafJob>,
    waiting: &[LeafJob],
) -> Option<Vec<LeafJob>> {
    let indices: Vec<u64> = indices(&batch.entries).collect();
    let missing = indices.iter().filter(|index| !known.contains_key(index)).count();
    let waiting: Vec<&LeafJob> =
        waiting.iter().filter(|job| !known.values().any(|other| other.job_id == job.job_id)).collect();
    if missing == 0 {
        return fitting(batch, &indices, known, &[]);
    }
    waiting.windows(missing).find_map(|run| fitting(batch, &indices, known, run))
}

fn fitting(
    batch: &ConfirmedBatch,
    indices: &[u64],
    known: &BTreeMap<u64, LeafJob>,
    run: &[&LeafJob],
) -> Option<Vec<LeafJob>> {
    let mut run = run.iter();
    let jobs: Vec<LeafJob> = indices
        .iter()
        .map(|index| match known.get(index) {
            Some(job) => Some(job.clone()),
            None => run.next().map(|job| LeafJob { leaf_index: *index, ..(*job).clone() }),
        })
        .collect::<Option<_>>()?;
    let leaves: Vec<Leaf> = jobs.iter().map(LeafJob::leaf).collect();
    let sealed = Batch::seal(&leaves).ok()?;
    (sealed.root() == batch.root && sealed.entries() == batch.entries).then_some(jobs)
}

#[cfg(test)]
mod tests {
    use ::chain::Block;
    use alloy::primitives::B256;
    use jobs::JobId;
    use jobs::leaf::LeafStatus;

    use super::*;

    fn job(number: u8) -> LeafJob {
        LeafJob {
            job_id: JobId::generate(),
            leaf_index: 0,
            leaf_status: LeafStatus::Completed,
            submitter: [1; 20],
            result_hash: [number; 32],
            content_hash: [2; 32],
            salt: [number; 32],
            handle: None,
        }
    }

    fn at(job: &LeafJob, leaf_index: u64) -> LeafJob {
        LeafJob { leaf_index, ..job.clone() }
    }

    fn confirmed(jobs: &[LeafJob]) -> ConfirmedBatch {
        let sealed = Batch::seal(&jobs.iter().map(LeafJob::leaf).collect::<Vec<_>>()).unwrap();
        let block = Block { number: 1, hash: B256::ZERO };
        ConfirmedBatch { root: sealed.root(), entries: sealed.entries().to_vec(), tx_hash: B256::ZERO, block }
    }

    fn ids(jobs: &[LeafJob]) -> Vec<JobId> {
        jobs.iter().map(|job| job.job_id).collect()
    }

    #[test]
    fn a_run_of_waiting_jobs_is_found_by_its_root() {
        let jobs: Vec<LeafJob> = (0..6).map(job).collect();
        // Indices may have gaps.
        let batch = confirmed(&[at(&jobs[2], 8), at(&jobs[3], 9), at(&jobs[4], 300)]);
        let found = leaves(&batch, &BTreeMap::new(), &jobs).unwrap();
        assert_eq!(ids(&found), ids(&jobs[2..5]));
        assert_eq!(found.iter().map(|job| job.leaf_index).collect::<Vec<_>>(), [8, 9, 300]);
    }

    #[test]
    fn receipts_name_what_the_order_does_not() {
        let jobs: Vec<LeafJob> = (0..5).map(job).collect();
        let batch = confirmed(&[at(&jobs[4], 0), at(&jobs[1], 1), at(&jobs[2], 2)]);
        assert!(leaves(&batch, &BTreeMap::new(), &jobs).is_none(), "no run gives that root");
        let known = BTreeMap::from([(0, at(&jobs[4], 0))]);
        assert_eq!(
            ids(&leaves(&batch, &known, &jobs).unwrap()),
            ids(&[jobs[4].clone(), jobs[1].clone(), jobs[2].clone()])
        );
        let all = BTreeMap::from([(0, at(&jobs[4], 0)), (1, at(&jobs[1], 1)), (2, at(&jobs[2], 2))]);
        assert!(leaves(&batch, &all, &[]).is_some());
    }

    #[test]
    fn a_foreign_root_has_no_leaves_here() {
        let jobs: Vec<LeafJob> = (0..3).map(job).collect();
        let foreign = ConfirmedBatch { root: B256::repeat_byte(7), ..confirmed(&[at(&jobs[0], 0)]) };
        assert!(leaves(&foreign, &BTreeMap::new(), &jobs).is_none());
        let bigger = confirmed(&(0..9).map(|number| at(&job(number), number.into())).collect::<Vec<_>>());
        assert!(leaves(&bigger, &BTreeMap::new(), &jobs).is_none());
        assert!(leaves(&bigger, &BTreeMap::new(), &[]).is_none());
    }
}

//! kill -9 of everything.

use crate::harness::Stack;

#[tokio::test]
async fn open_jobs_complete_after_the_next_start() {
    let mut stack =
        Stack::with(&[("ZAMA__DEVELOPMENT__COMPUTE_PAUSE_MS", "2000"), ("ZAMA__DISPATCHER__CLAIM_SECONDS", "5")]);
    let (tenant, token, ids) = {
        let zama = stack.tenant();
        let submitted = zama.submits_at_once(12).await;
        let ids: Vec<_> = submitted.iter().map(|job| job.id).collect();
        (zama.tenant, zama.token, ids)
    };
    stack.dies_and_starts_again();
    let zama = crate::harness::Zama::new(&stack, tenant, token);
    zama.all_complete_confirmed_and_billed_once(&ids).await;
    for id in ids {
        stack.verifies(&zama.job(id).receipt().await).await;
    }
    // The workflows of before, not others in their place: those would be `{tenant}/{key}/1`.
    let listed = stack.lists(12, &zama.tenant).await;
    assert!(listed.iter().all(|id| id.matches('/').count() == 1), "started anew: {listed:?}");
}

//! kill -9 of everything.

use futures::future::join_all;

use crate::harness::{Stack, factor};

#[tokio::test]
async fn open_jobs_complete_after_the_next_start() {
    let mut stack = Stack::with(&[("ZAMA__DEVELOPMENT__COMPUTE_PAUSE_MS", "500")]);
    let (tenant, token, ids) = {
        let zama = stack.tenant();
        let bodies: Vec<_> = (0..12).map(|number| factor(1_000_003 + number)).collect();
        let submitted = join_all(bodies.iter().map(|body| zama.submit(body))).await;
        let ids: Vec<_> = submitted.iter().map(|job| job.id).collect();
        (zama.tenant, zama.token, ids)
    };
    stack.dies_and_starts_again();
    let zama = crate::harness::Zama::new(&stack, tenant, token);
    zama.all_complete_confirmed_and_billed_once(&ids).await;
    for id in ids {
        stack.verifies(&zama.job(id).receipt().await).await;
    }
    stack.lists(12, &zama.tenant).await;
}

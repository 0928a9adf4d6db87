//! Transactions that the node drops: it gets the same ones again.

use jobs::JobId;
use serde_json::json;

use crate::harness::{Sent, Stack, Zama, factor, until};

#[tokio::test]
async fn what_the_node_dropped_is_sent_again_under_its_nonce() {
    let stack = Stack::with(&[("ZAMA__CHAIN__BATCH_MAX_JOBS", "1")]);
    let zama = stack.tenant();
    let mut ids = Vec::new();

    let (alone, sent) = in_flight(&zama, 1, 91).await;
    keeps_only(&stack, &[], &sent).await;
    stack.mines().await;
    ids.extend(alone);
    zama.recovers(&ids).await;

    // The lowest of several.
    let (several, sent) = in_flight(&zama, 3, 101).await;
    keeps_only(&stack, &sent[1..], &sent).await;
    stack.mines().await;
    ids.extend(several);
    zama.recovers(&ids).await;

    let (several, sent) = in_flight(&zama, 3, 201).await;
    keeps_only(&stack, &[], &sent).await;
    stack.mines().await;
    ids.extend(several);
    zama.recovers(&ids).await;

    let all = stack.sent().await;
    assert!(all.iter().all(|sent| sent.purpose == "BATCH"), "no nonce was given away: {all:?}");
    let landed: Vec<i64> = all.iter().filter(|sent| sent.state == "CONFIRMED").map(|sent| sent.nonce).collect();
    assert_eq!(landed, (0..7).collect::<Vec<_>>(), "a nonce a batch: {all:?}");
}

/// So many jobs whose batches are at the node, each in a transaction of its own, while no block comes.
async fn in_flight(zama: &Zama<'_>, count: u64, first: u64) -> (Vec<JobId>, Vec<Sent>) {
    let stack = zama.stack;
    let before = stack.sent().await.len();
    stack.stops_mining().await;
    let mut ids = Vec::new();
    for turn in 0..count {
        ids.push(zama.submit(&factor(first + 2 * turn)).await.id);
    }
    let sent = until("each is at the node", async || {
        let sent = stack.sent().await.split_off(before);
        let all = sent.len() as u64 == count && sent.iter().all(|sent| sent.state == "SENT");
        all.then_some(sent)
    });
    let sent = sent.await;
    (ids, sent)
}

/// The node has dropped these, but for some that wait there because nothing has the account's next nonce. What the sender
/// repeats meanwhile is dropped again.
async fn keeps_only(stack: &Stack, kept: &[Sent], sent: &[Sent]) {
    until("the node has dropped them", async || {
        for sent in sent {
            stack.calls_node("anvil_dropTransaction", json!([sent.hash])).await;
        }
        for kept in kept {
            stack.offers(&stack.raw(kept.hash).await).await;
        }
        (stack.pool().await == (0, kept.len() as u64)).then_some(())
    })
    .await;
}

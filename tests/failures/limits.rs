//! Limits of one plan over several processes of the API.

use std::collections::BTreeMap;

use futures::future::join_all;
use serde_json::Value;
use sqlx::Row as _;

use crate::harness::{Answer, CROWD, SecondApi, Stack, Zama, factor, until};

/// A plan with room for 50 active jobs of a developer and 100 units, two for each job; requests have no limit.
const EXACT: &[(&str, &str)] = &[
    ("ZAMA__LIMITS__PLANS__DEFAULT__REQUESTS_PER_MINUTE", "0"),
    ("ZAMA__LIMITS__PLANS__DEFAULT__REQUESTS_PER_HOUR", "0"),
    ("ZAMA__LIMITS__PLANS__DEFAULT__COMPUTE_UNITS_PACKAGE", "100"),
    ("ZAMA__LIMITS__PLANS__DEFAULT__COMPUTE_UNITS_CEILING", "200"),
    ("ZAMA__LIMITS__PLANS__DEFAULT__ACTIVE_JOBS_DEVELOPER", "50"),
    CROWD[0],
    CROWD[1],
];

/// Thirty requests at once, and hardly any later.
const RATES: &[(&str, &str)] = &[
    ("ZAMA__LIMITS__PLANS__DEFAULT__REQUESTS_PER_MINUTE", "30"),
    ("ZAMA__LIMITS__PLANS__DEFAULT__BURST", "30"),
    ("ZAMA__LIMITS__PLANS__DEFAULT__REQUESTS_PER_HOUR", "30"),
];

/// The tenant's plan is the limited one, on every process.
async fn limits(stack: &Stack, sides: &[&Zama<'_>]) {
    let tenant = &sides[0].tenant;
    let changed = stack.execute(sqlx::query("UPDATE tenants SET plan = 'default' WHERE id = $1").bind(tenant)).await;
    assert_eq!(changed, 1);
}

fn by_answer(answers: &[Answer]) -> BTreeMap<String, usize> {
    let mut count = BTreeMap::new();
    for answer in answers {
        let name = if answer.status == 202 { "202".to_owned() } else { answer.code().to_owned() };
        *count.entry(name).or_default() += 1;
    }
    count
}

/// Three processes under twice what a user may have: 2 % more would be one.
#[tokio::test]
async fn three_processes_admit_no_more_than_one_would() {
    let stack = Stack::with(EXACT);
    let (second, third) = (SecondApi::start(&stack).await, SecondApi::start_third(&stack).await);
    let zama = stack.tenant();
    let (other, another) = (zama.through(&second.origin), zama.through(&third.origin));
    let sides = [&zama, &other, &another];
    limits(&stack, &sides).await;
    // Nothing ends meanwhile.
    let outage = stack.stops("temporal");
    let answers = join_all((0..100).map(|turn| sides[turn % 3].posts_number(turn))).await;
    let counted = by_answer(&answers);
    let active = "SELECT count(*) FROM jobs WHERE tenant = $1 AND status IN ('PENDING', 'PROCESSING')";
    let stored: i64 = stack.rows(sqlx::query(active).bind(&zama.tenant)).await[0].get(0);
    let accepted = counted.get("202").copied().unwrap_or_default();
    assert_eq!(i64::try_from(accepted).unwrap(), stored, "{counted:?}");
    assert!(accepted <= 50, "{counted:?}");
    assert_eq!(accepted + counted.get("TOO_MANY_ACTIVE_JOBS").copied().unwrap_or_default(), 100, "{counted:?}");
    // Those who come again one after the other find the places that are left, and no more.
    let mut filled = accepted;
    for turn in 100..200 {
        filled += usize::from(sides[turn % 3].posts_number(turn).await.status == 202);
    }
    assert_eq!(filled, 50);
    outage.over();
    zama.has(50, "COMPLETED").await;

    // Of 200 units 100 are used: there are 50 jobs more in it, whoever takes them, and each warns.
    let outage = stack.stops("temporal");
    let answers = join_all((200..300).map(|turn| sides[turn % 3].posts_number(turn))).await;
    let mut accepted: Vec<&Answer> = answers.iter().filter(|answer| answer.status == 202).collect();
    let more = more_until_refused(&sides, 50 - accepted.len()).await;
    accepted.extend(&more);
    assert_eq!(accepted.len(), 50, "{:?}", by_answer(&answers));
    assert!(accepted.iter().all(|answer| answer.header("x-quota-warning").is_some()));
    outage.over();
    zama.has(100, "COMPLETED").await;
    let refused = sides[0].posts_number(1000).await;
    assert_eq!(refused.code(), "QUOTA_EXCEEDED", "{refused:?}");
    assert!(refused.header("retry-after").is_some());
}

/// As many as there must be room for, and then one too many.
async fn more_until_refused(sides: &[&Zama<'_>; 3], room: usize) -> Vec<Answer> {
    let mut more = Vec::new();
    for turn in 0..room {
        more.push(sides[turn % 3].posts_number(400 + turn).await);
    }
    let refused = sides[0].posts_number(500).await;
    assert!(["QUOTA_EXCEEDED", "TOO_MANY_ACTIVE_JOBS"].contains(&refused.code()), "{refused:?}");
    more
}

/// The rates of a plan are shared, and a dead process's share is the others' within seconds.
#[tokio::test]
async fn processes_share_a_rate_and_a_dead_ones_share_comes_back() {
    let stack = Stack::with(RATES);
    let (second, third) = (SecondApi::start(&stack).await, SecondApi::start_third(&stack).await);
    // How many of a new tenant's requests one process lets through, before it has used any.
    let share = async || {
        let zama = stack.tenant();
        limits(&stack, &[&zama]).await;
        let answer = zama.get("/v1/me").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.header("x-ratelimit-remaining").unwrap().parse::<u32>().unwrap() + 1
    };
    until("three processes share", async || (share().await == 10).then_some(())).await;
    drop(third);
    until("the dead one's share is the others'", async || (share().await == 15).then_some(())).await;
    drop(second);
    until("all of it is one's again", async || (share().await == 30).then_some(())).await;

    let zama = stack.tenant();
    limits(&stack, &[&zama]).await;
    let answers = join_all((0..60).map(|_| zama.get("/v1/me"))).await;
    let passed = answers.iter().filter(|answer| answer.status == 200).count();
    // One every two seconds comes back while they are asked.
    assert!((30..40).contains(&passed), "{passed} of 60 passed");
    let refused = answers.iter().find(|answer| answer.status == 429).expect("some are refused");
    let body: &Value = &refused.body;
    assert_eq!(body["code"], "RATE_LIMIT_EXCEEDED", "{refused:?}");
}

impl Zama<'_> {
    /// Submits a number of its own; the answer may be anything.
    async fn posts_number(&self, turn: usize) -> Answer {
        self.posts(&factor(1_000_003 + 2 * turn as u64), &[]).await
    }
}

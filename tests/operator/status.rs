//! `zama-jobs chain status`: everything at one look, whatever is away.

use serde_json::json;

use crate::stage::Stage;

#[tokio::test]
async fn it_shows_chain_signer_and_batches() {
    let stage = Stage::new().await;
    stage.confirmed(3).await;
    let waits = stage.outbox.confirming().await;
    let run = stage.operator.chain(&["status", "--json"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    let status = run.json();
    let chain = &status["chain"];
    assert_eq!(
        (&chain["chain_id"], &chain["code"], &chain["paused"]),
        (&json!(31337), &json!("registry"), &json!(false))
    );
    assert_eq!(chain["head"]["number"], json!(stage.operator.head().await));
    assert_eq!((&chain["signer"]["confirms"], &chain["signer"]["pauses"]), (&json!(true), &json!(false)));
    assert_eq!((&chain["signer"]["nonce"], &chain["signer"]["nonce_pending"]), (&json!(1), &json!(1)));
    let database = &status["database"];
    assert_eq!(database["anchored"], json!({"batches": 1, "jobs": 3}));
    assert_eq!((&database["unsealed_jobs"], &database["oldest_waiting"]["job_id"]), (&json!(1), &json!(waits)));
    assert_eq!((&database["next_index"], &database["highest_index"]), (&json!(3), &json!(2)));
    let text = stage.operator.chain(&["status"]).stdout;
    assert!(text.contains("CONFIRMER_ROLE") && text.ends_with("everything fits together\n"), "{text}");
}

#[tokio::test]
async fn a_low_balance_is_what_the_settings_call_low() {
    let mut stage = Stage::new().await;
    for (least, code) in [("10000", 0), ("10000.5", 9)] {
        stage.operator.set("ZAMA__CHAIN__LOW_BALANCE_ETH", least);
        let run = stage.operator.chain(&["status", "--json"]);
        assert_eq!(run.code, Some(code), "{run:?}");
        let findings = run.json()["findings"].as_array().unwrap().clone();
        assert!(findings.iter().all(|finding| finding["code"] == "low_balance"), "{findings:?}");
    }
}

#[tokio::test]
async fn a_transaction_that_is_stuck_and_a_batch_that_is_refused_are_found() {
    let stage = Stage::new().await;
    let batch = {
        stage.outbox.confirming().await;
        let batch = stage.seals(9).await;
        stage.sends(batch).await;
        batch
    };
    let run = stage.operator.chain(&["status", "--json"]);
    let waiting = &run.json()["database"]["waiting_transaction"];
    assert_eq!((run.code, &waiting["nonce"]), (Some(0), &json!(0)), "{run:?}");
    stage.outbox.execute("UPDATE chain_transactions SET created_at = now() - interval '1 h'").await;
    store::batches::note_refused(&stage.outbox.pool, batch, 7).await.unwrap();
    let run = stage.operator.chain(&["status", "--json"]);
    let codes: Vec<_> = run.json()["findings"].as_array().unwrap().iter().map(|it| it["code"].clone()).collect();
    assert_eq!((run.code, codes), (Some(9), vec![json!("refused"), json!("stuck_transaction")]), "{run:?}");
    assert!(stage.operator.chain(&["status"]).stdout.contains("waits for its block: nonce 0"));
}

#[tokio::test]
async fn what_does_not_fit_is_found() {
    let stage = Stage::new().await;
    stage.confirmed(1).await;
    let found = || {
        let run = stage.operator.chain(&["status", "--json"]);
        assert_eq!(run.code, Some(9), "{run:?}");
        let findings = run.json()["findings"].as_array().unwrap().clone();
        findings.iter().map(|finding| finding["code"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    stage.confirms_elsewhere(1).await;
    assert_eq!(found(), ["index_behind"]);
    stage.outbox.execute("ALTER SEQUENCE confirmation_index RESTART").await;
    assert_eq!(found(), ["index_behind", "sequence_behind"]);
    stage.outbox.execute("SELECT setval('confirmation_index', 9)").await;
    stage.outbox.execute("UPDATE batches SET block_hash = decode(repeat('ab', 32), 'hex')").await;
    assert_eq!(found(), ["reorganised"]);
    stage.outbox.execute("UPDATE batches SET block_number = 1000000").await;
    assert_eq!(found(), ["node_behind"]);
}

#[tokio::test]
async fn a_part_that_is_away_hides_no_other() {
    let mut stage = Stage::new().await;
    stage.confirmed(2).await;
    stage.operator.anvil.stop();
    let run = stage.operator.chain(&["status", "--json"]);
    assert_eq!(run.code, Some(8), "{run:?}");
    assert!(run.json()["chain"]["error"].is_string());
    assert_eq!(run.json()["database"]["anchored"]["jobs"], json!(2));

    let stage = {
        let mut stage = Stage::new().await;
        // Bound and dropped: a port on which nobody listens.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        stage.operator.set("ZAMA__DATABASE__URL", format!("postgres://nobody@127.0.0.1:{port}/none"));
        stage.operator.set("ZAMA__DATABASE__ACQUIRE_TIMEOUT_SECONDS", "1");
        stage
    };
    let run = stage.operator.chain(&["status", "--json"]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.json()["database"]["error"].is_string());
    assert_eq!(run.json()["chain"]["code"], json!("registry"));
    assert!(stage.operator.chain(&["status"]).stdout.contains("AWAY"));
}

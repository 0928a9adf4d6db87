//! GET /v1/usage by when it is billed

use api::token::Role;
use serde_json::{Value, json};

use crate::app::TestApp;

/// Around March: used before it and billed in it, twice at the same moment; of it, corrected; refused; taken back and booked
/// anew in April; and never sent.
const AROUND_MARCH: &str = "
    INSERT INTO usage_ledger (id, tenant, metric, segment, units, occurred_at, billed_at, delivered_at, dead_reason, voided,
                              reason, corrects) VALUES
        ('february', 'acme', 'api_calls', 'f', 7, '2026-02-10T00:00:00Z', '2026-02-10T00:00:00Z', '2026-02-10T00:00:30Z',
         NULL, false, NULL, NULL),
        ('late', 'acme', 'api_calls', 'l', 100, '2026-02-28T23:59:59.9Z', '2026-03-01T00:00:00Z', '2026-03-01T00:00:30Z',
         NULL, false, NULL, NULL),
        ('later', 'acme', 'api_calls', 'm', 1, '2026-02-28T23:59:59.8Z', '2026-03-01T00:00:00Z', '2026-03-01T00:00:30Z',
         NULL, false, NULL, NULL),
        ('refused', 'acme', 'api_calls', 'r', 5, '2026-03-10T00:00:00Z', '2026-03-10T00:00:00Z', NULL,
         '422: no', false, NULL, NULL),
        ('lost', 'acme', 'api_calls', 'b', 9, '2026-03-12T00:00:00Z', '2026-03-12T00:00:00Z', NULL,
         'no invoice has it', true, NULL, NULL),
        ('lost.1', 'acme', 'api_calls', 'b.1', -9, '2026-03-12T00:00:00Z', NULL, NULL,
         'no invoice has it', true, 'no invoice has it', 'lost'),
        ('lost.2', 'acme', 'api_calls', 'b.2', 9, '2026-03-12T00:00:00Z', '2026-04-01T00:00:00Z', '2026-04-01T00:02:00Z',
         NULL, false, 'no invoice has it', 'lost'),
        ('march', 'acme', 'api_calls', 'c', 50, '2026-03-31T23:00:00Z', '2026-03-31T23:00:00Z', '2026-03-31T23:00:30Z',
         NULL, false, NULL, NULL),
        ('march.1', 'acme', 'api_calls', 'c.1', -20, '2026-03-31T23:30:00Z', '2026-03-31T23:30:00Z', '2026-03-31T23:30:30Z',
         NULL, false, 'counted twice', 'march'),
        ('never', 'acme', 'api_calls', 'n', 3, '2026-03-20T00:00:00Z', NULL, NULL, NULL, false, NULL, NULL)";

/// Ids, states and what they correct.
const OF_MARCH: [(&str, &str, Option<&str>); 6] = [
    ("march.1", "delivered", Some("march")),
    ("march", "delivered", None),
    ("lost", "taken_back", None),
    ("refused", "refused", None),
    ("late", "delivered", None),
    ("later", "delivered", None),
];

#[tokio::test]
async fn what_is_billed_in_a_month_is_told_with_what_counts_of_it() {
    let app = TestApp::new().await;
    let ada = app.user("acme", "ada", Role::TeamLead).await;
    app.execute(AROUND_MARCH).await;
    let told = async |query: &str| app.get(&ada, &format!("/v1/usage?{query}")).await.expect(200);
    let ids = |page: &Value| -> Vec<String> {
        page["data"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
    };
    let (begins, ends) = ("2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z");
    let of_march = format!("billed_from={begins}&billed_until={ends}");
    let march = told(&format!("{of_march}&group_by=day")).await;
    let rows = march["data"].as_array().unwrap();
    let rows =
        rows.iter().map(|row| (row["id"].as_str().unwrap(), row["state"].as_str().unwrap(), row["corrects"].as_str()));
    assert_eq!(rows.collect::<Vec<_>>(), OF_MARCH, "the newest first, as they are billed");
    assert_eq!((&march["from"], &march["until"]), (&Value::Null, &Value::Null), "used at whatever time");
    assert_eq!((&march["billed_from"], &march["billed_until"]), (&json!(begins), &json!(ends)));
    assert_eq!(march["totals"], json!({"api_calls": 145}), "whatever becomes of them");
    let days = march["groups"].as_array().unwrap().iter();
    let days = days.map(|group| (group["day"].as_str().unwrap(), group["units"].as_i64().unwrap()));
    let expected = [("2026-03-31", 30), ("2026-03-12", 9), ("2026-03-10", 5), ("2026-02-28", 101)];
    assert_eq!(days.collect::<Vec<_>>(), expected, "by when they were used");

    // By pages, one of which ends between two of the same moment.
    for limit in [1, 2, 5] {
        let (mut read, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = told(&format!("billed_until={ends}&limit={limit}{cursor}")).await;
            assert_eq!(
                (&page["from"], &page["billed_from"]),
                (&Value::Null, &json!(begins)),
                "the month that it ends with"
            );
            read.extend(ids(&page));
            assert!(read.len() <= OF_MARCH.len(), "{read:?}");
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
            let elsewhere = app.get(&ada, &format!("/v1/usage?limit={limit}{cursor}")).await;
            assert_eq!(elsewhere.pointers(), ["/cursor"], "another list");
        }
        assert_eq!(read, OF_MARCH.map(|(id, ..)| id), "by {limit}");
    }

    // Both times have to fit.
    for (query, expected) in [
        (format!("{of_march}&until={begins}"), vec!["late", "later"]),
        (format!("{of_march}&from={begins}&metric=api_calls"), vec!["march.1", "march", "lost", "refused"]),
        (format!("{of_march}&metric=compute_units"), vec![]),
        (format!("from=2026-02-01T00:00:00Z&until={begins}&billed_until={begins}"), vec!["february"]),
        (format!("billed_from={ends}&billed_until=2026-05-01T00:00:00Z"), vec!["lost.2"]),
    ] {
        assert_eq!(ids(&told(&query).await), expected, "{query}");
    }

    let file = app.get(&ada, &format!("/v1/usage.csv?{of_march}")).await;
    let text = String::from_utf8(file.body.to_vec()).unwrap();
    let lines: Vec<Vec<&str>> = text.lines().skip(1).map(|line| line.split(',').collect()).collect();
    let told = lines.iter().map(|line| (line[0], line[10], Some(line[11]).filter(|corrects| !corrects.is_empty())));
    assert_eq!(told.collect::<Vec<_>>(), OF_MARCH, "in the same words");
    let billed = lines.iter().filter(|line| line[10] == "delivered").map(|line| line[3].parse::<i64>().unwrap());
    assert_eq!(billed.sum::<i64>(), 100 + 1 + 50 - 20, "what the invoice has");
}

#[tokio::test]
async fn a_jobs_rows_are_found_by_when_they_are_billed_too() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let job = app.accepted(&ada).await;
    let path = format!("/v1/usage?job_id={job}&group_by=job&billed_from=1990-01-01T00:00:00Z");
    let unsent = app.get(&ada, &path).await.expect(200);
    assert_eq!((&unsent["totals"], &unsent["data"]), (&json!({}), &json!([])), "nothing of it was sent");
    let sent = "UPDATE usage_ledger SET billed_at = occurred_at, delivered_at = now()";
    app.execute(sent).await;
    let billed = app.get(&ada, &path).await.expect(200);
    assert_eq!((&billed["totals"], &billed["data"][0]["state"]), (&json!({"jobs_submitted": 1}), &json!("delivered")));
    assert_eq!(billed["groups"], json!([{"day": null, "job_id": job, "metric": "jobs_submitted", "units": 1}]));
    let row = app.job(&ada, &job).await["billing"]["lines"][0]["rows"][0].clone();
    assert_eq!((&row["id"], &row["state"]), (&billed["data"][0]["id"], &billed["data"][0]["state"]), "as the job says");
}

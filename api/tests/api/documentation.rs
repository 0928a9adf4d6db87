//! The pages that problems lead to, and the reference.

use crate::app::{Call, PUBLIC_URL, TestApp};

#[tokio::test]
async fn every_problem_type_leads_to_its_page() {
    let app = TestApp::without_database();
    for code in jobs::error_code::ALL {
        for suffix in ["", ".md"] {
            let answer = app.send(Call::get(&format!("/docs/errors/{code}{suffix}"))).await;
            assert_eq!(answer.status, 200, "{code}");
            assert!(answer.header("content-type").starts_with("text/markdown"));
            assert!(String::from_utf8_lossy(&answer.body).starts_with(&format!("# {code}\n")));
        }
    }
    assert_eq!(app.send(Call::get("/docs/errors")).await.status, 200);
    let long = "x".repeat(10_000);
    for page in ["NOTHING", "..%2f..%2fCargo.toml", "%ff", &long] {
        let problem = app.send(Call::get(&format!("/docs/errors/{page}"))).await.problem("NOT_FOUND");
        assert!(problem["detail"].as_str().unwrap().len() < 300);
    }
}

#[tokio::test]
async fn the_type_of_a_problem_can_be_followed() {
    let app = TestApp::without_database();
    let problem = app.send(Call::get("/nowhere")).await.problem("NOT_FOUND");
    let path = problem["type"].as_str().unwrap().strip_prefix(PUBLIC_URL).unwrap().to_owned();
    assert_eq!(app.send(Call::get(&path)).await.status, 200);
}

#[tokio::test]
async fn the_reference_needs_nothing_from_outside() {
    let app = TestApp::without_database();
    for (path, media_type) in
        [("/docs", "text/html"), ("/docs/page.js", "text/javascript"), ("/docs/page.css", "text/css")]
    {
        let answer = app.send(Call::get(path)).await;
        assert_eq!(answer.status, 200);
        assert!(answer.header("content-type").starts_with(media_type), "{path}");
        let text = String::from_utf8_lossy(&answer.body).replace("http://www.w3.org/", "");
        assert!(!text.contains("src=\"http") && !text.contains("url(http") && !text.contains("@import"), "{path}");
    }
}

#[tokio::test]
async fn the_schema_of_receipts_is_the_published_one() {
    let app = TestApp::without_database();
    let answer = app.send(Call::get("/docs/receipt.schema.json")).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "application/schema+json"));
    let published = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/receipt.schema.json");
    assert_eq!(String::from_utf8_lossy(&answer.body), std::fs::read_to_string(published).unwrap());
}

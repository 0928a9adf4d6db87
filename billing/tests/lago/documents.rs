//! PDFs of invoices: made with the invoice, found by its address alone, true to it, and named as a stand-in's.
#![allow(clippy::unwrap_used, reason = "a test ends where something is not as it should be")]

use crate::harness::{Standin, acme, event, top_up};
use billing::{Metric, TopUp, end_tenant, standin};
use serde_json::json;

async fn fetched(url: &str) -> (u16, Option<String>, Vec<u8>) {
    let response = reqwest::get(url).await.unwrap();
    assert_eq!(response.headers()[standin::STAND_IN_HEADER], "zama-jobs");
    let kind = response.headers().get("content-type").map(|kind| kind.to_str().unwrap().to_owned());
    (response.status().as_u16(), kind, response.bytes().await.unwrap().to_vec())
}

#[tokio::test]
async fn the_link_of_an_invoice_leads_to_its_pdf() {
    let lago = Standin::with_acme("team").await;
    let name = json!({ "customer": { "external_id": "acme", "name": "Acme (Paris)", "legal_name": "Acmé SARL" } });
    lago.call("POST", "customers", name).await;
    let wallet = lago.wallet().await;
    lago.grants(wallet.id, "1").await;
    lago.send(event("cu", Metric::ComputeUnits, "100000")).await;
    end_tenant(&lago.client, &acme()).await.unwrap();
    let invoice = lago.client.invoices(&acme()).await.unwrap().remove(0);
    let url = invoice.file_url.clone().expect("there is a PDF");
    let (status, kind, pdf) = fetched(&url).await;
    assert_eq!((status, kind.as_deref()), (200, Some("application/pdf")));
    assert!(pdf.starts_with(b"%PDF-1.4") && pdf.ends_with(b"%%EOF\n"));
    let text = String::from_utf8_lossy(&pdf).into_owned();
    let total = format!("{}.{:02}", invoice.total_amount_cents / 100, invoice.total_amount_cents % 100);
    for part in [
        invoice.number.as_str(),
        "Lago stand-in of Zama Jobs, not Lago",
        "Compute units \\(compute_units\\)",
        "100000.0                8.00",
        "Acme \\(Paris\\)",
        "Paid from granted credits",
        "-1.00",
        &total,
    ] {
        assert!(text.contains(part), "{part} is missing");
    }
    assert_eq!(fetched(&url).await.2, pdf, "the same bytes each time");

    let (status, answer) =
        lago.call("POST", &format!("invoices/{}/download", invoice.lago_id.unwrap()), json!(null)).await;
    assert_eq!((status, &answer["invoice"]["file_url"]), (200, &json!(url)));
    let elsewhere = url.replace(url.rsplit('/').nth(1).unwrap(), "00000000-0000-4000-8000-000000000000");
    assert_eq!(fetched(&elsewhere).await.0, 404, "nobody guesses it");
    assert_eq!(lago.call("POST", "invoices/nothing/download", json!(null)).await.0, 404);
}

#[tokio::test]
async fn credits_that_are_asked_for_have_a_pdf_too() {
    let lago = Standin::with_acme("team").await;
    let wallet = lago.wallet().await;
    let wanted = TopUp { paid: "12.5".parse().unwrap(), name: Some("For \u{20ac} and \u{3c0}".to_owned()), ..top_up() };
    lago.client.top_up(wallet.id, &wanted).await.unwrap();
    let invoice = lago.client.invoices(&acme()).await.unwrap().remove(0);
    let (_, _, pdf) = fetched(&invoice.file_url.unwrap()).await;
    let holds = |part: &[u8]| pdf.windows(part.len()).any(|window| window == part);
    assert!(holds(b"12.50") && holds(b"prepaid credits") && holds(b"For \x80 and ?"));
}

//! Bodies that are no job: each is a problem with the right code and pointer, none a failure of ours.

use axum::body::Body;
use bytes::Bytes;
use futures::stream;
use serde_json::{Value, json};

use crate::app::{Call, MAX_BODY_BYTES, TestApp, job};

const INVALID: &str = "INVALID_REQUEST";
const REFUSED: &str = "JOB_VALIDATION_FAILED";

/// Where nesting becomes too deep: the 33rd level of the document.
const NESTED: &str = "/payload/input/number/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0";

/// What is sent, and the code and the pointers that come back.
type Case = (&'static str, Vec<u8>, &'static str, &'static [&'static str]);

fn number(text: &str) -> Vec<u8> {
    payload(&format!(r#"{{"algorithm":"prime_factorization","input":{{"number":{text}}}}}"#))
}

fn payload(text: &str) -> Vec<u8> {
    format!(r#"{{"type":"compute","payload":{text}}}"#).into_bytes()
}

fn values(text: &str) -> Vec<u8> {
    payload(&format!(r#"{{"algorithm":"statistical_analysis","input":{{"values":{text}}}}}"#))
}

/// The example with more members at its top.
fn with(members: &str) -> Vec<u8> {
    let example = job(6).to_string().replace(r#","useFHE":false"#, "").replace(r#","priority":"normal""#, "");
    let open = example.strip_suffix('}').unwrap();
    format!("{open},{members}}}").into_bytes()
}

fn cases() -> Vec<Case> {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    vec![
        ("empty", b"".to_vec(), INVALID, &[]),
        ("space", b" \n ".to_vec(), INVALID, &[]),
        ("no JSON", b"hello".to_vec(), INVALID, &[]),
        ("cut off", br#"{"type":"compute","#.to_vec(), INVALID, &[]),
        ("a comma too many", br#"{"type":"compute",}"#.to_vec(), INVALID, &[]),
        ("two documents", b"{} {}".to_vec(), INVALID, &[]),
        ("single quotes", b"{'type':'compute'}".to_vec(), INVALID, &[]),
        ("NaN", number("NaN"), INVALID, &[]),
        ("a leading zero", number("007"), INVALID, &[]),
        ("a byte-order mark", [b"\xef\xbb\xbf", &job(6).to_string().into_bytes()[..]].concat(), INVALID, &[]),
        ("invalid UTF-8", b"{\"type\":\"\xff\xfe\"}".to_vec(), INVALID, &[]),
        ("half a surrogate pair", br#"{"type":"\ud800"}"#.to_vec(), INVALID, &["/type"]),
        ("half a surrogate pair, deep", number(r#""12\udc00""#), INVALID, &["/payload/input/number"]),
        ("half a surrogate pair in a name", payload(r#"{"\ud800":1}"#), INVALID, &["/payload"]),
        ("NUL bytes", vec![0; 64], INVALID, &[]),
        ("UTF-16", job(6).to_string().encode_utf16().flat_map(u16::to_le_bytes).collect(), INVALID, &[]),
        ("nested 33 deep", number(&nested(33)), INVALID, &[NESTED]),
        ("nested without end", "[".repeat(1_000_000).into_bytes(), INVALID, &[]),
        ("objects without end", "{\"a\":".repeat(170_000).into_bytes(), INVALID, &[]),
        ("a name twice", br#"{"type":"compute","type":"compute","payload":{}}"#.to_vec(), INVALID, &["/type"]),
        (
            "a name twice, deep and escaped",
            payload(r#"{"algorithm":"prime_factorization","input":{"number":1,"\u006eumber":2}}"#),
            INVALID,
            &["/payload/input/number"],
        ),
        ("beyond any double", number("1e999"), INVALID, &["/payload/input/number"]),
        ("an array", b"[]".to_vec(), REFUSED, &[""]),
        ("null", b"null".to_vec(), REFUSED, &[""]),
        ("a number", b"7".to_vec(), REFUSED, &[""]),
        ("a string", b"\"job\"".to_vec(), REFUSED, &[""]),
        ("nothing in it", b"{}".to_vec(), REFUSED, &["/payload", "/type"]),
        ("no payload", br#"{"type":"compute"}"#.to_vec(), REFUSED, &["/payload"]),
        ("an empty payload", payload("{}"), REFUSED, &["/payload/algorithm"]),
        ("a payload of text", payload("\"x\""), REFUSED, &["/payload"]),
        ("no input", payload(r#"{"algorithm":"prime_factorization"}"#), REFUSED, &["/payload/input"]),
        ("input null", payload(r#"{"algorithm":"prime_factorization","input":null}"#), REFUSED, &["/payload/input"]),
        ("zero", number("0"), REFUSED, &["/payload/input/number"]),
        ("negative", number("-7"), REFUSED, &["/payload/input/number"]),
        ("very negative", number("-340282366920938463463374607431768211455"), REFUSED, &["/payload/input/number"]),
        ("a fraction", number("1.5"), REFUSED, &["/payload/input/number"]),
        ("-2^63", number("-9223372036854775808"), REFUSED, &["/payload/input/number"]),
        ("2^128", number("340282366920938463463374607431768211456"), REFUSED, &["/payload/input/number"]),
        ("300,000 digits", number(&"9".repeat(300_000)), REFUSED, &["/payload/input/number"]),
        ("a great double", number("1e300"), REFUSED, &["/payload/input/number"]),
        ("a word for a number", number("\"seven\""), REFUSED, &["/payload/input/number"]),
        ("a list for a number", number("[7]"), REFUSED, &["/payload/input/number"]),
        ("true for a number", number("true"), REFUSED, &["/payload/input/number"]),
        ("no values", values("[]"), REFUSED, &["/payload/input/values"]),
        ("wrong values", values(r#"[1,"2",null]"#), REFUSED, &["/payload/input/values/1", "/payload/input/values/2"]),
        ("too many values", values(&format!("[0{}]", ",0".repeat(65_536))), REFUSED, &["/payload/input/values"]),
        (
            "a ragged matrix",
            payload(r#"{"algorithm":"matrix_multiplication","input":{"a":[[1,2],[3]],"b":[[1],[2]]}}"#),
            REFUSED,
            &["/payload/input/a/1"],
        ),
        (
            "an unknown algorithm",
            payload(r#"{"algorithm":"alchemy","input":{}}"#),
            "UNKNOWN_ALGORITHM",
            &["/payload/algorithm"],
        ),
        ("an algorithm of no text", payload(r#"{"algorithm":5,"input":{}}"#), REFUSED, &["/payload/algorithm"]),
        ("an unknown field", with(r#""nice":"10""#), REFUSED, &["/nice"]),
        ("an unknown field with a slash", with(r#""a/b~c":1"#), REFUSED, &["/a~1b~0c"]),
        (
            "an unknown type",
            br#"{"type":"quantum","payload":{"algorithm":"prime_factorization","input":{"number":6}}}"#.to_vec(),
            REFUSED,
            &["/type"],
        ),
        ("a priority of no text", with(r#""priority":1"#), REFUSED, &["/priority"]),
        ("an unknown priority", with(r#""priority":"urgent""#), REFUSED, &["/priority"]),
        ("upper case", with(r#""priority":"HIGH""#), REFUSED, &["/priority"]),
        ("both names of a flag", with(r#""useFHE":false,"use_fhe":false"#), REFUSED, &["/useFHE"]),
        ("a flag of text", with(r#""useFHE":"no""#), REFUSED, &["/useFHE"]),
        ("type and flag disagree", with(r#""use_fhe":true"#), REFUSED, &["/use_fhe"]),
        ("type and the flag's other name disagree", with(r#""useFHE":true"#), REFUSED, &["/useFHE"]),
        ("a deadline that has passed", with(r#""deadline":"2001-01-01T00:00:00Z""#), REFUSED, &["/deadline"]),
        ("a deadline far away", with(r#""deadline":"9999-12-31T23:59:59Z""#), REFUSED, &["/deadline"]),
        ("a deadline of no time", with(r#""deadline":"tomorrow""#), REFUSED, &["/deadline"]),
        ("a deadline without zone", with(r#""deadline":"2030-01-01T00:00:00""#), REFUSED, &["/deadline"]),
        ("a deadline in seconds", with(r#""deadline":1893456000"#), REFUSED, &["/deadline"]),
        (
            "a timeout of nothing",
            payload(r#"{"algorithm":"prime_factorization","input":{"number":6},"parameters":{"timeout":0}}"#),
            REFUSED,
            &["/payload/parameters/timeout"],
        ),
        (
            "an unknown parameter",
            payload(r#"{"algorithm":"prime_factorization","input":{"number":6},"parameters":{"retries":3}}"#),
            REFUSED,
            &["/payload/parameters/retries"],
        ),
    ]
}

#[tokio::test]
async fn each_is_a_problem_at_its_pointer() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let mut wrong = Vec::new();
    for (name, body, code, pointers) in cases() {
        let answer = app.send(Call::submit(body).by(&ada)).await;
        assert!(answer.status.is_client_error(), "{name}: {answer:?}");
        let told = answer.json()["code"].as_str().unwrap().to_owned();
        assert_eq!(answer.problem(&told)["instance"], "/v1/jobs", "{name}");
        let mut found = answer.pointers();
        found.sort();
        if told != code || found != pointers {
            wrong.push(format!("{name}: {:#}", answer.json()));
        }
        assert!(answer.body.len() < 8192, "{name}: an answer of {} bytes", answer.body.len());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(app.count("SELECT count(*) FROM jobs").await, 0);
    assert_eq!(app.count("SELECT count(*) FROM idempotency_keys").await, 0, "only a 202 consumes a key");
}

#[tokio::test]
async fn all_that_is_wrong_is_told_at_once_but_not_without_end() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let several = json!({"type": "x", "priority": 3, "extra": 1, "payload": {"algorithm": "prime_factorization",
                         "input": {"number": -1}, "more": []}});
    let answer = app.submit(&ada, &several).await;
    answer.problem(REFUSED);
    let mut pointers = answer.pointers();
    pointers.sort();
    assert_eq!(pointers, ["/extra", "/payload/input/number", "/payload/more", "/priority", "/type"]);

    let mut endless = job(6);
    (0..50_000).for_each(|n| endless[format!("field_{n}")] = Value::Null);
    let answer = app.submit(&ada, &endless).await;
    answer.problem(REFUSED);
    assert_eq!(answer.pointers().len(), 20);
    let detail = answer.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("at least 20"), "not that there are 20: {detail}");
}

#[tokio::test]
async fn a_fhe_job_is_refused_where_no_algorithm_takes_it() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let mut body = job(6);
    body["type"] = json!("fhe_compute");
    body["useFHE"] = json!(true);
    let answer = app.submit(&ada, &body).await;
    answer.problem("UNKNOWN_ALGORITHM");
    assert_eq!(answer.pointers(), ["/payload/algorithm"]);
}

#[tokio::test]
async fn only_json_is_taken() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let body = job(6).to_string();
    for content_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=latin1",
        "application/jsonp",
        "application/problem+json",
        "json",
        "",
    ] {
        let call = Call::new("POST", "/v1/jobs").by(&ada).header("content-type", content_type);
        app.send(call.body(body.clone())).await.problem("INVALID_CONTENT_TYPE");
    }
    let none = Call::new("POST", "/v1/jobs").by(&ada).body(body.clone());
    app.send(none).await.problem("INVALID_CONTENT_TYPE");
    let twice = Call::submit(body.clone()).by(&ada).header("content-type", "text/plain");
    app.send(twice).await.problem("INVALID_CONTENT_TYPE");
    let no_text = Call::new("POST", "/v1/jobs").by(&ada).header("content-type", b"application/\xff");
    app.send(no_text.body(body.clone())).await.problem("INVALID_CONTENT_TYPE");

    for encoding in ["gzip", "br", "identity, gzip", "\u{fe}"] {
        let call = Call::submit(body.clone()).by(&ada).header("content-encoding", encoding);
        app.send(call).await.problem("INVALID_CONTENT_TYPE");
    }
    app.send(Call::submit(body).by(&ada).header("content-encoding", "Identity")).await.expect(202);
}

#[tokio::test]
async fn a_large_body_is_refused_with_or_without_its_length() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let exactly = |length: usize| {
        let body = job(6).to_string();
        let padding = " ".repeat(length - body.len());
        body + &padding
    };
    assert_eq!(app.send(Call::submit(exactly(MAX_BODY_BYTES)).by(&ada)).await.status, 202);
    let large = exactly(MAX_BODY_BYTES + 1);
    app.send(Call::submit(large.clone()).by(&ada)).await.problem("PAYLOAD_TOO_LARGE");
    let chunks = large.into_bytes();
    let chunks: Vec<_> =
        chunks.chunks(4096).map(|chunk| Ok::<_, std::io::Error>(Bytes::copy_from_slice(chunk))).collect();
    let chunked = Body::from_stream(stream::iter(chunks));
    app.send(Call::submit(chunked).by(&ada)).await.problem("PAYLOAD_TOO_LARGE");

    let endless = stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from_static(&[b' '; 65_536])));
    app.send(Call::submit(Body::from_stream(endless)).by(&ada)).await.problem("PAYLOAD_TOO_LARGE");
}

#[tokio::test]
async fn a_body_that_breaks_off_is_refused() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let parts = [Ok(Bytes::from_static(b"{\"type\":")), Err(std::io::Error::other("the connection is gone"))];
    let call = Call::submit(Body::from_stream(stream::iter(parts))).by(&ada);
    app.send(call).await.problem(INVALID);
}

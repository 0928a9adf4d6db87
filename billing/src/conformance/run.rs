//! The run: one case after another, then everything is removed that can be.

use std::collections::BTreeSet;
use std::time::Duration;

use reqwest::header::RETRY_AFTER;
use reqwest::{Method, Response, StatusCode};
use serde_json::Value;
use tokio::time::Instant;

use super::case::{Case, Cleanup, Key};
use super::fill::Names;
use super::report::{CaseReport, Leftover, Outcome, Report};
use super::shape::differences;
use crate::standin::STAND_IN_HEADER;
use crate::{LagoError, Origin};

/// Longest time for one request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// How long Lago has for what it does in a job.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks at what is to become so; grows.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Times that a request is sent again because there were too many.
const MOST_REPEATS: u32 = 5;

/// Who is asked.
pub struct Target {
    pub origin: Origin,
    /// An API key of an organisation in which things may be made.
    pub api_key: String,
}

/// Runs cases in their order; `tell` hears of each when it has been run.
///
/// # Errors
/// [`LagoError`] when nobody answers at all; what is answered wrongly stands in the report.
pub async fn run(
    target: &Target,
    cases: &[&Case],
    tell: &mut (dyn FnMut(&CaseReport) + Send),
) -> Result<Report, LagoError> {
    let http = reqwest::Client::builder().timeout(REQUEST_TIMEOUT).build()?;
    let health = http.get(format!("{}/health", target.origin)).send().await?;
    let mut run = Run { target, http, names: Names::of_run(), made: Vec::new(), remains: BTreeSet::new() };
    let mut reports = Vec::with_capacity(cases.len());
    for case in cases {
        let report = run.case(case).await;
        tell(&report);
        reports.push(report);
    }
    let (removed, leftovers) = run.remove_all().await;
    Ok(Report {
        lago_url: target.origin.to_string(),
        is_stand_in: health.headers().contains_key(STAND_IN_HEADER),
        prefix: run.names.prefix(),
        cases: reports,
        removed,
        leftovers,
    })
}

struct Run<'a> {
    target: &'a Target,
    http: reqwest::Client,
    names: Names,
    /// What is to be removed, and whether it may be gone.
    made: Vec<(String, bool)>,
    remains: BTreeSet<Leftover>,
}

/// A request with its names filled in.
struct Filled {
    method: Method,
    url: String,
    body: Option<Value>,
    shape: Option<Value>,
}

/// What was answered.
struct Answer {
    status: u16,
    text: String,
}

impl Run<'_> {
    async fn case(&mut self, case: &Case) -> CaseReport {
        let report = |status, outcome| CaseReport { name: case.name.clone(), status, outcome };
        let filled = match self.filled(case) {
            Ok(filled) => filled,
            Err(name) => return report(None, Outcome::Skipped(format!("nothing was captured as {name}"))),
        };
        let patience = Instant::now() + PATIENCE;
        let mut pause = FIRST_PAUSE;
        loop {
            let answer = match self.send(case, &filled).await {
                Ok(answer) => answer,
                Err(error) => return report(None, Outcome::Differs(vec![error.to_string()])),
            };
            let mut differing = self.judge(case, &filled, &answer);
            if !differing.is_empty() && case.eventually && Instant::now() + pause < patience {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
                continue;
            }
            self.remember(case, &answer);
            let outcome = if differing.is_empty() {
                Outcome::Same
            } else {
                differing.extend(case.note.iter().map(|note| format!("note: {note}")));
                Outcome::Differs(differing)
            };
            return report(Some(answer.status), outcome);
        }
    }

    /// # Errors
    /// The name that has no value.
    fn filled(&self, case: &Case) -> Result<Filled, String> {
        let request = &case.request;
        let url = match (&request.path, &request.url) {
            (Some(path), _) => format!("{}/{}", self.target.origin.api(), self.names.fill_text(path)?),
            (None, url) => self.names.fill_text(url.as_deref().unwrap_or_default())?,
        };
        let fill = |value: &Option<Value>| value.as_ref().map(|value| self.names.fill(value)).transpose();
        Ok(Filled {
            method: request.method.parse().map_err(|_| format!("the method {}", request.method))?,
            url,
            body: fill(&request.body)?,
            shape: fill(&case.expect.body)?,
        })
    }

    async fn send(&self, case: &Case, filled: &Filled) -> reqwest::Result<Answer> {
        let key = match case.request.key {
            // Whoever follows an address that was answered needs no key.
            Key::Own => case.request.path.as_ref().map(|_| self.target.api_key.clone()),
            Key::Wrong => Some("not-the-key".to_owned()),
            Key::None => None,
        };
        let mut repeats = 0;
        loop {
            let request = self.http.request(filled.method.clone(), &filled.url);
            let request = if let Some(key) = &key { request.bearer_auth(key) } else { request };
            let request = if let Some(body) = &filled.body { request.json(body) } else { request };
            let response = request.send().await?;
            if response.status() == StatusCode::TOO_MANY_REQUESTS && repeats < MOST_REPEATS {
                repeats += 1;
                tokio::time::sleep(asked_pause(&response)).await;
                continue;
            }
            let status = response.status().as_u16();
            let bytes = response.bytes().await?;
            return Ok(Answer { status, text: String::from_utf8_lossy(&bytes).into_owned() });
        }
    }

    fn judge(&self, case: &Case, filled: &Filled, answer: &Answer) -> Vec<String> {
        let mut differing = Vec::new();
        if answer.status != case.expect.status {
            differing.push(format!("status: expected {}, found {}", case.expect.status, answer.status));
        }
        if let Some(start) = &case.expect.starts_with
            && !answer.text.starts_with(start)
        {
            differing.push(format!("it does not start with {start}"));
        }
        let body = serde_json::from_str::<Value>(&answer.text);
        match (&filled.shape, body) {
            (Some(shape), Ok(body)) => differing.extend(differences(shape, &body)),
            (Some(_), Err(_)) => differing.push("the body is no JSON".to_owned()),
            (None, _) => {}
        }
        differing
    }

    /// Keeps what later cases need, and what is to be removed.
    fn remember(&mut self, case: &Case, answer: &Answer) {
        if let Ok(body) = serde_json::from_str::<Value>(&answer.text) {
            for (name, pointer) in &case.capture {
                if let Some(value) = body.pointer(pointer).filter(|value| !value.is_null()) {
                    self.names.insert(name, value.clone());
                }
            }
        }
        let was_made = (200..300).contains(&answer.status);
        if let Some(Cleanup { path, may_be_missing }) = &case.cleanup
            && (was_made || *may_be_missing)
            && let Ok(path) = self.names.fill_text(path)
        {
            self.made.push((path, *may_be_missing));
        }
        if let (Some(why), true) = (&case.remains, was_made) {
            let what = case.name.split(':').next().unwrap_or_default().to_owned();
            self.remains.insert(Leftover { what, why: why.clone() });
        }
    }

    /// Removes in the reverse order, and tells what stays.
    async fn remove_all(&mut self) -> (usize, Vec<Leftover>) {
        let mut removed = 0;
        let mut leftovers: Vec<Leftover> = self.remains.iter().cloned().collect();
        for (path, may_be_missing) in self.made.drain(..).rev() {
            let url = format!("{}/{path}", self.target.origin.api());
            let answer = self.http.delete(url).bearer_auth(&self.target.api_key).send().await;
            let why = match answer {
                Ok(response) if response.status().is_success() => {
                    removed += 1;
                    continue;
                }
                Ok(response) if response.status() == StatusCode::NOT_FOUND && may_be_missing => continue,
                Ok(response) => format!("removing it was answered with {}", response.status().as_u16()),
                Err(error) => error.without_url().to_string(),
            };
            leftovers.push(Leftover { what: path, why });
        }
        (removed, leftovers)
    }
}

fn asked_pause(response: &Response) -> Duration {
    let headers = response.headers();
    let asked = [RETRY_AFTER.as_str(), "x-ratelimit-reset"].into_iter().find_map(|name| headers.get(name));
    let seconds = asked.and_then(|value| value.to_str().ok()?.parse().ok()).unwrap_or(1);
    Duration::from_secs(seconds).min(REQUEST_TIMEOUT)
}

//! Every rule of the providers, broken once: the stand-in must refuse with the provider's status, in its JSON, and remember it.

use serde_json::{Value, json};

use super::http::ask;
use crate::support::provider::{Api, Provider, Script, When, turn};

/// A change of a good request, and what the refusal must say.
pub type Case = (fn(&mut Value), &'static str);

/// Asserts that the good request is accepted, and refused after each change with 400, in the words expected.
#[track_caller]
pub fn refuses(api: Api, good: &Value, cases: &[Case]) {
    let server = Provider::start(Script::new().on(When::any(), turn().text("fine")));
    let accepted = ask(&server, api, good);
    let status = accepted.status;
    let answer = accepted.text();
    assert_eq!(
        status, 200,
        "it must be good before it is changed: {answer}"
    );
    for (index, (change, expected)) in cases.iter().enumerate() {
        let mut body = good.clone();
        change(&mut body);
        let response = ask(&server, api, &body);
        let status = response.status;
        let answer = response.json();
        let message = answer["error"]["message"].as_str().unwrap_or_default();
        assert!(
            status == 400 && message.contains(expected),
            "case {index}: expected {expected:?}, got {status} {answer}\nfor {body}"
        );
        match api {
            Api::Messages => assert_eq!(
                (&answer["type"], &answer["error"]["type"]),
                (&json!("error"), &json!("invalid_request_error"))
            ),
            Api::Chat | Api::Responses => {
                assert_eq!(answer["error"]["type"], "invalid_request_error");
            }
            Api::Gemini => assert_eq!(answer["error"]["status"], "INVALID_ARGUMENT"),
        }
    }
    let violations = server.violations();
    assert_eq!(violations.len(), cases.len());
    assert!(
        violations
            .iter()
            .zip(cases)
            .all(|(violation, (_, expected))| violation.contains(expected))
    );
}

/// Asserts that the good request is accepted after each change.
#[track_caller]
pub fn accepts(api: Api, good: &Value, changes: &[fn(&mut Value)]) {
    let server = Provider::start(Script::new().on(When::any(), turn().text("fine")));
    for (index, change) in changes.iter().enumerate() {
        let mut body = good.clone();
        change(&mut body);
        let response = ask(&server, api, &body);
        let status = response.status;
        assert_eq!(
            (status, response.text().contains("error")),
            (200, false),
            "case {index}"
        );
    }
}

/// What every decoder takes for the beginning of an image.
pub const PNG: &[u8] = &[0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0];

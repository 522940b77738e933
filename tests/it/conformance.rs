//! The MCP conformance kit (npm `@modelcontextprotocol/conformance`) against an environment written with our Python package.
//!
//! `HUD_TEST_NODE` names the folder into which `tests/run` has installed the kit and a Node that is new enough for it. The kit runs
//! every scenario of a revision, the optional ones too, and compares with our list of expected failures: a failure or a warning that
//! is not in the list fails the test, and so does a scenario in the list that passes by now.

use std::path::Path;
use std::process::Command;

use crate::support::{self, Served, conformance};

/// Runs what `revision` requires, or, for a revision older than the kit's lists, everything that it has for it.
fn conforms(start: fn() -> Served, revision: &str) {
    let Some(node) = support::node() else { return };
    let server = start();
    let scenarios = match revision {
        "2025-06-18" => vec!["--suite", "all", "--spec-version", revision],
        _ => vec!["--requirements", revision],
    };
    let results = server.running.dir().join("results");
    let output = Command::new(node.join("node_modules/.bin/node"))
        .arg(node.join("node_modules/@modelcontextprotocol/conformance/dist/index.js"))
        .args(["server", "--url", &server.url])
        .args(scenarios)
        .arg("--expected-failures")
        .arg(conformance(&format!("expected-{revision}.yml")))
        .arg("--output-dir")
        .arg(&results)
        .current_dir(server.running.dir())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
        failures(&results)
    );
}

/// What the kit has written about each check that did not pass.
fn failures(results: &Path) -> String {
    let mut text = String::new();
    for scenario in std::fs::read_dir(results).into_iter().flatten().flatten() {
        let Ok(checks) = std::fs::read_to_string(scenario.path().join("checks.json")) else {
            continue;
        };
        let checks: Vec<serde_json::Value> = serde_json::from_str(&checks).unwrap();
        for check in checks {
            if matches!(check["status"].as_str(), Some("FAILURE" | "WARNING")) {
                let name = scenario.file_name().to_string_lossy().into_owned();
                text += &format!(
                    "{name}: {} {}: {}\n",
                    check["status"], check["id"], check["errorMessage"]
                );
            }
        }
    }
    text
}

#[test]
fn hud_serve_conforms_to_2025_11_25() {
    conforms(Served::by_serve, "2025-11-25");
}

#[test]
fn hud_serve_conforms_to_2026_07_28() {
    conforms(Served::by_serve, "2026-07-28");
}

#[test]
fn hud_dev_conforms_to_2025_11_25() {
    conforms(Served::by_dev, "2025-11-25");
}

#[test]
fn hud_dev_conforms_to_2026_07_28() {
    conforms(Served::by_dev, "2026-07-28");
}

#[test]
fn hud_dev_conforms_to_2025_06_18() {
    conforms(Served::by_dev, "2025-06-18");
}

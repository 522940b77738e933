//! The published JSON Lines, as they are promised.

use serde_json::Value;

use super::*;

#[test]
fn the_lines_of_a_job() {
    let captured = report(&whole_story(), json(Verbosity::Normal), Terminal::default());
    assert_eq!(captured.stderr(), "");
    insta::assert_snapshot!(captured.stdout(), @"");
}

#[test]
fn the_lines_of_steps_come_with_v() {
    let captured = report(
        &whole_story(),
        json(Verbosity::Verbose),
        Terminal::default(),
    );
    let stdout = captured.stdout();
    let steps: Vec<String> = stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|line| line["event"] == "step" && line["index"] == 0)
        .map(|line| line["step"].to_string())
        .collect();
    insta::assert_snapshot!(steps.join("\n"), @"");
}

#[test]
fn the_last_line_has_the_promised_keys() {
    let captured = report(&whole_story(), json(Verbosity::Normal), Terminal::default());
    let stdout = captured.stdout();
    let last: serde_json::Map<String, Value> =
        serde_json::from_str(stdout.lines().last().unwrap()).unwrap();
    let keys: Vec<&str> = last.keys().map(String::as_str).collect();
    let promised = "event job rollouts graded failed mean_reward stderr success_rate input_tokens \
                    output_tokens cost_usd duration_s directory";
    assert_eq!(keys, promised.split_whitespace().collect::<Vec<_>>());
}

#[test]
fn a_redirected_json_leaves_the_terminal_to_a_person() {
    let terminal = Terminal {
        stdout: None,
        stderr: Some(80),
    };
    // Bars are off so that nothing is drawn on the terminal that runs this test.
    let options = Options {
        progress: false,
        ..json(Verbosity::Normal)
    };
    let captured = report(&whole_story(), options, terminal);
    assert_eq!(captured.stderr(), "");
    for line in captured.stdout().lines() {
        serde_json::from_str::<Value>(line).unwrap();
    }
}

//! The builder of whole-command tests, as another module uses it.

use crate::support::{Output, Running, Test};

#[test]
fn hud_runs_in_its_folder() {
    let test = Test::new().example("trivia").cd("trivia");
    assert!(test.dir().join("tasks.yaml").is_file());
    assert!(test.home().is_dir());
    let output: Output = test.args(["--help"]).run();
    assert_eq!((output.code, output.signal), (Some(0), None));
}

#[test]
fn outputs_are_redacted_and_parsed() {
    let output = Test::program("/bin/sh")
        .args(["-c", "echo '{\"took\": \"12 ms\"}'; echo $HOME >&2"])
        .run();
    assert_eq!(output.json_lines(), [serde_json::json!({"took": "12 ms"})]);
    assert_eq!(output.redacted_stdout(), "{\"took\": \"[TIME]\"}\n");
    assert_eq!(output.redacted_stderr(), "[HOME]\n");
    let folder = output.keep().dir().to_owned();
    assert!(folder.is_dir());
    std::fs::remove_dir_all(folder.parent().unwrap()).unwrap();
}

#[test]
fn a_running_program_can_be_watched() {
    let running: Running = Test::program("/bin/sh")
        .args([
            "-c",
            "echo ready >&2; read line; echo $line > said; sleep 600",
        ])
        .stdin("hello\n")
        .spawn();
    running.wait_for_stderr("ready");
    while !std::fs::read_to_string(running.dir().join("said")).is_ok_and(|said| said == "hello\n") {
        std::thread::yield_now();
    }
    let process = format!("/proc/{}", running.pid());
    assert!(std::path::Path::new(&process).exists());
    drop(running);
    assert!(!std::path::Path::new(&process).exists());
}

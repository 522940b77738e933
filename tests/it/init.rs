//! What a new user types first: `hud init`, the README's commands and files, scenarios by hand, completions and man pages.

use std::path::Path;

use serde_json::Value;

use crate::support::{Job, Output, Test};

/// Runs `hud` in `folder`, whatever made it.
fn hud_in(folder: &Path, args: &[&str]) -> Output {
    Test::program("sh")
        .args(["-c", "cd \"$DIR\" && exec \"$HUD\" \"$@\"", "hud"])
        .args(args)
        .env("DIR", folder)
        .env("HUD", env!("CARGO_BIN_EXE_hud"))
        .run()
}

fn files(folder: &Path, inside: &str, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{inside}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            files(&entry.path(), &format!("{name}/"), found);
        } else {
            found.push(name);
        }
    }
    found.sort();
}

#[test]
fn each_template_is_complete_and_solved_by_its_own_solutions() {
    let templates: Vec<String> = {
        let mut names = Vec::new();
        for entry in
            std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("templates")).unwrap()
        {
            names.push(entry.unwrap().file_name().to_string_lossy().into_owned());
        }
        names.sort();
        names
    };
    assert_eq!(
        templates,
        ["blank", "chat", "organized", "sqlite", "trivia"]
    );
    for template in &templates {
        let output = Test::new()
            .args(["init", "my-env", "--template", template])
            .run()
            .code(0);
        let folder = output.dir().join("my-env");
        let mut made = Vec::new();
        files(&folder, "", &mut made);
        for file in [".gitignore", "README.md", "env.py", "tasks.yaml"] {
            assert!(
                made.iter().any(|name| name == file),
                "{template}: no {file} in {made:?}"
            );
        }
        for file in &made {
            let text = std::fs::read_to_string(folder.join(file)).unwrap();
            assert!(
                !text.contains("{{") && !text.contains("{%"),
                "{template}/{file} is not filled in"
            );
            // The packages of that name in the registries are other people's.
            for wrong in [
                "pip install hud",
                "uv add hud",
                "cargo install hud",
                "hud-python",
            ] {
                assert!(!text.contains(wrong), "{template}/{file} says {wrong:?}");
            }
            assert!(!file.contains("requirements") && !file.contains("pyproject"));
        }
        let eval = hud_in(&folder, &["eval", "--model", "oracle", "--min-reward", "1"]).code(0);
        assert!(
            eval.stdout.contains("success     100.0%"),
            "{}",
            eval.stdout
        );
        let job = Job::only(&folder);
        assert!(
            job.rollouts().len() >= 2,
            "{template} shows more than one task"
        );
        assert!(job.outcomes().iter().all(|(_, outcome)| outcome == "1"));
        // The graders are not pushovers: an agent that does nothing gets nothing.
        std::fs::write(folder.join("idle.yaml"), "- text: I do not know.\n").unwrap();
        let idle = hud_in(&folder, &["eval", "-m", "scripted:idle.yaml", "--json"]).code(0);
        // A conversation whose every end is good is the one exception, in `chat`.
        let mean = idle.summary()["mean_reward"].as_f64().unwrap();
        assert!(
            mean < 0.5 && (mean == 0.0 || template == "chat"),
            "{template}: {mean}"
        );
    }
}

#[test]
fn init_says_what_to_do_next_and_overwrites_nothing() {
    let output = Test::new().args(["init", "quiz"]).run().code(0);
    assert_eq!(output.stdout, "");
    assert_eq!(
        output.redacted_stderr(),
        "created `./quiz`: .dockerignore, .gitignore, Dockerfile.hud, README.md, env.py, tasks.yaml

next:
  cd quiz
  hud eval --model oracle              # play each task's own solution: no key needed
  hud eval --model claude-sonnet-4-6   # needs ANTHROPIC_API_KEY; see `hud eval --help` for other models
  hud dev                              # serve it: save a file, and the next call runs the new code
"
    );
    let again = hud_in(output.dir(), &["init", "quiz", "--template", "chat"]).code(2);
    assert!(
        again.stderr.contains("already exist") && again.stderr.contains("--force"),
        "{}",
        again.stderr
    );
    let text = std::fs::read_to_string(output.dir().join("quiz/env.py")).unwrap();
    assert!(text.contains("Environment(\"quiz\")"), "{text}");
    let output = Test::new()
        .args(["init", "quiz", "--template", "trvia"])
        .run()
        .code(2);
    assert!(output.stderr.contains("trivia"), "{}", output.stderr);
    assert!(!output.dir().join("quiz").exists());
}

#[test]
fn scenarios_of_the_example_are_driven_by_hand() {
    let run = |args: &[&str]| Test::new().example("trivia").cd("trivia").args(args).run();
    let company = r#"{"company":"HUD"}"#;
    run(&["scenario", "list"])
        .code(0)
        .stdout("trivia:initials(company: string)  Ask for the initials of a company's CEO.\n")
        .stderr("");
    run(&["scenario", "setup", "initials", "--args", company])
        .code(0)
        .stdout("What are the initials of the CEO of HUD?\n")
        .stderr("");
    let graded = |reward: &str| {
        format!(
            "{{\n  \"reward\": {reward},\n  \"done\": true,\n  \"content\": null,\n  \"info\": {{}},\n  \"isError\": false,\n  \"subscores\": []\n}}\n"
        )
    };
    // The example of the issue.
    run(&[
        "scenario", "run", "initials", "--args", company, "--answer", "JR",
    ])
    .code(0)
    .stdout(&graded("1.0"))
    .stderr("What are the initials of the CEO of HUD?\n");
    run(&[
        "task", "grade", "initials", "--args", company, "--answer", "XX",
    ])
    .code(0)
    .stdout(&graded("0.0"))
    .stderr("");
    let output = run(&["scenario", "list", "--json"]).code(0);
    let listed: Value = serde_json::from_str(output.stdout.lines().next().unwrap()).unwrap();
    assert!(listed.to_string().contains("initials"), "{listed}");
    let output = run(&["scenario", "run", "initials", "--answer", "JR"]).code(2);
    assert!(output.stderr.contains("'company'"), "{}", output.stderr);
    let output = run(&[
        "scenario",
        "run",
        "initials",
        "--args",
        "{company: 1",
        "--answer",
        "JR",
    ])
    .code(2);
    assert!(output.stderr.contains("--args"), "{}", output.stderr);
    // Nothing is left in the folder, not even a run directory.
    let mut left = Vec::new();
    files(output.dir(), "", &mut left);
    left.retain(|file| !file.contains("__pycache__"));
    assert_eq!(
        left,
        ["README.md", "env.py", "script.yaml", "tasks.yaml"].map(|file| format!("trivia/{file}"))
    );
}

#[test]
fn completions_and_man_pages_and_the_version() {
    for (shell, file) in [
        ("bash", "hud.bash"),
        ("zsh", "_hud"),
        ("fish", "hud.fish"),
        ("powershell", "_hud.ps1"),
    ] {
        let output = Test::new().args(["completions", shell]).run().code(0);
        let kept = std::fs::read_to_string(
            Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("completions")
                .join(file),
        )
        .unwrap();
        assert_eq!(
            output.stdout, kept,
            "completions/{file} is stale: write it again with `hud completions {shell}`"
        );
        // What is hidden is not suggested.
        assert!(!output.stdout.contains("__child"));
    }
    // Shells that are here read their script.
    let output = Test::program("bash")
        .args(["-n", "-c", "true"])
        .file(
            "hud.bash",
            Test::new().args(["completions", "bash"]).run().stdout,
        )
        .run();
    assert_eq!(output.code, Some(0));
    let output = Test::program("bash")
        .args(["-c", "source \"$SCRIPT\" && complete -p hud"])
        .env(
            "SCRIPT",
            Path::new(env!("CARGO_MANIFEST_DIR")).join("completions/hud.bash"),
        )
        .run()
        .code(0);
    assert!(output.stdout.contains("hud"), "{}", output.stdout);

    let version = concat!("hud ", env!("CARGO_PKG_VERSION"), "\n");
    Test::new()
        .args(["--version"])
        .run()
        .code(0)
        .stdout(version);
    let page = Test::new().args(["man"]).run().code(0);
    assert!(page.stdout.contains(".TH hud 1"), "{:.300}", page.stdout);
    let pages = Test::new().args(["man", "--dir", "man"]).run().code(0);
    let mut written = Vec::new();
    files(&pages.dir().join("man"), "", &mut written);
    for page in [
        "hud.1",
        "hud-eval.1",
        "hud-init.1",
        "hud-scenario.1",
        "hud-scenario-run.1",
    ] {
        assert!(
            written.iter().any(|name| name == page),
            "no {page} in {written:?}"
        );
    }
    assert!(!written.iter().any(|name| name.contains("child")));
}

/// The fenced blocks of a language in a text.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    text.split(&fence)
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap().to_owned())
        .collect()
}

fn readme() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    std::fs::read_to_string(path).unwrap()
}

/// A line of a shell as the arguments of `hud`; nothing when it runs something else.
fn arguments(line: &str) -> Option<String> {
    let line = line.split(" #").next().unwrap().trim();
    line.strip_prefix("cargo run --release -- ")
        .or_else(|| line.strip_prefix("hud "))
        .map(str::to_owned)
}

/// Whether `hud` takes these arguments: everything before `--help` is read first.
fn parses(arguments: &str) -> bool {
    let output = Test::program("sh")
        .args(["-c", &format!("exec \"$HUD\" {arguments} --help")])
        .env("HUD", env!("CARGO_BIN_EXE_hud"))
        .run();
    output.code == Some(0) && output.stdout.contains("Usage: hud")
}

#[test]
fn every_command_that_a_text_shows_parses() {
    assert!(!parses("eval tasks.yaml --bogus") && !parses("evla") && !parses("eval --group none"));
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut texts = Vec::new();
    for folder in [".", "examples", "templates"] {
        let mut found = Vec::new();
        if folder == "." {
            found.push("README.md".to_owned());
        } else {
            files(&root.join(folder), &format!("{folder}/"), &mut found);
        }
        texts.extend(
            found
                .into_iter()
                .filter(|file| Path::new(file).extension().is_some_and(|kind| kind == "md")),
        );
    }
    assert!(texts.len() >= 8, "{texts:?}");
    let mut count = 0;
    for file in &texts {
        let text = std::fs::read_to_string(root.join(file)).unwrap();
        let shell = ["sh", "bash", "console"]
            .iter()
            .flat_map(|language| blocks(&text, language));
        for line in shell.flat_map(|block| block.lines().map(str::to_owned).collect::<Vec<_>>()) {
            if let Some(arguments) = arguments(&line) {
                assert!(parses(&arguments), "{file} shows `{line}`");
                count += 1;
            }
        }
    }
    assert!(count >= 12, "only {count} commands were found");
}

#[test]
fn the_readme_can_be_followed() {
    let readme = readme();
    assert!(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/run")
            .is_file()
    );
    assert!(readme.contains("\ntests/run\n"));
    // "An environment", as it stands there.
    let python = blocks(&readme, "python").remove(0);
    let tasks = blocks(&readme, "yaml").remove(0);
    let test = || {
        Test::new()
            .file("env.py", &python)
            .file("tasks.yaml", &tasks)
    };
    let output = test()
        .args(["eval", "--model", "oracle", "--json"])
        .run()
        .code(0);
    assert_eq!(output.summary()["mean_reward"], 1.0);
    // "Drive it by hand".
    let by_hand: Vec<String> = blocks(&readme, "sh")
        .iter()
        .flat_map(|block| block.lines())
        .filter_map(arguments)
        .filter(|line| line.starts_with("scenario "))
        .collect();
    assert!(by_hand.len() >= 3, "{by_hand:?}");
    for arguments in by_hand {
        Test::program("sh")
            .args(["-c", &format!("exec \"$HUD\" {arguments}")])
            .env("HUD", env!("CARGO_BIN_EXE_hud"))
            .file("env.py", &python)
            .file("tasks.yaml", &tasks)
            .run()
            .code(0);
    }
    // The files that it says a run leaves.
    let output = test()
        .args(["eval", "--model", "oracle", "-q"])
        .run()
        .code(0);
    let mut left = Vec::new();
    files(output.job().path(), "", &mut left);
    for file in ["job.json", "journal.jsonl", "summary.json"] {
        assert!(left.iter().any(|name| name == file), "{left:?}");
    }
    assert!(
        left.iter().any(|name| name.starts_with("traces/"))
            && left.iter().any(|name| name.starts_with("logs/"))
    );
}

#[test]
fn nothing_is_created_unasked() {
    // Python hud writes a settings file where it runs.
    let output = Test::new()
        .example("trivia")
        .args(["eval", "trivia/tasks.yaml", "-m", "oracle", "-q"])
        .run()
        .code(0);
    let mut left = Vec::new();
    files(output.dir(), "", &mut left);
    left.retain(|file| !file.starts_with(".hud/runs/") && !file.starts_with("trivia/"));
    assert_eq!(left, Vec::<String>::new());
    let home = output.dir().parent().unwrap().join("home");
    let mut left = Vec::new();
    files(&home, "", &mut left);
    // The embedded Python package is unpacked into the cache.
    left.retain(|file| !file.starts_with(".cache/"));
    assert_eq!(left, Vec::<String>::new());
}

//! The forms of `env`.

use super::*;

#[test]
fn forms_of_env() {
    let folder = Folder::with("tasks.yaml", "");
    let none = BTreeMap::new;
    let python = |source: &str, attr: Option<&str>| EnvironmentSpec::Python {
        source: folder.path(source).components().collect(),
        attr: attr.map(str::to_owned),
        python: None,
        workdir: Workdir::Shared,
        env: none(),
    };
    let single = |connection| EnvironmentSpec::Servers {
        servers: vec![("environment".to_owned(), connection)],
    };
    let check = |env: &str, expected: EnvironmentSpec| {
        fs::write(
            &folder.path("tasks.yaml"),
            format!("env: {env}\ntasks: [{{scenario: a}}]"),
        )
        .unwrap();
        let file = load(&folder.path("tasks.yaml"), &variables).unwrap();
        assert!(
            file.tasks[0].env == expected,
            "{env}: {:?}",
            file.tasks[0].env
        );
    };
    check("env.py", python("env.py", None));
    check("./pkg/../env.py", python("env.py", None));
    check("pkg/", python("pkg", None));
    check("env.py:other", python("env.py", Some("other")));
    check("{source: env.py, attr: e}", python("env.py", Some("e")));
    check(
        "{source: env.py, python: python3.12, workdir: copy, env: {A: 1, B: '${KEY}'}}",
        EnvironmentSpec::Python {
            source: folder.path("env.py"),
            attr: None,
            python: Some("python3.12".into()),
            workdir: Workdir::Copy,
            env: BTreeMap::from([
                ("A".to_owned(), "1".to_owned()),
                ("B".to_owned(), "s3cret".to_owned()),
            ]),
        },
    );
    let http = |sampling| ConnectionSpec::Http {
        url: "http://localhost:8765/mcp".to_owned(),
        headers: none(),
        sampling,
    };
    check("http://localhost:8765/mcp", single(http(false)));
    check(
        "{url: 'http://localhost:8765/mcp', sampling: true, transport: sse}",
        single(http(true)),
    );
    check(
        "{command: [./pkg/server, --port, 1], cwd: pkg, env: {A: b}}",
        single(ConnectionSpec::Stdio {
            command: vec![
                folder.path("pkg/server").display().to_string(),
                "--port".to_owned(),
                "1".to_owned(),
            ],
            env: BTreeMap::from([("A".to_owned(), "b".to_owned())]),
            cwd: Some(folder.path("pkg")),
        }),
    );
    check(
        "{image: 'img:1', env: {A: b}, ports: [8080, '80:81'], cpus: 0.5, memory: 512m}",
        EnvironmentSpec::Image {
            image: "img:1".to_owned(),
            env: BTreeMap::from([("A".to_owned(), "b".to_owned())]),
            ports: vec!["8080".to_owned(), "80:81".to_owned()],
            cpus: Some("0.5".to_owned()),
            memory: Some("512m".to_owned()),
        },
    );
    check(
        "{hub: hud-evals/browser, exclude: [x]}",
        EnvironmentSpec::Hub {
            name: "hud-evals/browser".to_owned(),
            include: None,
            exclude: vec!["x".to_owned()],
        },
    );
}

#[test]
fn a_virtual_environment_is_not_followed_to_its_interpreter() {
    let folder = Folder::with(
        "tasks.yaml",
        "env: {source: env.py, python: bin/python}\ntasks: [{scenario: a}]",
    );
    fs::create_dir_all(&folder.path("bin")).unwrap();
    std::os::unix::fs::symlink(folder.path("env.py"), folder.path("bin/python")).unwrap();
    let file = load(&folder.path("tasks.yaml"), &variables).unwrap();
    let EnvironmentSpec::Python { python, .. } = &file.tasks[0].env else {
        panic!("a Python environment");
    };
    assert_eq!(python, &Some(folder.path("bin/python")));
}

#[test]
fn wrong_forms_of_env() {
    let check = |env: &str, expected: &str| {
        let expected = format!("'env' in the file{expected}");
        check_errors(
            &format!("env: {env}\ntasks: [{{scenario: a}}]"),
            &[&expected],
        );
    };
    let forms = "a path (env.py, pkg/, env.py:attr), a URL (http://…/mcp), or a mapping with one of 'source', 'command', 'url', 'image', 'hub', 'name'";
    check(
        "^bench",
        &format!(
            ": 'bench' is neither a file nor a folder here nor a URL (if it names the environment in env.py, write 'env.py'); use {forms}"
        ),
    );
    check("^3", &format!(" must be {forms}, not 3"));
    check("^tasks.yaml", ": 'tasks.yaml' is no Python file");
    check("^pgk/env.py", ": no such file or folder 'pgk/env.py'");
    check(
        "^eny.py:attr",
        ": no such file or folder 'eny.py'; did you mean 'env.py'?",
    );
    check(
        "^'tcp://me:s3cret@host:1'",
        ": only http and https URLs are supported, not 'tcp://…'",
    );
    check(
        "^{source: env.py, url: x}",
        " has both 'source' and 'url'; use one",
    );

    let check = |env: &str, expected: &str| {
        check_errors(
            &format!("env: {env}\ntasks: [{{scenario: a}}]"),
            &[expected],
        );
    };
    check(
        "{source: env.py, workdir: ^x}",
        "'workdir' in 'env' in the file must be 'shared' or 'copy', not the string 'x'",
    );
    check(
        "{source: 'env.py:a', attr: ^b}",
        "'attr' in 'env' in the file is not the 'a' that 'source' names",
    );
    check(
        "{source: env.py, python: ^./none}",
        "'python' in 'env' in the file: no such file './none'",
    );
    check(
        "{source: env.py, ^pyton: x}",
        "unknown field 'pyton' in 'env' in the file; did you mean 'python'?",
    );
    check(
        "{source: env.py, env: {A: ^[s3cret]}}",
        "'A' in 'env' in 'env' in the file must be a string, not a list",
    );
    check(
        "{command: ^python server.py --port 1}",
        "'command' in 'env' in the file is not run through a shell; write it as a list: [program, argument, …]",
    );
    check(
        "{command: ^./none}",
        "'command' in 'env' in the file: no such file './none'",
    );
    check("{command: ^[]}", "'command' in 'env' in the file is empty");
    check(
        "{command: x, cwd: ^none}",
        "'cwd' in 'env' in the file: no such folder 'none'",
    );
    check(
        "{command: x, type: ^http}",
        "'type' in 'env' in the file must be one of stdio, not the string 'http'",
    );
    check(
        "{url: ^localhost}",
        "'url' in 'env' in the file must start with http:// or https://",
    );
    check(
        "{image: x, ports: ^[0]}",
        "'ports' in 'env' in the file must be ports such as 8080 or 8080:80",
    );
    check(
        "{image: x, cpus: ^0}",
        "'cpus' in 'env' in the file must be a number above 0, not 0",
    );
    check(
        "{image: x, memory: ^big}",
        "'memory' in 'env' in the file must be a size such as 512m or 2g, not the string 'big'",
    );
    check_errors(
        "env: ^{^sorce: env.py}\ntasks: [{scenario: a}]",
        &[
            "'env' in the file needs one of 'source', 'command', 'url', 'image', 'hub', 'name'",
            "unknown field 'sorce' in 'env' in the file; did you mean 'source'?",
        ],
    );
}

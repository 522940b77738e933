//! Tests that need something this machine may not have.

use std::path::PathBuf;

/// Whether a test that needs `service` (`"docker"`, `"the SDK venv (HUD_TEST_VENV_SDK)"`) can run. A missing one is said
/// aloud, and fails the test where everything must run (`HUD_TEST_REQUIRE=all`, set by the checks before a merge).
///
/// ```ignore
/// if !require("docker", docker_is_up()) { return; }
/// ```
#[must_use]
pub fn require(service: &str, available: bool) -> bool {
    if !available {
        assert!(
            std::env::var("HUD_TEST_REQUIRE").as_deref() != Ok("all"),
            "this test needs {service}, and HUD_TEST_REQUIRE=all says that everything must run"
        );
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        eprintln!("SKIPPED {test}: it needs {service}");
    }
    available
}

/// The folder with the npm packages of the tests and a Node to run them (`HUD_TEST_NODE`), or `None` when this test is skipped.
#[must_use]
pub fn node() -> Option<PathBuf> {
    let folder = std::env::var_os("HUD_TEST_NODE").map(PathBuf::from);
    let available = folder
        .as_ref()
        .is_some_and(|folder| folder.join("node_modules/.bin/node").exists());
    require("the npm packages (HUD_TEST_NODE)", available)
        .then_some(folder)
        .flatten()
}

/// The virtual environment that `variable` names, when `bin/PROGRAM` is in it; `None` when this test is skipped.
#[must_use]
pub fn venv(variable: &str, program: &str) -> Option<PathBuf> {
    let venv = std::env::var_os(variable).map(PathBuf::from);
    let available = venv
        .as_ref()
        .is_some_and(|venv| venv.join("bin").join(program).is_file());
    require(variable, available).then_some(venv).flatten()
}

//! Tests that need something this machine may not have.

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

//! What the tests of this folder share.

use crate::task::{AgentConfig, EnvironmentSpec, Location, Task, Workdir};

/// A task called `slug` that sets nothing.
pub(in crate::cli) fn task(slug: &str) -> Task {
    Task {
        slug: slug.to_owned(),
        slug_given: true,
        env: EnvironmentSpec::Python {
            source: "/env.py".into(),
            attr: None,
            python: None,
            workdir: Workdir::Shared,
            env: std::collections::BTreeMap::new(),
        },
        scenario: Some("initials".to_owned()),
        args: serde_json::Map::new(),
        prompt: None,
        setup: Vec::new(),
        evaluate: Vec::new(),
        agent: AgentConfig::default(),
        solution: None,
        metadata: serde_json::Map::new(),
        columns: serde_json::Map::new(),
        runtime_config: None,
        location: Location {
            file: "tasks.yaml".into(),
            line: 1,
            column: 1,
        },
        arg_locations: std::collections::BTreeMap::new(),
    }
}

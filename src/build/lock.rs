//! `hud.lock.yaml`: what was built, out of what, and what the image offers.
//!
//! The format is version 1.3 of Python hud's lock file, corrected: `generatedAt` is a valid date, `sourceHash` covers every file, `images.full`
//! is a name that a registry knows, and no grader's source and no value of a variable is in it.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::version::Version;
use crate::util::{fs, text, yaml};

/// The version of the format that is written.
pub const FORMAT: &str = "1.3";

/// The note beside the variables.
const VARIABLES_NOTE: &str =
    "give these with -e or a .env file when the image runs; values are never kept here";

/// The whole file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Lock {
    /// Of the format.
    pub version: String,
    /// The names of the image.
    #[serde(default)]
    pub images: Images,
    /// What was built.
    #[serde(default)]
    pub build: Build,
    /// What is known of the environment; absent when it was not analyzed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Environment>,
    /// Its tools: name, description, inputSchema.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Value>,
    /// The functions behind dispatching tools.
    #[serde(
        default,
        rename = "hubTools",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub hub_tools: BTreeMap<String, Vec<String>>,
    /// Its prompts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prompts: Vec<Value>,
    /// Its resources.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<Value>,
    /// Its scenarios, by environment and name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scenarios: Vec<Value>,
    /// Where it was pushed to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub push: Option<Push>,
}

/// The names of the image.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Images {
    /// In the engine: `name:version`.
    pub local: String,
    /// With its digest in a registry; nothing before it was pushed. (An image's id, which Python hud writes here, can be pulled from nowhere.)
    #[serde(default)]
    pub full: Option<String>,
    /// The name that it was pushed as.
    #[serde(default)]
    pub pushed: Option<String>,
}

/// What was built.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Build {
    /// When, as RFC 3339 in UTC.
    #[serde(default)]
    pub generated_at: String,
    /// The `hud` that built it.
    #[serde(default)]
    pub hud_version: String,
    /// The name of the folder.
    #[serde(default)]
    pub directory: String,
    /// The version of the environment.
    #[serde(default)]
    pub version: String,
    /// `os/architecture`.
    #[serde(default)]
    pub platform: String,
    /// The image that it stands on.
    #[serde(default)]
    pub base_image: String,
    /// Every image that went into it, with what its contents were: a digest in a registry, else an id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub base_digests: BTreeMap<String, String>,
    /// The names of the build arguments that were given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<String>,
    /// The hash over everything that decides what is built.
    #[serde(default)]
    pub source_hash: String,
    /// The files that it covers.
    #[serde(default)]
    pub source_files: Vec<String>,
}

/// What is known of the environment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Environment {
    /// How long it took to answer first.
    #[serde(default)]
    pub initialize_ms: u64,
    /// Tools that an agent sees.
    #[serde(default)]
    pub tool_count: usize,
    /// Tools that it does not see.
    #[serde(default)]
    pub internal_tool_count: usize,
    /// Variables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variables: Option<LockVariables>,
    /// Ports that `hud dev` publishes; written by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub debugging_ports: Option<Value>,
    /// Written by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub telemetry: Option<Value>,
}

/// The variables of an environment, without their values.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LockVariables {
    /// What the section is for.
    #[serde(default, rename = "_note")]
    pub note: String,
    /// Those that must be given.
    #[serde(default)]
    pub required: Vec<String>,
    /// Those that may be.
    #[serde(default)]
    pub optional: Vec<String>,
}

/// Where an image was pushed to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Push {
    /// The name in the engine.
    pub source: String,
    /// When.
    pub pushed_at: String,
    /// The host of the registry.
    pub registry: String,
    /// The name in the registry.
    #[serde(rename = "image_with_tag")]
    pub image_with_tag: String,
}

impl LockVariables {
    /// The section, unless there is no variable.
    pub fn new(required: Vec<String>, optional: Vec<String>) -> Option<Self> {
        (!required.is_empty() || !optional.is_empty()).then(|| Self {
            note: VARIABLES_NOTE.to_owned(),
            required,
            optional,
        })
    }
}

impl Lock {
    /// Reads a lock file; `None` when there is none.
    ///
    /// # Errors
    /// In words: it is damaged, or newer than this program.
    pub fn read(path: &Path) -> Result<Option<Self>, String> {
        let found = fs::read_to_string_if_exists(path).map_err(|error| format!("{error:#}"))?;
        let Some(contents) = found else {
            return Ok(None);
        };
        let shown = path.display();
        let damaged = |why: String| {
            format!(
                "`{shown}` is damaged: {why}\nhint: restore it from version control, or remove it and build again (the version then starts anew)"
            )
        };
        let head: Head =
            yaml::from_str(&contents).map_err(|error| damaged(format!("{error:#}")))?;
        let version = match &head.version {
            Some(Value::String(version)) => version.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => return Err(damaged("it has no `version`".to_owned())),
        };
        let is_known = version.split_once('.').is_some_and(|(major, minor)| {
            major == "1" && minor.parse::<u32>().is_ok_and(|n| n <= 3)
        });
        if !is_known {
            return Err(format!(
                "`{shown}` has version {} of the format, and this hud knows 1.0 to {FORMAT}\nhint: a newer hud wrote it: update, or remove the file and build again",
                text::one_line(&version, 20)
            ));
        }
        // A version without quotes is a number to YAML.
        let mut lock: Value =
            yaml::from_str(&contents).map_err(|error| damaged(format!("{error:#}")))?;
        if let Some(lock) = lock.as_object_mut() {
            lock.insert("version".to_owned(), Value::String(version));
            older_image(lock);
        }
        let lock: Self =
            serde_json::from_value(lock).map_err(|error| damaged(error.to_string()))?;
        if !lock.build.version.is_empty() {
            Version::parse(&lock.build.version).map_err(|why| damaged(format!("build.{why}")))?;
        }
        Ok(Some(lock))
    }

    /// The text of the file.
    pub fn to_text(&self) -> Result<String, String> {
        yaml::to_string(self).map_err(|error| format!("{error:#}"))
    }

    /// Writes the file whole or not at all.
    pub fn write(&self, path: &Path) -> Result<(), String> {
        fs::write_atomic(path, self.to_text()?).map_err(|error| format!("{error:#}"))
    }

    /// What a build decides, without what differs between builds of the same thing: dates, times, versions and names of the image.
    #[must_use]
    pub fn contents(&self) -> Self {
        let mut contents = self.clone();
        contents.version = String::new();
        contents.images = Images {
            local: repository(&self.images.local).to_owned(),
            ..Images::default()
        };
        contents.build.generated_at = String::new();
        contents.build.version = String::new();
        contents.push = None;
        if let Some(environment) = &mut contents.environment {
            environment.initialize_ms = 0;
        }
        contents
    }

    /// The label that ties an image to its lock: the hash of the file with its keys in order and without what pushing adds, and its length.
    pub fn manifest_head(&self) -> Result<String, String> {
        let mut manifest = self.clone();
        manifest.images.full = None;
        manifest.images.pushed = None;
        manifest.push = None;
        let value = serde_json::to_value(&manifest).map_err(|error| error.to_string())?;
        let text = yaml::to_string(&sorted(value)).map_err(|error| format!("{error:#}"))?;
        let hash = text::hex(&Sha256::digest(text.as_bytes()));
        Ok(format!("{hash}:{}", text.len()))
    }
}

/// What is read first, to tell a lock of another version from a damaged one.
#[derive(Deserialize)]
struct Head {
    version: Option<Value>,
}

/// Before 1.3 the image stood by itself.
fn older_image(lock: &mut Map<String, Value>) {
    if lock.contains_key("images") {
        return;
    }
    let image = lock.get("image").and_then(Value::as_str).map(str::to_owned);
    if let Some(image) = image {
        let local = image.split('@').next().unwrap_or(&image).to_owned();
        lock.insert("images".to_owned(), serde_json::json!({ "local": local }));
    }
}

/// A name of an image without its tag.
pub fn repository(image: &str) -> &str {
    let image = image.split('@').next().unwrap_or(image);
    match image.rsplit_once(':') {
        Some((before, tag)) if !tag.contains('/') => before,
        _ => image,
    }
}

/// The value with the keys of every object in order.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(object) => {
            let ordered: BTreeMap<String, Value> = object
                .into_iter()
                .map(|(key, value)| (key, sorted(value)))
                .collect();
            Value::Object(ordered.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn lock() -> Lock {
        Lock {
            version: FORMAT.to_owned(),
            images: Images {
                local: "env:0.1.0".to_owned(),
                ..Images::default()
            },
            build: Build {
                generated_at: "2026-11-20T10:00:00.000Z".to_owned(),
                hud_version: "0.1.0".to_owned(),
                directory: "env".to_owned(),
                version: "0.1.0".to_owned(),
                platform: "linux/amd64".to_owned(),
                base_image: "python:3.11-slim".to_owned(),
                base_digests: BTreeMap::from([(
                    "python:3.11-slim".to_owned(),
                    "sha256:12".to_owned(),
                )]),
                arguments: Vec::new(),
                source_hash: "00ff".to_owned(),
                source_files: vec!["Dockerfile.hud".to_owned(), "env.py".to_owned()],
            },
            environment: Some(Environment {
                initialize_ms: 450,
                tool_count: 1,
                variables: LockVariables::new(vec!["KEY".to_owned()], Vec::new()),
                ..Environment::default()
            }),
            tools: vec![
                json!({"name": "t", "description": "a tool", "inputSchema": {"type": "object"}}),
            ],
            ..Lock::default()
        }
    }

    fn read(contents: &str) -> Result<Option<Lock>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hud.lock.yaml");
        fs::write(&path, contents).unwrap();
        Lock::read(&path).map_err(|error| error.replace(&*folder.path().to_string_lossy(), "DIR"))
    }

    #[test]
    fn the_file_reads_as_documented_and_comes_back() {
        let text = lock().to_text().unwrap();
        insta::assert_snapshot!(text, @r#"
        version: '1.3'
        images:
          local: env:0.1.0
          full: null
          pushed: null
        build:
          generatedAt: 2026-11-20T10:00:00.000Z
          hudVersion: 0.1.0
          directory: env
          version: 0.1.0
          platform: linux/amd64
          baseImage: python:3.11-slim
          baseDigests:
            python:3.11-slim: sha256:12
          sourceHash: 00ff
          sourceFiles:
          - Dockerfile.hud
          - env.py
        environment:
          initializeMs: 450
          toolCount: 1
          internalToolCount: 0
          variables:
            _note: give these with -e or a .env file when the image runs; values are never kept here
            required:
            - KEY
            optional: []
        tools:
        - name: t
          description: a tool
          inputSchema:
            type: object
        "#);
        assert_eq!(read(&text).unwrap(), Some(lock()));
    }

    #[test]
    fn locks_of_python_hud_are_read() {
        let old = "version: 1.2\nimage: env:0.3.1@sha256:00\nbuild: {version: 0.3.1, generatedAt: '2025-01-01T00:00:00+00:00Z', buildId: x}\nenvironment: {toolCount: 3, runtime: {python: '3.11'}}\n";
        let found = read(old).unwrap().unwrap();
        assert_eq!(found.images.local, "env:0.3.1");
        assert_eq!(
            (found.version.as_str(), found.build.version.as_str()),
            ("1.2", "0.3.1")
        );
        assert_eq!(found.environment.unwrap().tool_count, 3);
    }

    #[test]
    fn what_is_no_lock_is_said() {
        let check = |contents: &str, expected: &str| {
            let error = read(contents).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
            assert!(error.contains("\nhint: "), "{error}");
        };
        check("a: [", "`DIR/hud.lock.yaml` is damaged: ");
        check("", "`DIR/hud.lock.yaml` is damaged: ");
        check("just text", "`DIR/hud.lock.yaml` is damaged: ");
        check(
            "images: {local: x}",
            "`DIR/hud.lock.yaml` is damaged: it has no `version`",
        );
        check(
            "version: '1.4'",
            "`DIR/hud.lock.yaml` has version 1.4 of the format",
        );
        check(
            "version: 2",
            "`DIR/hud.lock.yaml` has version 2 of the format",
        );
        check(
            "version: '1.3'\ntools: 3",
            "`DIR/hud.lock.yaml` is damaged: ",
        );
        check(
            "version: '1.3'\nbuild: {version: one}",
            "`DIR/hud.lock.yaml` is damaged: build.version `one`",
        );
        assert_eq!(Lock::read(Path::new("/none/hud.lock.yaml")), Ok(None));
    }

    #[test]
    fn dates_and_versions_are_no_contents_and_pushing_does_not_change_the_label() {
        let first = lock();
        let mut second = lock();
        second.build.generated_at = "later".to_owned();
        second.build.version = "0.1.1".to_owned();
        second.images.local = "env:0.1.1".to_owned();
        second.environment.as_mut().unwrap().initialize_ms = 1;
        assert_eq!(first.contents(), second.contents());
        assert_ne!(first.manifest_head(), second.manifest_head());
        second.images.local = "other:0.1.1".to_owned();
        assert_ne!(first.contents(), second.contents());

        let mut pushed = lock();
        pushed.images.pushed = Some("reg.io/env:0.1.0".to_owned());
        pushed.push = Some(Push::default());
        let head = pushed.manifest_head().unwrap();
        assert_eq!(Ok(&head), first.manifest_head().as_ref());
        assert_eq!(head.split_once(':').unwrap().0.len(), 64);
    }

    #[test]
    fn repositories_have_no_tags() {
        for (image, expected) in [
            ("env", "env"),
            ("env:1", "env"),
            ("host:5000/env", "host:5000/env"),
            ("host:5000/env:1@sha256:0", "host:5000/env"),
        ] {
            assert_eq!(repository(image), expected);
        }
    }
}

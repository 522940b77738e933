//! Reading the files of a project.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use toml::de::{DeTable, DeValue};

use super::dev_keys::DEV;
use super::eval_keys::{EVAL, EVAL_ALIASES};
use super::kinds::{Kind, fits};
use super::{AGENT_TYPES, FILES, Section};
use crate::config::{Origin, Setting};
use crate::util::diagnostic::{Diagnostic, Diagnostics, Location, shown};
use crate::util::{fs, interpolate, suggest};

/// Keys of an agent type's section beside the agent settings.
const AGENT_TYPE_KEYS: &[&str] = &["model", "base_url", "api_key"];

/// The settings of a project.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Project {
    /// `[eval]`; its `max_steps` and `auto_respond` are in `agent`.
    pub eval: Section,
    /// `[agent]`, not checked beyond the names of the keys: `task::file::agent_config` does.
    pub agent: Section,
    /// The sections of agent types. Their agent settings are checked as those of `agent` are, `model`, `base_url` and `api_key` are strings.
    pub agent_types: BTreeMap<String, Section>,
    /// `[dev]`.
    pub dev: Section,
}

/// Reads the files of `folder`; a project without any has no settings. `agent_keys` are the names of agent settings
/// (`task::AGENT_CONFIG_KEYS`). All mistakes of both files are found at once.
pub fn load(
    folder: &Path,
    agent_keys: &[&str],
    variables: &dyn Fn(&str) -> Option<String>,
) -> Result<Project, Diagnostics> {
    let mut project = Project::default();
    let mut errors = Vec::new();
    for name in FILES {
        let path = folder.join(name);
        let text = match fs::read_to_string_if_exists(&path) {
            Ok(Some(text)) => text,
            Ok(None) => continue,
            Err(error) => {
                errors.extend(Diagnostics::of_file(&path, error.root_cause().to_string()).errors);
                continue;
            }
        };
        let mut reader = Reader {
            // As the user would name it: `hud.toml`, when the folder is `.`.
            file: path.strip_prefix(".").unwrap_or(&path),
            text: &text,
            agent_keys,
            variables,
            errors: &mut errors,
        };
        let found = reader.file();
        project.add_lower(found);
    }
    if errors.is_empty() {
        Ok(project)
    } else {
        Err(Diagnostics::new(errors))
    }
}

impl Project {
    /// Takes what is not set yet.
    fn add_lower(&mut self, lower: Self) {
        let merge = |section: &mut Section, lower: Section| {
            for (key, setting) in lower.0 {
                section.0.entry(key).or_insert(setting);
            }
        };
        merge(&mut self.eval, lower.eval);
        merge(&mut self.agent, lower.agent);
        merge(&mut self.dev, lower.dev);
        for (name, section) in lower.agent_types {
            merge(self.agent_types.entry(name).or_default(), section);
        }
    }
}

/// One file being read.
struct Reader<'a> {
    file: &'a Path,
    text: &'a str,
    agent_keys: &'a [&'a str],
    variables: &'a dyn Fn(&str) -> Option<String>,
    errors: &'a mut Vec<Diagnostic>,
}

impl Reader<'_> {
    fn location(&self, offset: usize) -> Location {
        Location::at_offset(self.file, self.text, offset)
    }

    fn error(&mut self, offset: usize, message: impl Into<String>) {
        self.errors.push(Diagnostic {
            location: self.location(offset),
            message: message.into(),
        });
    }

    fn file(&mut self) -> Project {
        let (table, syntax) = DeTable::parse_recoverable(self.text);
        if !syntax.is_empty() {
            // After a mistake in the syntax keys may be in the wrong section.
            for error in syntax {
                let offset = error.span().map_or(0, |span| span.start);
                self.error(offset, error.message().to_owned());
            }
            return Project::default();
        }
        let mut project = Project::default();
        let mut eval = None;
        for (name, content) in table.get_ref() {
            let offset = name.span().start;
            let section: &str = name.get_ref();
            let DeValue::Table(content) = content.get_ref() else {
                self.error(offset, self.stray_key(section));
                continue;
            };
            match section {
                "eval" => eval = Some(content),
                "agent" => project.agent = self.section(section, content, self.agent_keys),
                "dev" => project.dev = self.dev(content),
                agent_type if AGENT_TYPES.contains(&agent_type) => {
                    let known: Vec<&str> = [AGENT_TYPE_KEYS, self.agent_keys].concat();
                    let found = self.section(section, content, &known);
                    for key in AGENT_TYPE_KEYS {
                        if found
                            .value(key)
                            .is_some_and(|setting| !setting.value.is_string())
                        {
                            self.error(
                                key_offset(content, key),
                                format!("'{key}' in [{section}] must be a string"),
                            );
                        }
                    }
                    project.agent_types.insert(section.to_owned(), found);
                }
                unknown => {
                    let known = ["eval", "agent", "dev"].iter().chain(AGENT_TYPES).copied();
                    let near = suggest::did_you_mean(unknown, known);
                    self.error(
                        offset,
                        format!("unknown section [{}]{near}", shown(unknown)),
                    );
                }
            }
        }
        // Last, because some of its keys belong to the agent settings.
        if let Some(content) = eval {
            project.eval = self.eval(content, &mut project.agent);
        }
        project
    }

    /// What to say of a key before the first section.
    fn stray_key(&self, key: &str) -> String {
        let section = if self.agent_keys.contains(&key) {
            "; it belongs in [agent]"
        } else if EVAL.iter().any(|(known, _)| *known == key) {
            "; it belongs in [eval]"
        } else if DEV.iter().any(|(known, _)| *known == key) {
            "; it belongs in [dev]"
        } else {
            ""
        };
        format!("'{}' is in no section{section}", shown(key))
    }

    /// `[eval]`. What is really a setting of the agent goes to `agent`.
    fn eval(&mut self, content: &DeTable<'_>, agent: &mut Section) -> Section {
        let known: Vec<&str> = EVAL
            .iter()
            .map(|(key, _)| *key)
            .chain(EVAL_ALIASES.iter().map(|(alias, _)| *alias))
            .collect();
        let mut found = self.section("eval", content, &known);
        for (alias, key) in EVAL_ALIASES {
            let Some(setting) = found.0.remove(*alias) else {
                continue;
            };
            if found.0.contains_key(*key) {
                self.error(
                    key_offset(content, alias),
                    format!("'{alias}' and '{key}' in [eval] are the same; use one"),
                );
            } else {
                found.0.insert((*key).to_owned(), setting);
            }
        }
        let mut section = Section::default();
        for (key, kind) in EVAL {
            let Some(setting) = found.0.remove(*key) else {
                continue;
            };
            let offset = value_offset(content, key, EVAL_ALIASES);
            if *kind == Kind::AgentSetting {
                if agent.0.contains_key(*key) {
                    self.error(
                        offset,
                        format!("'{key}' in [eval] is set in [agent] too; use one"),
                    );
                }
                agent.0.insert((*key).to_owned(), setting);
            } else if let Err(wanted) = fits(*kind, &setting.value) {
                self.error(offset, format!("'{key}' in [eval] {wanted}"));
            } else if *kind != Kind::Platform {
                section.0.insert((*key).to_owned(), setting);
            }
        }
        section
    }

    /// `[dev]`.
    fn dev(&mut self, content: &DeTable<'_>) -> Section {
        let known: Vec<&str> = DEV.iter().map(|(key, _)| *key).collect();
        let section = self.section("dev", content, &known);
        for (key, kind) in DEV {
            if let Some(setting) = section.0.get(*key)
                && let Err(wanted) = fits(*kind, &setting.value)
            {
                let offset = value_offset(content, key, &[]);
                self.error(offset, format!("'{key}' in [dev] {wanted}"));
            }
        }
        section
    }

    /// The keys of a section, with unknown ones reported.
    fn section(&mut self, name: &str, content: &DeTable<'_>, known: &[&str]) -> Section {
        let mut section = Section::default();
        for (key, value) in content {
            let offset = key.span().start;
            let key: &str = key.get_ref();
            if !known.contains(&key) {
                let near = suggest::did_you_mean(key, known.iter().copied());
                self.error(
                    offset,
                    format!("unknown key '{}' in [{name}]{near}", shown(key)),
                );
                continue;
            }
            let at = value.span().start;
            if let Some(json) = self.json(key, name, at, value.get_ref()) {
                section.0.insert(
                    key.to_owned(),
                    Setting {
                        value: json,
                        origin: Origin::Project(self.location(offset)),
                    },
                );
            }
        }
        section
    }

    /// The value with its variables replaced.
    fn json(&mut self, key: &str, section: &str, at: usize, value: &DeValue<'_>) -> Option<Value> {
        match value {
            DeValue::String(text) => match interpolate::interpolate(text, self.variables) {
                Ok(text) => Some(Value::from(text.into_owned())),
                Err(problems) => {
                    for problem in problems {
                        self.error(at, format!("{problem} (in '{key}' in [{section}])"));
                    }
                    None
                }
            },
            DeValue::Boolean(value) => Some(Value::from(*value)),
            DeValue::Integer(number) => {
                let value = i64::from_str_radix(number.as_str(), number.radix()).ok();
                if value.is_none() {
                    self.error(
                        at,
                        format!("'{key}' in [{section}] does not fit in 64 bits"),
                    );
                }
                value.map(Value::from)
            }
            DeValue::Float(number) => {
                let value = number
                    .as_str()
                    .parse()
                    .ok()
                    .and_then(serde_json::Number::from_f64);
                if value.is_none() {
                    self.error(
                        at,
                        format!("'{key}' in [{section}] must be a finite number"),
                    );
                }
                value.map(Value::from)
            }
            DeValue::Array(items) => items
                .iter()
                .map(|item| self.json(key, section, item.span().start, item.get_ref()))
                .collect::<Option<Vec<_>>>()
                .map(Value::from),
            DeValue::Datetime(_) | DeValue::Table(_) => {
                self.error(
                    at,
                    format!("'{key}' in [{section}] cannot be a {}", value.type_str()),
                );
                None
            }
        }
    }
}

/// Where a key stands.
fn key_offset(content: &DeTable<'_>, wanted: &str) -> usize {
    content
        .iter()
        .find(|(key, _)| key.get_ref() == wanted)
        .map_or(0, |(key, _)| key.span().start)
}

/// Where the value of a key, or of its other spelling, stands.
fn value_offset(content: &DeTable<'_>, wanted: &str, aliases: &[(&str, &str)]) -> usize {
    content
        .iter()
        .find(|(key, _)| {
            let key: &str = key.get_ref();
            key == wanted || aliases.contains(&(key, wanted))
        })
        .map_or(0, |(_, value)| value.span().start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const AGENT_KEYS: &[&str] = &["max_steps", "allowed_tools", "temperature", "auto_respond"];

    fn read(files: &[(&str, &str)]) -> Result<Project, String> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(&folder.path().join(name), text).unwrap();
        }
        let variables = |name: &str| (name == "KEY").then(|| "s3cret".to_owned());
        let entries = fs::read_dir_sorted(folder.path()).unwrap();
        let project = load(folder.path(), AGENT_KEYS, &variables);
        // Nothing is ever created.
        assert_eq!(fs::read_dir_sorted(folder.path()).unwrap(), entries);
        let prefix = format!("{}/", folder.path().display());
        project.map_err(|errors| errors.to_string().replace(&prefix, ""))
    }

    fn check_errors(text: &str, expected: &str) {
        assert_eq!(read(&[("hud.toml", text)]).unwrap_err(), expected, "{text}");
    }

    fn plain(section: &Section) -> Value {
        section
            .iter()
            .map(|(key, setting)| (key.to_owned(), setting.value.clone()))
            .collect()
    }

    #[test]
    fn both_files_are_read_and_hud_toml_wins_by_key() {
        let project = read(&[
            (
                "hud.toml",
                "[eval]\nmax_concurrent = 5\ntask_ids = 'a, b'\nmin_reward = 0.5\n[claude]\nmodel = 'x'\napi_key = '${KEY}'\n[dev]\nwatch = ['tools']\nport = 9000\n",
            ),
            (
                ".hud_eval.toml",
                "[eval]\nmax_concurrent = 9\ngroup_size = 3\nmax_steps = -1\nremote = false\nquiet = true\n[agent]\nallowed_tools = ['a*']\n[claude]\nmodel = 'y'\ntemperature = 1.0\n",
            ),
        ])
        .unwrap();
        assert_eq!(
            plain(&project.eval),
            json!({"group": 3, "max_concurrent": 5, "min_reward": 0.5, "quiet": true, "task_ids": "a, b"})
        );
        assert_eq!(
            plain(&project.agent),
            json!({"allowed_tools": ["a*"], "max_steps": -1})
        );
        assert_eq!(
            plain(&project.dev),
            json!({"port": 9000, "watch": ["tools"]})
        );
        let claude = &project.agent_types["claude"];
        assert_eq!(
            plain(claude),
            json!({"api_key": "s3cret", "model": "x", "temperature": 1.0})
        );

        let concurrent = project.eval.whole("max_concurrent").unwrap();
        let Origin::Project(location) = &concurrent.origin else {
            panic!("from the project");
        };
        assert_eq!(
            (concurrent.value, location.line, location.column),
            (5, 2, 1)
        );
        assert_eq!(project.eval.texts("task_ids").unwrap().value, ["a", "b"]);
        assert_eq!(
            project.eval.number("min_reward").unwrap().value.to_string(),
            "0.5"
        );
        assert!(project.eval.switch("quiet").unwrap().value);
        assert_eq!(claude.text("model").unwrap().value, "x");
        assert!(project.agent.text("model").is_none() && !project.agent.is_empty());
        assert!(!format!("{project:?}").contains("s3cret"));
    }

    #[test]
    fn a_project_without_files_has_no_settings() {
        assert_eq!(read(&[]), Ok(Project::default()));
        assert_eq!(read(&[("hud.toml", "")]), Ok(Project::default()));
    }

    #[test]
    fn all_mistakes_are_named_at_once() {
        check_errors(
            "[eval]\nmax_concurrent = 0\nmax_concurent = 1\nagent = 'clade'\nquiet = 'yes'\n[evl]\n[agent]\nmax_step = 1\n[claude]\nmodell = 'x'\nmodel = 3\n[dev]\nport = 70000\nisolation = 'forked'\nprot = 1\n",
            "\
hud.toml:2:18: 'max_concurrent' in [eval] must be a whole number of at least 1
hud.toml:3:1: unknown key 'max_concurent' in [eval]; did you mean 'max_concurrent'?
hud.toml:4:9: 'agent' in [eval] must be one of claude, openai, operator, gemini, gemini_cua, openai_compatible, integration_test; did you mean 'claude'?
hud.toml:5:9: 'quiet' in [eval] must be true or false
hud.toml:6:2: unknown section [evl]; did you mean 'eval'?
hud.toml:8:1: unknown key 'max_step' in [agent]; did you mean 'max_steps'?
hud.toml:10:1: unknown key 'modell' in [claude]; did you mean 'model'?
hud.toml:11:1: 'model' in [claude] must be a string
hud.toml:13:8: 'port' in [dev] must be a port: a whole number from 0 to 65535
hud.toml:14:13: 'isolation' in [dev] must be one of shared, fork, spawn; did you mean 'fork'?
hud.toml:15:1: unknown key 'prot' in [dev]; did you mean 'port'?
11 errors",
        );
        check_errors(
            "max_steps = 1\nquiet = true\nport = 1\nx = 1\n",
            "hud.toml:1:1: 'max_steps' is in no section; it belongs in [agent]\nhud.toml:2:1: 'quiet' is in no section; it belongs in [eval]\nhud.toml:3:1: 'port' is in no section; it belongs in [dev]\nhud.toml:4:1: 'x' is in no section\n4 errors",
        );
        check_errors(
            "[eval]\nsource = '${NOPE}'\ntask_ids = ['a', '${NO}']\nremote = true\ngroup = 1\ngroup_size = 1\nseed = 1979-05-27\n",
            "\
hud.toml:2:10: environment variable 'NOPE' is not set; set it, or write '${NOPE:-default}' (in 'source' in [eval])
hud.toml:3:18: environment variable 'NO' is not set; set it, or write '${NO:-default}' (in 'task_ids' in [eval])
hud.toml:4:10: 'remote' in [eval] needs HUD's platform, which this program does not use; remove it
hud.toml:6:1: 'group_size' and 'group' in [eval] are the same; use one
hud.toml:7:8: 'seed' in [eval] cannot be a datetime
5 errors",
        );
        check_errors(
            "[eval]
max_steps = 1
[agent]
max_steps = 2
",
            "hud.toml:2:13: 'max_steps' in [eval] is set in [agent] too; use one",
        );
        let error = read(&[("hud.toml", "[eval\nx = 1")]).unwrap_err();
        assert!(error.starts_with("hud.toml:1:6: "), "{error}");
    }
}

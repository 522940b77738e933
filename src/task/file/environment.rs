//! The forms of `env`, and the `mcp_config` of older tasks.

use std::path::{Component, Path, PathBuf};

use super::fields::{Field, Fields};
use super::servers;
use super::sink::Sink;
use super::tree::Data;
use crate::task::{ConnectionSpec, EnvironmentSpec, Workdir};
use crate::util::diagnostic::shown;
use crate::util::{fs, suggest};

const FORMS: &str = "a path (env.py, pkg/, env.py:attr), a URL (http://…/mcp), or a mapping with one of 'source', 'command', 'url', 'image', 'hub', 'name'";

/// The field that says which form a mapping has, and the fields of that form.
const MAPPINGS: &[(&str, &[&str])] = &[
    ("source", &["source", "attr", "python", "workdir", "env"]),
    (
        "command",
        &["command", "args", "env", "cwd", "type", "transport"],
    ),
    ("url", &["url", "headers", "sampling", "type", "transport"]),
    ("image", &["image", "env", "ports", "cpus", "memory"]),
    ("hub", &["hub", "include", "exclude"]),
    ("name", &["name", "include", "exclude"]),
];

/// The absolute folder of a file, which relative paths in it start from.
pub(super) fn folder_of(file: &Path) -> PathBuf {
    let absolute = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    absolute.parent().map_or(absolute.clone(), Path::to_owned)
}

/// Reads any form of `env`.
pub(super) fn read(field: Field, base: &Path, sink: &mut Sink<'_>) -> Option<EnvironmentSpec> {
    match &field.value.data {
        Data::String(text) => {
            if is_url(text) {
                let connection = ConnectionSpec::Http {
                    url: text.clone(),
                    headers: std::collections::BTreeMap::new(),
                    sampling: false,
                };
                return Some(single(connection));
            }
            let (source, attr) = python_source(text, &field, base, sink)?;
            Some(EnvironmentSpec::Python {
                source,
                attr,
                python: None,
                workdir: Workdir::default(),
                env: std::collections::BTreeMap::new(),
            })
        }
        Data::Mapping(_) => mapping(field.fields(sink)?, base, sink),
        _ => {
            field.wrong(FORMS, sink);
            None
        }
    }
}

fn single(connection: ConnectionSpec) -> EnvironmentSpec {
    EnvironmentSpec::Servers {
        servers: vec![("environment".to_owned(), connection)],
    }
}

pub(super) fn is_url(text: &str) -> bool {
    text.starts_with("http://") || text.starts_with("https://")
}

fn mapping(fields: Fields, base: &Path, sink: &mut Sink<'_>) -> Option<EnvironmentSpec> {
    let given: Vec<&str> = MAPPINGS
        .iter()
        .map(|(form, _)| *form)
        .filter(|form| fields.has(form))
        .collect();
    match given.as_slice() {
        [form] => match *form {
            "source" => python(fields, base, sink),
            "command" => servers::stdio(fields, base, sink).map(single),
            "url" => servers::http(fields, sink).map(single),
            "image" => image(fields, sink),
            hub_or_name => hub(fields, hub_or_name, sink),
        },
        [] => {
            sink.error(
                fields.at,
                format!(
                    "{} needs one of 'source', 'command', 'url', 'image', 'hub', 'name'",
                    fields.place
                ),
            );
            let all: Vec<&str> = MAPPINGS
                .iter()
                .flat_map(|(_, all)| all.iter().copied())
                .collect();
            fields.finish(&all, sink);
            None
        }
        [first, second, ..] => {
            let message = format!(
                "{} has both '{first}' and '{second}'; use one",
                fields.place
            );
            sink.error(fields.at, message);
            None
        }
    }
}

/// The fields of one form.
pub(super) fn known(form: &str) -> &'static [&'static str] {
    MAPPINGS
        .iter()
        .find(|(name, _)| *name == form)
        .map_or(&[], |(_, fields)| fields)
}

fn python(mut fields: Fields, base: &Path, sink: &mut Sink<'_>) -> Option<EnvironmentSpec> {
    let source = fields.take("source").and_then(|field| {
        let at = field.value.at;
        let Data::String(text) = &field.value.data else {
            field.wrong("a path", sink);
            return None;
        };
        python_source(text, &field, base, sink).map(|found| (found, at))
    });
    let mut attr = fields.take("attr").and_then(|field| {
        let name = field.name();
        let at = field.value.at;
        let attr = field.text(sink)?;
        if !is_identifier(&attr) {
            sink.error(
                at,
                format!("{name} must be a Python name, not '{}'", shown(&attr)),
            );
        }
        Some((attr, at))
    });
    let python = fields.take("python").and_then(|field| {
        let (at, name) = (field.value.at, field.name());
        let text = field.text(sink)?;
        // A bare name is looked for on PATH. A path is not followed when it is a link: a virtual environment's `python` is one.
        if !text.contains('/') {
            return Some(PathBuf::from(text));
        }
        let path = lexical(&base.join(&text));
        if !path.exists() {
            sink.error(at, format!("{name}: no such file '{}'", shown(&text)));
        }
        Some(path)
    });
    let workdir =
        fields
            .take("workdir")
            .map_or(Workdir::default(), |field| match &field.value.data {
                Data::String(text) if text == "shared" => Workdir::Shared,
                Data::String(text) if text == "copy" => Workdir::Copy,
                _ => {
                    field.wrong("'shared' or 'copy'", sink);
                    Workdir::default()
                }
            });
    let env = fields
        .take("env")
        .and_then(|field| field.variables(sink))
        .unwrap_or_default();
    let place = fields.place.clone();
    fields.finish(known("source"), sink);
    let ((source, in_source), _) = source?;
    if let (Some(in_source), Some((given, at))) = (&in_source, &attr)
        && in_source != given
    {
        sink.error(
            *at,
            format!("'attr' in {place} is not the '{in_source}' that 'source' names"),
        );
    }
    Some(EnvironmentSpec::Python {
        source,
        attr: attr.take().map(|(attr, _)| attr).or(in_source),
        python,
        workdir,
        env,
    })
}

/// `env.py`, `pkg/` or `env.py:attr`.
fn python_source(
    text: &str,
    field: &Field,
    base: &Path,
    sink: &mut Sink<'_>,
) -> Option<(PathBuf, Option<String>)> {
    let at = field.value.at;
    if text.trim().is_empty() {
        sink.error(at, format!("{} is empty", field.name()));
        return None;
    }
    let (path, attr) = match text.rsplit_once(':') {
        Some((path, attr)) if is_identifier(attr) && !base.join(text).exists() => {
            (path, Some(attr.to_owned()))
        }
        _ => (text, None),
    };
    let full = lexical(&base.join(path));
    if full.is_dir() || (full.is_file() && has_suffix(&full, "py")) {
        return Some((canonical(full), attr));
    }
    if full.exists() {
        let message = format!("{}: '{}' is no Python file", field.name(), shown(path));
        sink.error(at, message);
        return None;
    }
    let message = if path.contains("://") {
        format!(
            "{}: only http and https URLs are supported, not '{}'",
            field.name(),
            shown(&scheme(path))
        )
    } else if path.contains('/') || has_suffix(&full, "py") {
        format!(
            "{}: no such file or folder '{}'{}",
            field.name(),
            shown(path),
            nearest_file(&full)
        )
    } else {
        format!(
            "{}: '{}' is neither a file nor a folder here nor a URL{}; use {FORMS}",
            field.name(),
            shown(path),
            // Rows of Python hud hold the name that the environment has in its code.
            if base.join("env.py").is_file() {
                " (if it names the environment in env.py, write 'env.py')"
            } else {
                ""
            }
        )
    };
    sink.error(at, message);
    None
}

/// Only the scheme, because the rest of a URL may hold a secret.
fn scheme(url: &str) -> String {
    url.split_once("://")
        .map_or_else(String::new, |(scheme, _)| format!("{scheme}://…"))
}

/// `; did you mean 'env.py'?`, out of the folder where `missing` was looked for.
pub(super) fn nearest_file(missing: &Path) -> String {
    let (Some(folder), Some(name)) = (missing.parent(), missing.file_name()) else {
        return String::new();
    };
    let names: Vec<String> = fs::read_dir_sorted(folder)
        .unwrap_or_default()
        .iter()
        .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
        .collect();
    suggest::did_you_mean(&name.to_string_lossy(), names.iter().map(String::as_str))
}

pub(super) fn has_suffix(path: &Path, suffix: &str) -> bool {
    path.extension()
        .is_some_and(|found| found.eq_ignore_ascii_case(suffix))
}

fn is_identifier(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_alphabetic() || c == '_')
        && chars.all(|c| c.is_alphanumeric() || c == '_')
}

/// Without `.` and `..`, as written: links are not followed.
pub(super) fn lexical(path: &Path) -> PathBuf {
    path.components()
        .fold(PathBuf::new(), |mut out, component| {
            match component {
                Component::CurDir => {}
                Component::ParentDir => {
                    out.pop();
                }
                Component::Prefix(_) | Component::RootDir | Component::Normal(_) => {
                    out.push(component);
                }
            }
            out
        })
}

pub(super) fn canonical(path: PathBuf) -> PathBuf {
    path.canonicalize().unwrap_or(path)
}

fn image(mut fields: Fields, sink: &mut Sink<'_>) -> Option<EnvironmentSpec> {
    let image = fields.text("image", sink);
    let env = fields
        .take("env")
        .and_then(|field| field.variables(sink))
        .unwrap_or_default();
    let ports = fields
        .take("ports")
        .and_then(|field| {
            let (at, name) = (field.value.at, field.name());
            let ports = servers::words(field, sink)?;
            if !ports.iter().all(|port| is_port(port)) {
                sink.error(at, format!("{name} must be ports such as 8080 or 8080:80"));
            }
            Some(ports)
        })
        .unwrap_or_default();
    let cpus = limit(&mut fields, "cpus", "a number above 0", sink, |text| {
        text.parse::<f64>()
            .is_ok_and(|cpus| cpus.is_finite() && cpus > 0.0)
    });
    let memory = limit(
        &mut fields,
        "memory",
        "a size such as 512m or 2g",
        sink,
        |text| {
            let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
            let unit = text[digits.len()..].to_lowercase();
            digits.parse::<u64>().is_ok_and(|size| size > 0)
                && matches!(
                    unit.as_str(),
                    "" | "b" | "k" | "kb" | "m" | "mb" | "g" | "gb"
                )
        },
    );
    fields.finish(known("image"), sink);
    Some(EnvironmentSpec::Image {
        image: image?,
        env,
        ports,
        cpus,
        memory,
    })
}

fn is_port(text: &str) -> bool {
    text.rsplit(':').take(2).all(|port| {
        let number = port.split('/').next().unwrap_or(port);
        number.parse::<u16>().is_ok_and(|port| port > 0)
    })
}

fn limit(
    fields: &mut Fields,
    key: &str,
    wanted: &str,
    sink: &mut Sink<'_>,
    fits: impl Fn(&str) -> bool,
) -> Option<String> {
    let field = fields.take(key)?;
    let text = match &field.value.data {
        Data::String(text) => text.clone(),
        Data::Number(number) => number.to_string(),
        Data::Null | Data::Bool(_) | Data::Sequence(_) | Data::Mapping(_) => String::new(),
    };
    if fits(&text) {
        return Some(text);
    }
    field.wrong(wanted, sink);
    None
}

fn hub(mut fields: Fields, form: &str, sink: &mut Sink<'_>) -> Option<EnvironmentSpec> {
    let name = fields.text(form, sink);
    let include = fields.take("include").and_then(|field| field.strings(sink));
    let exclude = fields
        .take("exclude")
        .and_then(|field| field.strings(sink))
        .unwrap_or_default();
    fields.finish(known(form), sink);
    Some(EnvironmentSpec::Hub {
        name: name?,
        include,
        exclude,
    })
}

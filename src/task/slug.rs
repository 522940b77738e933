//! Names of tasks that have none, as Python hud 6 makes them: the scenario, and a hash of the arguments when there are any.

use std::collections::{HashMap, HashSet};
use std::fmt::Write;

use serde_json::{Map, Value};
use sha1::{Digest, Sha1};

use super::{Task, identity};

/// Longest slug, in characters.
pub(super) const MAX_LENGTH: usize = 100;

/// `initials-6e432b0d`.
pub(super) fn of_scenario(scenario: &str, args: &Map<String, Value>) -> String {
    let name = scenario.rsplit(':').next().unwrap_or(scenario);
    if args.is_empty() {
        return with_suffix(name, "");
    }
    let mut json = String::new();
    write_object(args, &mut json);
    with_suffix(name, &format!("-{}", short_hash(&json)))
}

/// `prompt-1a2b3c4d`, for a task that has neither scenario nor id.
pub(super) fn of_prompt(prompt: &str) -> String {
    format!("prompt-{}", short_hash(prompt))
}

/// Derived slugs that are the same for different tasks, or are someone's given slug, get the task's identity. The others stay as they are,
/// wherever they stand in the file.
pub(super) fn separate(tasks: &mut [Task]) {
    let given: HashSet<String> = tasks
        .iter()
        .filter(|task| task.slug_given)
        .map(|task| task.slug.clone())
        .collect();
    let mut derived: HashMap<String, usize> = HashMap::new();
    for task in tasks.iter().filter(|task| !task.slug_given) {
        *derived.entry(task.slug.clone()).or_default() += 1;
    }
    for task in tasks.iter_mut().filter(|task| !task.slug_given) {
        if derived.get(&task.slug).is_some_and(|&count| count > 1) || given.contains(&task.slug) {
            let suffix = format!("-{}", &task.identity()[..8]);
            task.slug = with_suffix(&task.slug, &suffix);
        }
    }
}

/// `name` and `suffix`, with the name cut so that both fit.
pub(super) fn with_suffix(name: &str, suffix: &str) -> String {
    let room = MAX_LENGTH - suffix.len();
    name.chars().take(room).chain(suffix.chars()).collect()
}

/// The first 8 hex digits of the SHA-1.
pub(super) fn short_hash(text: &str) -> String {
    identity::hex(&Sha1::digest(text.as_bytes())[..4])
}

/// What Python's `json.dumps(value, sort_keys=True)` writes, because the hash has to be the same.
fn write_json(value: &Value, out: &mut String) {
    match value {
        Value::Null | Value::Bool(_) => out.push_str(&value.to_string()),
        Value::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
            Some(float) => write_float(float, out),
            None => out.push_str(&number.to_string()),
        },
        Value::String(text) => write_string(text, out),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                write_json(item, out);
            }
            out.push(']');
        }
        Value::Object(map) => write_object(map, out),
    }
}

fn write_object(map: &Map<String, Value>, out: &mut String) {
    // UTF-8 sorts as code points do, and so does Python.
    let mut entries: Vec<_> = map.iter().collect();
    entries.sort_by_key(|(key, _)| *key);
    out.push('{');
    for (index, (key, value)) in entries.into_iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        write_string(key, out);
        out.push_str(": ");
        write_json(value, out);
    }
    out.push('}');
}

fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            ' '..='~' => out.push(c),
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    // Writing to a string cannot fail.
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    out.push('"');
}

/// `repr` of a float: the shortest digits that read back, with an exponent below 1e-4 and from 1e16.
fn write_float(float: f64, out: &mut String) {
    let scientific = format!("{float:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    // Writing to a string cannot fail.
    let _ = if (-4..16).contains(&exponent) {
        let plain = format!("{float}");
        if plain.contains('.') {
            write!(out, "{plain}")
        } else {
            write!(out, "{plain}.0")
        }
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        write!(out, "{digits}e{sign}{:02}", exponent.abs())
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(scenario: &str, args: Value, expected: &str) {
        let Value::Object(args) = args else {
            panic!("arguments are an object");
        };
        assert_eq!(of_scenario(scenario, &args), expected);
    }

    #[test]
    fn slugs_are_those_of_python_hud_6() {
        // Each computed with `hud.eval.task.Task(env="e", id=…, args=…).slug` of hud 0.6.16.
        check("initials", json!({"company": "HUD"}), "initials-6e432b0d");
        check("count", json!({"word": "rr"}), "count-e9e46c06");
        check("x", json!({}), "x");
        check(
            "x",
            json!({"b": [1, 2.5, null, true], "a": {"z": "é😀\n\"\\\u{7f}\u{1}/", "y": 1e16}}),
            "x-0a0339a5",
        );
        check(
            "x",
            json!({"f": [1.0, 0.1, 1e-5, 1e22, 123_456_789_012_345_680.0, -0.0, 0.0001, 1e15, 12_345_678.9]}),
            "x-4cc16721",
        );
        check(
            "x",
            json!({"é": 1, "z": 2, "😀": 3, "\u{ffff}": 4}),
            "x-f32ad7a0",
        );
        check(
            "x",
            json!({"n": u64::MAX, "m": -5, "e": {}, "l": []}),
            "x-28208633",
        );
    }

    #[test]
    fn slugs_stay_within_their_length() {
        let slug = of_scenario(&"é".repeat(200), json!({"a": 1}).as_object().unwrap());
        assert_eq!(slug.chars().count(), MAX_LENGTH);
        assert_eq!(of_scenario("trivia:initials", &Map::new()), "initials");
    }
}

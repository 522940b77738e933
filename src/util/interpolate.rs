//! `${VAR}` in the strings of task files and `hud.toml`.
//!
//! `${VAR}` is the variable's value and an error when it is not set; `${VAR:-default}` (and `${VAR:default}`, the spelling of Python hud's
//! task files) is the default when the variable is not set or empty; `$$` is a dollar; any other `$` is itself.

use std::borrow::Cow;

/// The text with its variables replaced, or everything that is wrong with it.
pub fn interpolate<'t>(
    text: &'t str,
    variables: &dyn Fn(&str) -> Option<String>,
) -> Result<Cow<'t, str>, Vec<String>> {
    if !text.contains('$') {
        return Ok(Cow::Borrowed(text));
    }
    let mut out = String::with_capacity(text.len());
    let mut problems = Vec::new();
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        out.push_str(&rest[..dollar]);
        rest = &rest[dollar + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some(after) = rest.strip_prefix('{') {
            let Some((inside, after)) = after.split_once('}') else {
                problems.push("'${' without '}' (write '$${' for a plain '${')".to_owned());
                break;
            };
            match expand(inside, variables) {
                Ok(value) => out.push_str(&value),
                Err(problem) => problems.push(problem),
            }
            rest = after;
        } else {
            out.push('$');
        }
    }
    out.push_str(rest);
    if problems.is_empty() {
        Ok(Cow::Owned(out))
    } else {
        Err(problems)
    }
}

/// The value of what stands between the braces.
fn expand(inside: &str, variables: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let (name, default) = match inside.split_once(':') {
        Some((name, default)) => (name, Some(default.strip_prefix('-').unwrap_or(default))),
        None => (inside, None),
    };
    if !is_name(name) || default.is_some_and(|default| default.contains("${")) {
        return Err(format!(
            "'${{{}}}' is not a variable (write '$${{' for a plain '${{')",
            super::diagnostic::shown(inside)
        ));
    }
    match (variables(name), default) {
        (Some(value), None) => Ok(value),
        (Some(value), Some(_)) if !value.is_empty() => Ok(value),
        (_, Some(default)) => Ok(default.to_owned()),
        (None, None) => Err(format!(
            "environment variable '{name}' is not set; set it, or write '${{{name}:-default}}'"
        )),
    }
}

/// Whether `name` can name an environment variable in a shell: letters, digits and `_`, no digit first.
pub fn is_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&str, &[&str]>) {
        let variables = |name: &str| match name {
            "KEY" => Some("sk-1".to_owned()),
            "EMPTY" => Some(String::new()),
            "DOLLAR" => Some("${KEY}".to_owned()),
            _ => None,
        };
        let expected = expected
            .map(Cow::Borrowed)
            .map_err(|all| all.iter().map(|&one| one.to_owned()).collect());
        assert_eq!(interpolate(text, &variables), expected, "{text}");
    }

    #[test]
    fn variables_defaults_and_dollars() {
        check("plain", Ok("plain"));
        check("Bearer ${KEY}!", Ok("Bearer sk-1!"));
        check("${KEY}${KEY}", Ok("sk-1sk-1"));
        check("${NO:-x}/${EMPTY:-y}/${KEY:-z}", Ok("x/y/sk-1"));
        check("${NO:-}", Ok(""));
        check("${EMPTY}", Ok(""));
        check("${NO:https://a/b}", Ok("https://a/b"));
        check("$5, $KEY, 100$", Ok("$5, $KEY, 100$"));
        check("$${KEY} costs $$5", Ok("${KEY} costs $5"));
        // A value is not looked at again.
        check("${DOLLAR}", Ok("${KEY}"));
    }

    #[test]
    fn every_problem_is_named() {
        check(
            "${A} ${KEY} ${B}",
            Err(&[
                "environment variable 'A' is not set; set it, or write '${A:-default}'",
                "environment variable 'B' is not set; set it, or write '${B:-default}'",
            ]),
        );
        check(
            "${a.b}",
            Err(&["'${a.b}' is not a variable (write '$${' for a plain '${')"]),
        );
        check(
            "${A",
            Err(&["'${' without '}' (write '$${' for a plain '${')"]),
        );
        check(
            "${A:-${B}}",
            Err(&["'${A:-${B}' is not a variable (write '$${' for a plain '${')"]),
        );
    }
}

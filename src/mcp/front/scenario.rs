//! Which requests set a scenario up, submit to it, and grade it.

use super::wire::Members;

/// The tool that takes the answer.
const SUBMIT_TOOL: &str = "_hud_submit";

/// What a request is to the scenario of its session.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Role {
    /// Nothing special.
    None,
    /// Sets this scenario up.
    Setup(String),
    /// Hands in the answer to this scenario.
    Submit(String),
    /// Reads this address, which grades the scenario when one of that name is set up.
    Grade(String),
}

/// Whether `name` is written `environment:scenario`. Prompts of other servers may be called like that too; taking one for a scenario only
/// keeps its session on its version.
pub(super) fn is_full_name(name: &str) -> bool {
    name.contains(':') && !name.contains("://")
}

fn short(name: &str) -> &str {
    name.split_once(':').map_or(name, |(_, short)| short)
}

/// Whether two spellings mean one scenario: `environment:scenario`, or `scenario` alone.
pub(super) fn same(one: &str, other: &str) -> bool {
    let bare = !is_full_name(one) || !is_full_name(other);
    one == other || (bare && short(one) == short(other))
}

/// The role of a request.
pub(super) fn role(method: &str, params: &Members<'_>) -> Role {
    let text = |name: &str| params.text(name).map(|text| text.into_owned());
    match method {
        "prompts/get" => match text("name") {
            Some(name) if is_full_name(&name) => Role::Setup(name),
            Some(_) | None => Role::None,
        },
        "resources/read" => match text("uri") {
            Some(uri) if !uri.contains("://") => Role::Grade(uri),
            Some(_) | None => Role::None,
        },
        "tools/call" if params.text("name").as_deref() == Some(SUBMIT_TOOL) => {
            let arguments: Option<Members<'_>> = params.get_as("arguments");
            let scenario = arguments
                .as_ref()
                .and_then(|arguments| arguments.text("scenario"))
                .map(|scenario| scenario.into_owned());
            Role::Submit(scenario.unwrap_or_default())
        }
        _ => Role::None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    #[test]
    fn roles() {
        let check = |method: &str, params: &str, expected: Role| {
            let raw = RawValue::from_string(params.into()).unwrap();
            let params = Members::read(Some(&raw), "params").unwrap();
            assert_eq!(role(method, &params), expected, "{method} {raw}");
        };
        check(
            "prompts/get",
            r#"{"name":"e:s"}"#,
            Role::Setup("e:s".into()),
        );
        check("prompts/get", r#"{"name":"greeting"}"#, Role::None);
        check(
            "resources/read",
            r#"{"uri":"e:s"}"#,
            Role::Grade("e:s".into()),
        );
        check("resources/read", r#"{"uri":"s"}"#, Role::Grade("s".into()));
        check("resources/read", r#"{"uri":"file:///a:b"}"#, Role::None);
        check(
            "tools/call",
            r#"{"name":"_hud_submit","arguments":{"scenario":"s","answer":"1"}}"#,
            Role::Submit("s".into()),
        );
        check("tools/call", r#"{"name":"add","arguments":{}}"#, Role::None);
    }

    #[test]
    fn spellings_of_one_scenario() {
        assert!(same("e:s", "e:s") && same("e:s", "s") && same("s", "e:s") && same("s", "s"));
        assert!(!same("e:s", "f:s") && !same("e:s", "t"));
    }
}

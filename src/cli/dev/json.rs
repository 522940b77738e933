//! What happens, as JSON Lines: one object each, with `event` first.
//!
//! | event | fields |
//! | --- | --- |
//! | `listening` | `mcp_url`, `docs_url`, `health_url`, `environment` |
//! | `serving` | `version`, `duration_ms`, `tools`, `scenarios`: the first version is ready |
//! | `reloaded` | `version`, `duration_ms`, `files`, `changes` |
//! | `reload_failed` | `version`, `serving` (or null), `summary` (one line), `message` (with the frames) |
//! | `call` | `method`, `name`, `session` (its first 8 characters), `version`, `duration_ms`, `outcome`: `ok`, `tool_error`, `failed` or `cancelled`; with `message` for the two errors |
//! | `output` | `text`: a line that the environment printed |
//! | `rebuild_needed` | `files` |
//! | `watch_gone`, `watch_back` | `path` |
//! | `worker_died`, `note` | `message` |
//! | `blocked` | `tool`, `session` (each null when not known), `duration_ms` |
//! | `stopped` | nothing; the last line |

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::dev::DevEvent;
use crate::mcp::{CallOutcome, CallReport};

use super::failure;
use super::lines::short;
use super::report::Happening;

/// The object.
pub(super) fn object(happening: &Happening) -> Value {
    match happening {
        Happening::Dev(event) => of_event(event),
        Happening::Output(line) => json!({"event": "output", "text": line}),
    }
}

fn of_event(event: &DevEvent) -> Value {
    match event {
        DevEvent::Serving {
            version,
            took,
            tools,
            scenarios,
        } => json!({
            "event": "serving",
            "version": version,
            "duration_ms": ms(*took),
            "tools": tools,
            "scenarios": scenarios,
        }),
        DevEvent::Reloaded {
            version,
            took,
            files,
            changes,
        } => json!({
            "event": "reloaded",
            "version": version,
            "duration_ms": ms(*took),
            "files": files,
            "changes": changes,
        }),
        DevEvent::ReloadFailed {
            version,
            serving,
            message,
        } => json!({
            "event": "reload_failed",
            "version": version,
            "serving": serving,
            "summary": failure::read(message, Path::new("")).summary,
            "message": message,
        }),
        DevEvent::Call(call) => of_call(call),
        DevEvent::RebuildNeeded { files } => json!({"event": "rebuild_needed", "files": files}),
        DevEvent::WatchGone { path } => json!({"event": "watch_gone", "path": path}),
        DevEvent::WatchBack { path } => json!({"event": "watch_back", "path": path}),
        DevEvent::WorkerDied { message } => json!({"event": "worker_died", "message": message}),
        DevEvent::Blocked {
            tool,
            session,
            for_,
        } => json!({
            "event": "blocked",
            "tool": tool,
            "session": session.as_deref().map(short),
            "duration_ms": ms(*for_),
        }),
        DevEvent::Note(message) => json!({"event": "note", "message": message}),
    }
}

fn of_call(call: &CallReport) -> Value {
    let (outcome, message) = match &call.outcome {
        CallOutcome::Ok => ("ok", None),
        CallOutcome::ToolError(message) => ("tool_error", Some(message)),
        CallOutcome::Failed(message) => ("failed", Some(message)),
        CallOutcome::Cancelled => ("cancelled", None),
    };
    let mut object = json!({
        "event": "call",
        "method": call.method,
        "name": call.name,
        "session": short(&call.session),
        "version": call.version,
        "duration_ms": ms(call.took),
        "outcome": outcome,
    });
    if let Some(message) = message {
        object["message"] = json!(message);
    }
    object
}

/// Milliseconds with three digits behind the point.
fn ms(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_have_their_documented_shapes() {
        let call = |outcome| {
            Happening::Dev(DevEvent::Call(CallReport {
                method: "tools/call".to_owned(),
                name: "shout".to_owned(),
                session: "0123456789abcdef".to_owned(),
                version: 3,
                took: Duration::from_micros(2_140),
                outcome,
            }))
        };
        let events = [
            Happening::Dev(DevEvent::Serving {
                version: 1,
                took: Duration::from_millis(180),
                tools: 2,
                scenarios: 1,
            }),
            Happening::Dev(DevEvent::Reloaded {
                version: 2,
                took: Duration::from_millis(42),
                files: vec!["tools/a.py".into()],
                changes: vec!["tool `x` added".to_owned()],
            }),
            Happening::Dev(DevEvent::ReloadFailed {
                version: 3,
                serving: None,
                message: "SyntaxError".to_owned(),
            }),
            Happening::Dev(DevEvent::RebuildNeeded {
                files: vec!["Dockerfile".into()],
            }),
            Happening::Dev(DevEvent::WatchGone {
                path: "tools".into(),
            }),
            Happening::Dev(DevEvent::WatchBack {
                path: "tools".into(),
            }),
            Happening::Dev(DevEvent::WorkerDied {
                message: "killed".to_owned(),
            }),
            Happening::Dev(DevEvent::Blocked {
                tool: Some("slow".to_owned()),
                session: None,
                for_: Duration::from_secs(5),
            }),
            Happening::Dev(DevEvent::Note("x".to_owned())),
            Happening::Output("hi".to_owned()),
            call(CallOutcome::Ok),
            call(CallOutcome::ToolError("no".to_owned())),
            call(CallOutcome::Failed("died".to_owned())),
            call(CallOutcome::Cancelled),
        ];
        let lines: Vec<String> = events
            .iter()
            .map(|event| object(event).to_string())
            .collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
        {"event":"serving","version":1,"duration_ms":180.0,"tools":2,"scenarios":1}
        {"event":"reloaded","version":2,"duration_ms":42.0,"files":["tools/a.py"],"changes":["tool `x` added"]}
        {"event":"reload_failed","version":3,"serving":null,"summary":"SyntaxError","message":"SyntaxError"}
        {"event":"rebuild_needed","files":["Dockerfile"]}
        {"event":"watch_gone","path":"tools"}
        {"event":"watch_back","path":"tools"}
        {"event":"worker_died","message":"killed"}
        {"event":"blocked","tool":"slow","session":null,"duration_ms":5000.0}
        {"event":"note","message":"x"}
        {"event":"output","text":"hi"}
        {"event":"call","method":"tools/call","name":"shout","session":"01234567","version":3,"duration_ms":2.14,"outcome":"ok"}
        {"event":"call","method":"tools/call","name":"shout","session":"01234567","version":3,"duration_ms":2.14,"outcome":"tool_error","message":"no"}
        {"event":"call","method":"tools/call","name":"shout","session":"01234567","version":3,"duration_ms":2.14,"outcome":"failed","message":"died"}
        {"event":"call","method":"tools/call","name":"shout","session":"01234567","version":3,"duration_ms":2.14,"outcome":"cancelled"}
        "#);
    }
}

//! The keys of `[dev]`: what `hud dev` has flags for. The token is not among them: a file that is committed is no place for it.

use super::kinds::Kind;

pub(super) const DEV: &[(&str, Kind)] = &[
    ("source", Kind::Text),
    ("command", Kind::Command),
    ("watch", Kind::Texts),
    ("no_watch", Kind::Switch),
    ("port", Kind::Port),
    ("strict_port", Kind::Switch),
    ("host", Kind::Text),
    ("isolation", Kind::Choice(&["shared", "fork", "spawn"])),
    ("drain", Kind::Positive),
    ("tool_timeout", Kind::Positive),
    ("import_timeout", Kind::Positive),
    ("inspector", Kind::Switch),
    ("allowed_host", Kind::Texts),
    ("allowed_origin", Kind::Texts),
    ("max_sessions", Kind::Whole(1)),
    ("idle_timeout", Kind::Positive),
    ("python", Kind::Text),
];

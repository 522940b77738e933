//! The keys of `[eval]`.

use super::kinds::Kind;

pub(super) const EVAL: &[(&str, Kind)] = &[
    ("source", Kind::Text),
    ("agent", Kind::AgentType),
    ("model", Kind::Text),
    ("task_ids", Kind::Texts),
    ("limit", Kind::Whole(1)),
    ("all", Kind::Switch),
    ("full", Kind::Switch),
    ("group", Kind::Whole(1)),
    ("max_concurrent", Kind::Whole(1)),
    ("max_steps", Kind::AgentSetting),
    ("auto_respond", Kind::AgentSetting),
    ("judge_model", Kind::Text),
    ("base_url", Kind::Text),
    ("gateway", Kind::Switch),
    ("seed", Kind::Whole(0)),
    ("rollout_timeout", Kind::Positive),
    ("phase_timeout", Kind::Positive),
    ("tool_timeout", Kind::Positive),
    ("model_timeout", Kind::Positive),
    ("rollout_tokens", Kind::Whole(1)),
    ("min_reward", Kind::Number),
    ("success_threshold", Kind::Number),
    ("python", Kind::Text),
    ("yes", Kind::Switch),
    ("quiet", Kind::Switch),
    ("verbose", Kind::Switch),
    ("very_verbose", Kind::Switch),
    ("remote", Kind::Platform),
    ("taskset", Kind::Platform),
];

/// Other spellings of keys of `[eval]`.
pub(super) const EVAL_ALIASES: &[(&str, &str)] = &[("group_size", "group")];

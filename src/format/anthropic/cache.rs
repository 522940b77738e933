//! Where prompt caching should cut.
//!
//! The API has a `cache_control` of the whole request too, which marks the last block that can be cached. It counts among the four and would save
//! one line here, but leaves the tools and the system prompt to chance when a conversation begins differently.
//!
//! The API takes at most four breakpoints, and caches everything up to each: tools, then system, then messages. The tools and the system prompt
//! stay the same for a whole rollout (and across rollouts), so each gets one. The other two move along: the last user-side message is where the
//! next request will start to differ, and the one before is where the previous request ended, which makes the lookup of its cache entry certain
//! however many blocks lie between.

use serde_json::{Value, json};

/// The breakpoints that move along with the conversation.
const MOVING: usize = 2;

/// Marks the breakpoints in a request.
pub(super) fn mark(request: &mut Value, ttl: Option<&str>) {
    let mut control = json!({"type": "ephemeral"});
    if let Some(ttl) = ttl {
        control["ttl"] = json!(ttl);
    }
    for key in ["tools", "system"] {
        if let Some(last) = last_of(request.get_mut(key)) {
            set(last, &control);
        }
    }
    let messages = request.get_mut("messages").and_then(Value::as_array_mut);
    messages
        .into_iter()
        .flatten()
        .rev()
        .filter(|message| message["role"] == "user")
        .take(MOVING)
        .filter_map(|message| last_of(message.get_mut("content")))
        .for_each(|block| set(block, &control));
}

fn last_of(list: Option<&mut Value>) -> Option<&mut Value> {
    list?.as_array_mut()?.last_mut()
}

fn set(block: &mut Value, control: &Value) {
    block["cache_control"] = control.clone();
}

//! What a session's client is told outside of its calls.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::value::RawValue;
use tokio_util::sync::CancellationToken;

use super::{Kind, Session, locked};
use crate::mcp::front::VersionChange;
use crate::mcp::front::call;
use crate::mcp::front::level::Level;
use crate::mcp::front::listening::Listener;
use crate::mcp::front::wire::{self, Members};

impl Session {
    /// Whether its client reads the stream.
    pub(super) fn is_heard(&self) -> bool {
        locked(&self.reader).is_some()
    }

    /// A new reader of the stream; the token fires when another takes over. A connection that died without a word must not swallow what its
    /// successor waits for.
    pub(in crate::mcp::front) fn start_reading(&self) -> CancellationToken {
        let token = CancellationToken::new();
        let before = locked(&self.reader).replace(token.clone());
        if let Some(before) = before {
            before.cancel();
        }
        token
    }

    /// The reader with that token has gone.
    pub(in crate::mcp::front) fn stop_reading(&self, token: &CancellationToken) {
        if !token.is_cancelled() {
            *locked(&self.reader) = None;
        }
        self.touch();
    }

    /// The number of a new stream.
    pub(in crate::mcp::front) fn next_stream(&self) -> u64 {
        self.next_stream.fetch_add(1, Ordering::Relaxed)
    }

    /// The level below which the client wants no log messages. Until it says so it gets all.
    pub(in crate::mcp::front) fn level(&self) -> Level {
        locked(&self.state).level.unwrap_or(Level::Debug)
    }

    pub(in crate::mcp::front) fn set_level(&self, level: Level) {
        let attachment = {
            let mut state = locked(&self.state);
            state.level = Some(level);
            state.attachment.clone()
        };
        if let Some(attachment) = attachment {
            let passage = attachment.passage();
            let params = serde_json::json!({"level": level.name()});
            // As in `prime`: a copy without logging has none for this client.
            passage.request(passage.next_id(), "logging/setLevel", &params.to_string());
        }
    }

    /// Tells the client which lists differ in a new version, and lets go of the old one; later, while a scenario binds it to its own.
    pub(in crate::mcp::front) fn version_changed(&self, change: &VersionChange) {
        let mut state = locked(&self.state);
        if state.is_bound() {
            let untold = state.untold.get_or_insert(VersionChange {
                version: change.version,
                tools: false,
                prompts: false,
                resources: false,
            });
            untold.version = change.version;
            untold.tools |= change.tools;
            untold.prompts |= change.prompts;
            untold.resources |= change.resources;
            return;
        }
        // A client that asks for nothing must not keep the old version from its end.
        let old = state
            .attachment
            .take_if(|attachment| attachment.version < change.version);
        drop(state);
        self.replaced(old, Some(change.clone()));
    }

    pub(super) fn announce(&self, change: &VersionChange) {
        for (differs, list) in [
            (change.tools, "tools"),
            (change.prompts, "prompts"),
            (change.resources, "resources"),
        ] {
            if differs {
                self.told(&format!("notifications/{list}/list_changed"), None);
            }
        }
    }

    /// Whether a new version matters to it before its next request: updates of resources come from the copy.
    pub(in crate::mcp::front) fn wants_updates(&self) -> bool {
        !locked(&self.state).subscriptions.is_empty()
            || locked(&self.listeners)
                .iter()
                .any(|listener| !listener.filter.addresses.is_empty())
    }

    /// Passes on a notification that belongs to no call.
    pub(in crate::mcp::front) fn told(&self, method: &str, params: Option<&RawValue>) {
        let params = params.map_or_else(wire::empty, ToOwned::to_owned);
        for listener in locked(&self.listeners).iter() {
            listener.tell(method, &params);
        }
        if self.kind != Kind::Connection {
            return;
        }
        if method == "notifications/resources/updated" {
            let updated = Members::read(Some(&params), "params").unwrap_or_default();
            let subscribed = updated
                .text("uri")
                .is_some_and(|uri| locked(&self.state).subscriptions.contains(uri.as_ref()));
            if !subscribed {
                return;
            }
        }
        let text = wire::notification(method, params.get());
        // Several changes that nobody has heard of yet are one.
        if method.ends_with("/list_changed") && self.stream.holds(|waiting| *waiting == text) {
            return;
        }
        self.tell(text);
    }

    pub(super) fn tell(&self, text: String) {
        let bytes = text.len();
        self.stream.push_latest(text, bytes);
    }

    /// A log message that belongs to no call.
    pub(in crate::mcp::front) fn log(&self, params: Option<&RawValue>) {
        if self.kind == Kind::Connection
            && let Some(params) = params
            && let Some(text) = call::log_message(params, Some(self.level()))
        {
            self.tell(text);
        }
    }

    pub(in crate::mcp::front) fn add_listener(&self, listener: &Arc<Listener>) {
        locked(&self.listeners).push(Arc::clone(listener));
    }

    pub(in crate::mcp::front) fn remove_listener(&self, listener: &Arc<Listener>) {
        locked(&self.listeners).retain(|known| !Arc::ptr_eq(known, listener));
        self.touch();
        let Some(attachment) = self.attachment() else {
            return;
        };
        for address in &listener.filter.addresses {
            let wanted = locked(&self.listeners)
                .iter()
                .any(|other| other.filter.addresses.contains(address));
            if !wanted {
                let passage = attachment.passage();
                let params = serde_json::json!({"uri": address}).to_string();
                passage.request(passage.next_id(), "resources/unsubscribe", &params);
            }
        }
    }
}

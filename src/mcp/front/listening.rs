//! `subscriptions/listen` of MCP 2026-07-28: a stream of the notifications that a client asked for.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::era;
use super::queue::{Bounds, Queue};
use super::wire::{self, Id, Members, RpcError, code};

/// What may wait for a listener that reads slowly; one that falls further behind has to listen again.
const BOUNDS: Bounds = Bounds {
    items: 256,
    bytes: 1024 * 1024,
};

/// What a listener wants to hear.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Filter {
    tools: bool,
    prompts: bool,
    resources: bool,
    /// Resources whose updates it wants.
    pub(super) addresses: BTreeSet<String>,
}

/// A client that listens.
pub(super) struct Listener {
    id: Id,
    pub(super) filter: Filter,
    pub(super) queue: Queue<String>,
}

impl Filter {
    /// Reads the request's `notifications`.
    pub(super) fn read(params: &Members<'_>) -> Result<Self, RpcError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Wanted {
            #[serde(default)]
            tools_list_changed: bool,
            #[serde(default)]
            prompts_list_changed: bool,
            #[serde(default)]
            resources_list_changed: bool,
            #[serde(default)]
            resource_subscriptions: BTreeSet<String>,
        }
        let Some(raw) = params.get("notifications") else {
            return Err(RpcError::new(
                code::INVALID_PARAMS,
                "subscriptions/listen needs `notifications`, which says what to listen for",
            ));
        };
        let wanted: Wanted = serde_json::from_str(raw.get()).map_err(|error| {
            RpcError::new(
                code::INVALID_PARAMS,
                format!("`notifications` is malformed: {error}"),
            )
        })?;
        Ok(Self {
            tools: wanted.tools_list_changed,
            prompts: wanted.prompts_list_changed,
            resources: wanted.resources_list_changed,
            addresses: wanted.resource_subscriptions,
        })
    }

    fn raw(&self) -> Box<RawValue> {
        let mut members = Members::default();
        for (name, wanted) in [
            ("toolsListChanged", self.tools),
            ("promptsListChanged", self.prompts),
            ("resourcesListChanged", self.resources),
        ] {
            if wanted {
                members.set(name, Cow::Owned(wire::raw(&true)));
            }
        }
        if !self.addresses.is_empty() {
            let addresses = wire::raw(&self.addresses);
            members.set("resourceSubscriptions", Cow::Owned(addresses));
        }
        members.raw()
    }

    fn wants(&self, method: &str, params: &RawValue) -> bool {
        match method {
            "notifications/tools/list_changed" => self.tools,
            "notifications/prompts/list_changed" => self.prompts,
            "notifications/resources/list_changed" => self.resources,
            "notifications/resources/updated" => Members::read(Some(params), "params")
                .ok()
                .and_then(|params| Some(self.addresses.contains(params.text("uri")?.as_ref())))
                .unwrap_or(false),
            _ => false,
        }
    }
}

impl Listener {
    /// A listener that has been told what it will hear.
    pub(super) fn new(id: Id, filter: Filter) -> Self {
        let listener = Self {
            id,
            queue: Queue::new(BOUNDS),
            filter,
        };
        let mut params = Members::default();
        params.set("notifications", Cow::Owned(listener.filter.raw()));
        listener.push("notifications/subscriptions/acknowledged", params);
        listener
    }

    fn subscription(&self) -> Box<RawValue> {
        RawValue::from_string(self.id.json().to_owned()).unwrap_or_default()
    }

    fn push(&self, method: &str, mut params: Members<'_>) {
        let meta = params.remove("_meta");
        let mut meta = Members::read(meta.as_deref(), "`_meta`").unwrap_or_default();
        meta.set(era::SUBSCRIPTION_KEY, Cow::Owned(self.subscription()));
        let meta = meta.raw();
        params.set("_meta", Cow::Owned(meta));
        let text = wire::notification(method, &params.json());
        let bytes = text.len();
        // When it is full, the listener has not read for long; its stream ends.
        self.queue.push(text, bytes);
    }

    /// Passes a notification on, when it is wanted.
    pub(super) fn tell(&self, method: &str, params: &RawValue) {
        if self.filter.wants(method, params)
            && let Ok(params) = Members::read(Some(params), "params")
        {
            self.push(method, params);
        }
    }

    /// Ends the stream from our side: the request gets its result.
    pub(super) fn finish(&self) {
        let result = json!({"resultType": "complete"});
        let raw = wire::raw(&result);
        let mut members = Members::read(Some(&raw), "result").unwrap_or_default();
        let mut meta = Members::default();
        meta.set(era::SUBSCRIPTION_KEY, Cow::Owned(self.subscription()));
        members.set("_meta", Cow::Owned(meta.raw()));
        self.queue
            .push_last(wire::result(&self.id, &members.json()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn a_listener_hears_what_it_asked_for_under_its_id() {
        let raw = members(
            r#"{"notifications":{"toolsListChanged":true,"resourceSubscriptions":["a://b"]}}"#,
        );
        let params = Members::read(Some(&raw), "params").unwrap();
        let request = members(r#"{"jsonrpc":"2.0","id":7,"method":"x"}"#);
        let Ok(wire::Incoming::Request { id, .. }) = wire::message(&request) else {
            panic!("no request")
        };
        let listener = Listener::new(id, Filter::read(&params).unwrap());
        listener.tell("notifications/tools/list_changed", &members("{}"));
        listener.tell("notifications/prompts/list_changed", &members("{}"));
        listener.tell(
            "notifications/resources/updated",
            &members(r#"{"uri":"a://b"}"#),
        );
        listener.tell(
            "notifications/resources/updated",
            &members(r#"{"uri":"a://c"}"#),
        );
        listener.finish();
        let heard: Vec<String> =
            std::iter::from_fn(|| listener.queue.try_next().ok().flatten()).collect();
        let meta = r#""_meta":{"io.modelcontextprotocol/subscriptionId":7}"#;
        assert_eq!(
            heard,
            [
                format!(
                    r#"{{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{{"notifications":{{"toolsListChanged":true,"resourceSubscriptions":["a://b"]}},{meta}}}}}"#
                ),
                format!(
                    r#"{{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{{{meta}}}}}"#
                ),
                format!(
                    r#"{{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{{"uri":"a://b",{meta}}}}}"#
                ),
                format!(
                    r#"{{"jsonrpc":"2.0","id":7,"result":{{"resultType":"complete",{meta}}}}}"#
                ),
            ]
        );
    }

    #[test]
    fn a_filter_must_be_there_and_make_sense() {
        for text in [
            "{}",
            r#"{"notifications":3}"#,
            r#"{"notifications":{"toolsListChanged":"yes"}}"#,
        ] {
            let raw = members(text);
            let params = Members::read(Some(&raw), "params").unwrap();
            assert_eq!(
                Filter::read(&params).unwrap_err().code,
                code::INVALID_PARAMS
            );
        }
    }
}

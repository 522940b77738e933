//! What a session's client is asked, and what it answers.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::Value;
use serde_json::value::RawValue;

use super::{Asked, Kind, Session, locked};
use crate::mcp::front::attachment::Attachment;
use crate::mcp::front::wire::{self, Id, Members, RpcError, code};
use crate::mcp::front::{call, era};
use crate::mcp::passage::Answer;

impl Session {
    /// The request that asks the client, with an id of ours.
    pub(in crate::mcp::front) fn register_ask(
        &self,
        attachment: &Arc<Attachment>,
        id: &RawValue,
        method: &str,
        params: &RawValue,
        call: Option<u64>,
    ) -> Result<String, RpcError> {
        let members = Members::read(Some(params), "params")?;
        let nothing = Value::Null;
        let capabilities = self
            .client
            .as_ref()
            .map_or(&nothing, |client| &client.capabilities);
        if let Some(required) = era::missing_capability(capabilities, method, &members) {
            return Err(era::cannot_ask(method, &required));
        }
        let ours = format!("\"ask-{}\"", self.next_ask.fetch_add(1, Ordering::Relaxed));
        let asked = Asked {
            attachment: Arc::downgrade(attachment),
            id: id.to_owned(),
            call,
        };
        let raw = RawValue::from_string(ours.clone()).unwrap_or_default();
        locked(&self.asks).insert(Id::of(&raw), asked);
        Ok(wire::request(&ours, method, params.get()))
    }

    /// Whether the client has been asked something for a call, and has not answered.
    pub(in crate::mcp::front) fn waits_for_client(&self, call: u64) -> bool {
        locked(&self.asks)
            .values()
            .any(|asked| asked.call == Some(call))
    }

    /// A call has ended, and with it what its client was asked for it.
    pub(in crate::mcp::front) fn forget_asks(&self, attachment: &Arc<Attachment>, call: u64) {
        locked(&self.asks).retain(|_, asked| {
            asked.call != Some(call)
                || !std::ptr::eq(asked.attachment.as_ptr(), Arc::as_ptr(attachment))
        });
    }

    /// A question that belongs to no call.
    pub(in crate::mcp::front) fn asked(
        &self,
        attachment: &Attachment,
        id: &RawValue,
        method: &str,
        params: Option<&RawValue>,
    ) -> Result<(), RpcError> {
        let current = self
            .attachment()
            .filter(|current| std::ptr::eq(Arc::as_ptr(current), attachment));
        let (Some(current), Kind::Connection, true) = (current, self.kind, self.is_heard()) else {
            return Err(RpcError::new(
                code::INVALID_REQUEST,
                format!(
                    "`{method}` belongs to no request of the client, and it has no stream open"
                ),
            ));
        };
        let params = params.map_or_else(wire::empty, ToOwned::to_owned);
        let (_, params) = call::question(&params)?;
        let text = self.register_ask(&current, id, method, &params, None)?;
        self.tell(text);
        Ok(())
    }

    /// The client's answer to a question. `false` when nothing was asked under that id.
    pub(in crate::mcp::front) fn answered(
        &self,
        id: &Id,
        result: Result<&RawValue, &RawValue>,
    ) -> bool {
        self.touch();
        let Some(asked) = locked(&self.asks).remove(id) else {
            return false;
        };
        if let Some(attachment) = asked.attachment.upgrade() {
            let answer = match result {
                Ok(result) => Answer::Result(result.to_owned()),
                Err(error) => Answer::Error(error.to_owned()),
            };
            attachment.passage().reply(&asked.id, &answer);
            if let Some(call) = asked.call.and_then(|key| attachment.call(key)) {
                call.answered();
            }
        }
        true
    }

    /// The copy does not want an answer any more.
    pub(in crate::mcp::front) fn ask_withdrawn(
        &self,
        attachment: &Attachment,
        params: Option<&RawValue>,
    ) {
        let Ok(members) = Members::read(params, "params") else {
            return;
        };
        let Some(theirs) = members.get("requestId") else {
            return;
        };
        for call in attachment.running() {
            if call.withdraw(theirs) {
                return;
            }
        }
        let mut asks = locked(&self.asks);
        let found = asks
            .iter()
            .find(|(_, asked)| asked.id.get() == theirs.get())
            .map(|(id, asked)| (id.clone(), asked.call));
        let Some((ours, call)) = found else {
            return;
        };
        asks.remove(&ours);
        drop(asks);
        let params = format!("{{\"requestId\":{}}}", ours.json());
        let text = wire::notification("notifications/cancelled", &params);
        match call.and_then(|key| attachment.call(key)) {
            Some(call) => call.tell(text),
            None => self.tell(text),
        }
    }

    /// A notification of the client, passed on to its copy.
    pub(in crate::mcp::front) fn notified(&self, method: &str, params: Option<&RawValue>) {
        self.touch();
        if let Some(attachment) = self.attachment() {
            let params = params.map_or("{}", RawValue::get);
            attachment.passage().notify(method, params);
        }
    }
}

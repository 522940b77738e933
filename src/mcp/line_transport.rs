//! JSON-RPC as lines on a byte stream.
//!
//! rmcp's own transport drops a line that is too long and a line that is not JSON without a word, so the call that waits for it hangs. This
//! one ends that call with an error, and keeps what it skipped for the error messages of others.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rmcp::RoleClient;
use rmcp::model::{ErrorData, RequestId};
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, BufReader};
use tokio::task::JoinSet;

use super::line_writer::LineWriter;
use super::passage::LinePassage;

/// The longest line accepted, in bytes. Twice what our own worker sends at most, with room for base64 and escaping.
pub const MAX_LINE: usize = 24 * 1024 * 1024;

/// How much of the start and of the end of an oversized line is kept, to find the id of the answer in it.
const KEPT_HEAD: usize = 4096;
const KEPT_TAIL: usize = 512;

/// How long what is still queued may take to be written when the connection is closed.
const LAST_WRITE: Duration = Duration::from_secs(1);

/// How many skipped lines are kept for messages.
const KEPT_GARBAGE: usize = 3;

/// What a transport saw that was not a message.
#[derive(Clone, Debug, Default)]
pub struct LineDiagnostics(Arc<Mutex<VecDeque<String>>>);

impl LineDiagnostics {
    pub(super) fn push(&self, line: &[u8]) {
        let text = crate::util::text::one_line(&String::from_utf8_lossy(line), 200);
        if let Ok(mut lines) = self.0.lock()
            && lines.len() < KEPT_GARBAGE
        {
            lines.push_back(text);
        }
    }

    /// A sentence about the lines that were not MCP, or `None` when there were none.
    pub fn sentence(&self) -> Option<String> {
        let lines = self.0.lock().ok()?;
        let first = lines.front()?;
        Some(format!(
            "it wrote text that is not MCP on stdout, for example `{first}`"
        ))
    }
}

pub(super) struct LineTransport<R> {
    read: BufReader<R>,
    write: Option<LineWriter>,
    passage: Arc<LinePassage>,
    writing: JoinSet<()>,
    line: Vec<u8>,
    /// The whole length of a line that is too long; 0 while it fits.
    overflow: usize,
    tail: VecDeque<u8>,
    max_line: usize,
    diagnostics: LineDiagnostics,
}

impl<R> LineTransport<R>
where
    R: AsyncRead + Send + Unpin + 'static,
{
    pub(super) fn new<W>(read: R, write: W, diagnostics: LineDiagnostics) -> Self
    where
        W: AsyncWrite + Send + Unpin + 'static,
    {
        let mut writing = JoinSet::new();
        let writer = LineWriter::start(write, &mut writing);
        Self {
            read: BufReader::with_capacity(16 * 1024, read),
            passage: LinePassage::new(writer.clone()),
            write: Some(writer),
            writing,
            line: Vec::new(),
            overflow: 0,
            tail: VecDeque::new(),
            max_line: MAX_LINE,
            diagnostics,
        }
    }

    /// Lets requests pass this connection.
    pub(super) fn passage(&self) -> Arc<LinePassage> {
        Arc::clone(&self.passage)
    }

    /// Reads until a whole line is in `self.line`. `false` at the end of the stream. Cancel-safe: nothing is consumed that is not
    /// recorded in `self`, because rmcp polls `receive` in a `select!`.
    async fn read_line(&mut self) -> io::Result<bool> {
        loop {
            let available = self.read.fill_buf().await?;
            if available.is_empty() {
                return Ok(false);
            }
            let end = available.iter().position(|byte| *byte == b'\n');
            let take = end.unwrap_or(available.len());
            let room = self.max_line.saturating_sub(self.line.len());
            if self.overflow == 0 && take <= room {
                self.line.extend_from_slice(&available[..take]);
            } else {
                if self.overflow == 0 {
                    self.overflow = self.line.len();
                    self.line.truncate(KEPT_HEAD);
                }
                let head = take.min(KEPT_HEAD.saturating_sub(self.line.len()));
                self.line.extend_from_slice(&available[..head]);
                self.overflow += take;
                self.tail
                    .extend(&available[take.saturating_sub(KEPT_TAIL)..take]);
                let excess = self.tail.len().saturating_sub(KEPT_TAIL);
                self.tail.drain(..excess);
            }
            let consumed = end.map_or(take, |end| end + 1);
            self.read.consume(consumed);
            if end.is_some() {
                return Ok(true);
            }
        }
    }

    /// The message of the line just read, if it holds one.
    fn take_message(&mut self) -> Option<RxJsonRpcMessage<RoleClient>> {
        let overflow = std::mem::take(&mut self.overflow);
        let message = if overflow > 0 {
            let tail: Vec<u8> = self.tail.drain(..).collect();
            oversized(&self.line, &tail, overflow, &self.passage)
        } else if self.passage.take(&self.line) {
            None
        } else {
            parse(&self.line, &self.diagnostics)
        };
        self.line.clear();
        // A line of many megabytes should not pin its memory for the rest of the rollout.
        if self.line.capacity() > 1024 * 1024 {
            self.line.shrink_to(64 * 1024);
        }
        message
    }
}

fn parse(line: &[u8], diagnostics: &LineDiagnostics) -> Option<RxJsonRpcMessage<RoleClient>> {
    let line = line.trim_ascii();
    if line.is_empty() {
        return None;
    }
    match serde_json::from_slice(line) {
        Ok(message) => Some(message),
        Err(error) => match serde_json::from_slice::<Value>(line) {
            Ok(value) => {
                let Some(id) = value.get("id").and_then(request_id) else {
                    diagnostics.push(line);
                    return None;
                };
                if value.get("method").is_some() {
                    return None;
                }
                Some(failure(id, format!("the answer is not valid MCP: {error}")))
            }
            Err(_) => {
                diagnostics.push(line);
                None
            }
        },
    }
}

/// An answer that was too long becomes an error for the call that waits for it.
fn oversized(
    head: &[u8],
    tail: &[u8],
    length: usize,
    passage: &LinePassage,
) -> Option<RxJsonRpcMessage<RoleClient>> {
    let id = find_id(head).or_else(|| find_id(tail))?;
    let message = format!(
        "the answer has over {} MiB; at most {} MiB are accepted",
        length / (1024 * 1024),
        MAX_LINE / (1024 * 1024)
    );
    if passage.fail(&id.to_string(), &message) {
        return None;
    }
    Some(failure(id, message))
}

fn failure(id: RequestId, message: String) -> RxJsonRpcMessage<RoleClient> {
    RxJsonRpcMessage::<RoleClient>::error(ErrorData::internal_error(message, None), Some(id))
}

fn request_id(value: &Value) -> Option<RequestId> {
    serde_json::from_value(value.clone()).ok()
}

/// The value of the last `"id": <number or string>` in a fragment of JSON. Servers write the id first or last, never inside the result;
/// an `"id"` inside the result could be mistaken only when the line is oversized and hides the real one.
fn find_id(fragment: &[u8]) -> Option<RequestId> {
    let text = String::from_utf8_lossy(fragment);
    let position = text.find("\"id\"")?;
    let rest = text[position + 4..]
        .trim_start()
        .strip_prefix(':')?
        .trim_start();
    let end = rest
        .char_indices()
        .find(|(_, c)| matches!(c, ',' | '}'))
        .map_or(rest.len(), |(index, _)| index);
    serde_json::from_str(rest[..end].trim()).ok()
}

impl<R> Transport<RoleClient> for LineTransport<R>
where
    R: AsyncRead + Send + Unpin + 'static,
{
    type Error = io::Error;

    fn send(
        &mut self,
        item: TxJsonRpcMessage<RoleClient>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        let line = serde_json::to_vec(&item).map_err(io::Error::other);
        let sent = line.and_then(|mut line| {
            line.push(b'\n');
            match &self.write {
                Some(write) if write.send(line) => Ok(()),
                Some(_) | None => Err(io::Error::new(io::ErrorKind::NotConnected, "closed")),
            }
        });
        std::future::ready(sent)
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleClient>> {
        loop {
            match self.read_line().await {
                Ok(true) => {
                    if let Some(message) = self.take_message() {
                        return Some(message);
                    }
                }
                Ok(false) => return None,
                Err(error) => {
                    tracing::debug!("reading from the server failed: {error}");
                    return None;
                }
            }
        }
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        self.passage.close();
        // The passage keeps a sender, so the writer is told to end rather than left alone.
        if let Some(write) = self.write.take() {
            write.end();
        }
        // One that does not read keeps the writer waiting for ever; dropping the transport ends it then.
        let ended = async { while self.writing.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(LAST_WRITE, ended).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn receive_all(input: &[u8], max_line: usize) -> (Vec<String>, LineDiagnostics) {
        let diagnostics = LineDiagnostics::default();
        let mut transport = LineTransport::new(
            std::io::Cursor::new(input.to_vec()),
            tokio::io::sink(),
            diagnostics.clone(),
        );
        transport.max_line = max_line;
        let mut out = Vec::new();
        while let Some(message) = transport.receive().await {
            out.push(serde_json::to_string(&message).unwrap());
        }
        (out, diagnostics)
    }

    #[tokio::test]
    async fn text_between_messages_is_skipped_and_remembered() {
        let input = b"Server starting...\n\r\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\r\n";
        let (messages, diagnostics) = receive_all(input, 1000).await;
        assert_eq!(messages, [r#"{"jsonrpc":"2.0","id":1,"result":{}}"#]);
        assert_eq!(
            diagnostics.sentence().unwrap(),
            "it wrote text that is not MCP on stdout, for example `Server starting...`"
        );
    }

    #[tokio::test]
    async fn an_oversized_answer_ends_its_call_wherever_the_id_stands() {
        let filler = "x".repeat(20_000);
        for line in [
            format!("{{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{{\"a\":\"{filler}\"}}}}\n"),
            format!("{{\"jsonrpc\":\"2.0\",\"result\":{{\"a\":\"{filler}\"}},\"id\": 7}}\n"),
        ] {
            let input = format!("{line}{{\"jsonrpc\":\"2.0\",\"id\":8,\"result\":{{}}}}\n");
            let (messages, _) = receive_all(input.as_bytes(), 1000).await;
            assert_eq!(messages.len(), 2, "{messages:?}");
            assert!(messages[0].contains("\"id\":7") && messages[0].contains("at most"));
            assert!(messages[1].contains("\"id\":8"));
        }
    }

    #[tokio::test]
    async fn an_answer_of_the_wrong_shape_ends_its_call() {
        let (messages, _) =
            receive_all(b"{\"jsonrpc\":\"2.0\",\"id\":3,\"error\":\"boom\"}\n", 1000).await;
        assert_eq!(messages.len(), 1);
        assert!(messages[0].contains("not valid MCP"), "{messages:?}");
    }
}

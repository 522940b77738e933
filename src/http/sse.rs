//! A stream of server-sent events (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures::{Stream, StreamExt};
use sse_stream::SseByteStream;

use super::error::{HttpError, HttpErrorKind};

/// One event may be this large: an image in base64 fits, a server gone mad does not.
const MAX_EVENT: usize = 64 * 1024 * 1024;

/// An event with data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its `event:` field.
    pub name: Option<String>,
    /// Its `data:` lines, joined by newlines.
    pub data: String,
}

/// The events of an answer, as they arrive. Dropping it closes the request.
pub struct Events {
    url: String,
    /// Bytes since the last event.
    pending: Arc<AtomicUsize>,
    inner: SseByteStream<Chunks>,
}

type Chunks = Pin<Box<dyn Stream<Item = Result<Bytes, StreamFailure>> + Send>>;

#[derive(Debug, thiserror::Error)]
enum StreamFailure {
    #[error("{0}")]
    Dropped(String),
    #[error("one event is larger than {} MiB", MAX_EVENT >> 20)]
    TooLarge,
}

impl Events {
    /// `first` has been read of the body already.
    pub(super) fn new(url: &str, first: Bytes, response: reqwest::Response) -> Self {
        let rest = response
            .bytes_stream()
            .map(|chunk| chunk.map_err(|error| super::error::innermost(&error)));
        Self::from_bytes(url, futures::stream::iter([Ok(first)]).chain(rest))
    }

    fn from_bytes(
        url: &str,
        bytes: impl Stream<Item = Result<Bytes, String>> + Send + 'static,
    ) -> Self {
        let pending = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&pending);
        let bounded = bytes.map(move |chunk| {
            let chunk = chunk.map_err(StreamFailure::Dropped)?;
            let held = counter.fetch_add(chunk.len(), Ordering::Relaxed) + chunk.len();
            if held > MAX_EVENT {
                return Err(StreamFailure::TooLarge);
            }
            Ok(chunk)
        });
        Self {
            url: url.to_owned(),
            pending,
            inner: SseByteStream::new(Box::pin(bounded)),
        }
    }

    /// The next event with data; `None` at the end of the stream. After an error the stream is over.
    pub async fn next(&mut self) -> Option<Result<Event, HttpError>> {
        loop {
            let block = match self.inner.next().await? {
                Ok(block) => block,
                Err(error) => return Some(Err(self.failed(&error))),
            };
            self.pending.store(0, Ordering::Relaxed);
            if let Some(data) = block.data {
                return Some(Ok(Event {
                    name: block.event,
                    data,
                }));
            }
        }
    }

    fn failed(&self, error: &sse_stream::Error) -> HttpError {
        let detail = super::error::innermost(error);
        let answer = HttpError::answer(&self.url, detail);
        match error {
            sse_stream::Error::Body(source)
                if matches!(
                    source.downcast_ref::<StreamFailure>(),
                    Some(StreamFailure::Dropped(_))
                ) =>
            {
                HttpError {
                    kind: HttpErrorKind::Dropped,
                    ..answer
                }
            }
            _ => answer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn check(chunks: Vec<Result<Bytes, String>>, expected: &[&str]) {
        let mut events = Events::from_bytes("http://h/x?key=1", futures::stream::iter(chunks));
        let mut seen = Vec::new();
        while let Some(event) = events.next().await {
            seen.push(match event {
                Ok(Event { name, data }) => format!("{}|{data}", name.unwrap_or_default()),
                Err(error) => error.to_string(),
            });
        }
        assert_eq!(seen, expected);
    }

    #[tokio::test]
    async fn events_are_read_however_they_are_cut() {
        let stream = ": hello\r\nevent: a\r\ndata: 1\r\ndata: 2\r\n\r\nretry: 5\n\ndata:{\"x\":\"é\"}\n\n\ndata\n\nevent: lost\ndata: cut";
        let expected = ["a|1\n2", "|{\"x\":\"é\"}", "|"];
        for size in [1, 2, 3, 7, 1000] {
            let chunks = stream
                .as_bytes()
                .chunks(size)
                .map(|chunk| Ok(Bytes::copy_from_slice(chunk)))
                .collect();
            check(chunks, &expected).await;
        }
    }

    #[tokio::test]
    async fn a_broken_connection_is_told_from_a_broken_answer() {
        let good = || Ok(Bytes::from_static(b"data: 1\n\n"));
        check(
            vec![good(), Err("reset".to_owned())],
            &["|1", "lost the connection to `http://h/x`: reset"],
        )
        .await;
        check(
            vec![Ok(Bytes::from_static(b"data: \xff\n\n")), good()],
            &["cannot read the answer of `http://h/x`: invalid utf-8 sequence of 1 bytes from index 0"],
        )
        .await;
    }

    #[tokio::test]
    async fn an_event_has_a_bound_and_a_stream_has_none() {
        let mebibyte = Bytes::from(vec![b'x'; 1 << 20]);
        let mut long = vec![Ok(Bytes::from_static(b"data: "))];
        long.extend(std::iter::repeat_n(mebibyte.clone(), 70).map(Ok));
        check(
            long,
            &["cannot read the answer of `http://h/x`: one event is larger than 64 MiB"],
        )
        .await;
        let many = (0..70).flat_map(|_| {
            [&b": "[..], &mebibyte, b"\ndata: 1\n\n"].map(|part| Ok(Bytes::copy_from_slice(part)))
        });
        check(many.collect(), &["|1"; 70]).await;
    }
}

//! As little HTTP as it takes to see the bytes that the stand-in sends.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use serde_json::Value;

use crate::support::provider::{Api, Provider};

/// A response that is being read.
pub struct Response {
    /// The status; 0 when the connection closed without an answer.
    pub status: u16,
    /// The headers, by their lower-case names.
    pub headers: Vec<(String, String)>,
    body: BufReader<TcpStream>,
}

/// Sends a request with the headers that the API wants.
pub fn ask(server: &Provider, api: Api, body: &Value) -> Response {
    match api {
        Api::Messages => send(
            server,
            "/v1/messages",
            &[
                ("x-api-key", "sk-test"),
                ("anthropic-version", "2023-06-01"),
            ],
            &body.to_string(),
        ),
        Api::Chat => send(
            server,
            "/v1/chat/completions",
            &[("authorization", "Bearer sk-test")],
            &body.to_string(),
        ),
        Api::Responses => send(
            server,
            "/v1/responses",
            &[("authorization", "Bearer sk-test")],
            &body.to_string(),
        ),
        // The path says what the others' bodies say, so a test writes that beside the rest.
        Api::Gemini => {
            let mut body = body.clone();
            let model = body["model"].take();
            let stream = body["stream"].take() == true;
            if let Some(map) = body.as_object_mut() {
                map.retain(|key, _| key != "model" && key != "stream");
            }
            let method = if stream {
                "streamGenerateContent"
            } else {
                "generateContent"
            };
            send(
                server,
                &format!(
                    "/v1/models/{}:{method}",
                    model.as_str().unwrap_or("gemini-x")
                ),
                &[("x-goog-api-key", "sk-test")],
                &body.to_string(),
            )
        }
    }
}

/// Sends a request with a body.
pub fn send(server: &Provider, path: &str, headers: &[(&str, &str)], body: &str) -> Response {
    let mut lines = format!("content-length: {}\r\n", body.len());
    if !headers.iter().any(|(name, _)| *name == "content-type") {
        lines += "content-type: application/json\r\n";
    }
    for (name, value) in headers {
        lines.extend([name, ": ", value, "\r\n"]);
    }
    exchange(server, &format!("POST {path}"), &lines, body)
}

/// Asks for a page.
pub fn get(server: &Provider, path: &str) -> Response {
    exchange(server, &format!("GET {path}"), "", "")
}

fn exchange(server: &Provider, what: &str, headers: &str, body: &str) -> Response {
    let mut stream = TcpStream::connect(server.url().trim_start_matches("http://")).unwrap();
    let head = format!("{what} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}\r\n");
    stream
        .write_all(format!("{head}{body}").as_bytes())
        .unwrap();
    let mut body = BufReader::new(stream);
    let mut line = String::new();
    let _ = body.read_line(&mut line);
    let status = line
        .split(' ')
        .nth(1)
        .map_or(0, |status| status.parse().unwrap());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        if body.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
            return Response {
                status,
                headers,
                body,
            };
        }
        let (name, value) = line.trim_end().split_once(": ").unwrap();
        headers.push((name.to_owned(), value.to_owned()));
    }
}

impl Response {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The next chunk of a chunked body; nothing at its proper end.
    pub fn chunk(&mut self) -> Result<Option<Vec<u8>>, String> {
        let mut size = String::new();
        self.body
            .read_line(&mut size)
            .map_err(|error| error.to_string())?;
        let size = usize::from_str_radix(size.trim(), 16)
            .map_err(|_| "the connection closed in the middle".to_owned())?;
        let mut chunk = vec![0; size + 2];
        self.body
            .read_exact(&mut chunk)
            .map_err(|error| error.to_string())?;
        chunk.truncate(size);
        Ok((size > 0).then_some(chunk))
    }

    /// The rest of a chunked body, and whether it ended properly.
    pub fn chunks(&mut self) -> (String, Result<(), String>) {
        let mut all = Vec::new();
        let end = loop {
            match self.chunk() {
                Ok(Some(chunk)) => all.extend(chunk),
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        (String::from_utf8_lossy(&all).into_owned(), end)
    }

    /// A body that is not chunked, as text.
    pub fn text(mut self) -> String {
        let mut text = Vec::new();
        let _ = self.body.read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    }

    /// A body that is not chunked, as JSON.
    pub fn json(self) -> Value {
        let text = self.text();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }
}

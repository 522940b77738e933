//! Measures the model server of the load tests itself: how many rollouts of two calls it answers in a second, and what each
//! costs it. Numbers of `hud` mean something only while this is far below them.
//!
//!     cargo run --release --example stand-in -- --port 8899 &
//!     cargo run --release --example stand-in-load -- 127.0.0.1:8899 --rollouts 20000 --connections 50

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let address = args
        .next()
        .context("the first argument is the server's HOST:PORT")?;
    let address = address.trim_start_matches("http://").to_owned();
    let (mut rollouts, mut connections) = (20_000, 50);
    while let Some(flag) = args.next() {
        let value = args
            .next()
            .with_context(|| format!("{flag} needs a number"))?;
        match flag.as_str() {
            "--rollouts" => rollouts = value.parse().context("--rollouts")?,
            "--connections" => connections = value.parse().context("--connections")?,
            _ => bail!("unknown flag `{flag}`; known: --rollouts, --connections"),
        }
    }
    for (name, path) in [
        ("messages", "/v1/messages"),
        ("chat", "/v1/chat/completions"),
    ] {
        for stream in [false, true] {
            let measured = measure(&address, path, stream, rollouts, connections)?;
            writeln!(
                std::io::stdout(),
                "{}",
                json!({"api": name, "stream": stream, "result": measured})
            )?;
        }
    }
    Ok(())
}

fn measure(
    address: &str,
    path: &str,
    stream: bool,
    rollouts: usize,
    connections: usize,
) -> Result<Value> {
    let before = Connection::open(address)?.stats()?;
    let start = Instant::now();
    let each = rollouts / connections;
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..connections)
            .map(|_| {
                scope.spawn(|| -> Result<()> {
                    let mut connection = Connection::open(address)?;
                    for _ in 0..each {
                        connection.rollout(path, stream)?;
                    }
                    Ok(())
                })
            })
            .collect();
        for client in clients {
            client
                .join()
                .map_err(|_| anyhow::anyhow!("a client panicked"))??;
        }
        anyhow::Ok(())
    })?;
    let seconds = start.elapsed().as_secs_f64();
    let after = Connection::open(address)?.stats()?;
    let done = (each * connections) as f64;
    let spent = |field: &str| {
        after[field].as_f64().unwrap_or_default() - before[field].as_f64().unwrap_or_default()
    };
    Ok(json!({
        "rollouts": done,
        "requests_per_s": (spent("requests") / seconds).round(),
        "rollouts_per_s": (done / seconds).round(),
        "server_cpu_ms_per_rollout": (spent("cpu_ms") / done * 1e4).round() / 1e4,
    }))
}

struct Connection {
    reader: BufReader<TcpStream>,
    address: String,
}

impl Connection {
    fn open(address: &str) -> Result<Self> {
        let stream =
            TcpStream::connect(address).with_context(|| format!("cannot reach {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            reader: BufReader::new(stream),
            address: address.to_owned(),
        })
    }

    /// Two calls, as a rollout of examples/trivia makes them.
    fn rollout(&mut self, path: &str, stream: bool) -> Result<()> {
        let prompt = json!({"role": "user", "content": "What are the initials of the CEO of HUD?"});
        let first = self.post(
            path,
            &json!({"model": "m", "max_tokens": 100, "stream": stream, "messages": [prompt]}),
        )?;
        if !first.contains("lookup_ceo") {
            bail!("expected a call of lookup_ceo, got {first}");
        }
        let (call, result) = if path == "/v1/messages" {
            (
                json!({"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "lookup_ceo", "input": {"company": "HUD"}}]}),
                json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "Jay Ram"}]}),
            )
        } else {
            let function = json!({"name": "lookup_ceo", "arguments": "{\"company\":\"HUD\"}"});
            (
                json!({"role": "assistant", "tool_calls": [{"id": "t", "type": "function", "function": function}]}),
                json!({"role": "tool", "tool_call_id": "t", "content": "Jay Ram"}),
            )
        };
        let second =
            self.post(path, &json!({"model": "m", "max_tokens": 100, "stream": stream, "messages": [prompt, call, result]}))?;
        if !second.contains("\"JR\"") {
            bail!("expected the answer JR, got {second}");
        }
        Ok(())
    }

    fn stats(&mut self) -> Result<Value> {
        let text = self.exchange("GET /stats", "")?;
        Ok(serde_json::from_str(&text)?)
    }

    fn post(&mut self, path: &str, body: &Value) -> Result<String> {
        self.exchange(&format!("POST {path}"), &body.to_string())
    }

    fn exchange(&mut self, what: &str, body: &str) -> Result<String> {
        let request = format!(
            "{what} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        self.reader.get_mut().write_all(request.as_bytes())?;
        let (mut length, mut status) = (0, String::new());
        self.reader.read_line(&mut status)?;
        loop {
            let mut line = String::new();
            self.reader.read_line(&mut line)?;
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim().parse()?;
            }
            if line == "\r\n" || line.is_empty() {
                break;
            }
        }
        let mut text = vec![0; length];
        self.reader.read_exact(&mut text)?;
        let text = String::from_utf8(text)?;
        if !status.contains(" 200 ") {
            bail!("{}: {text}", status.trim());
        }
        Ok(text)
    }
}

//! Loads an MCP endpoint: keep-alive clients that call one tool, in both eras of the protocol, and sessions that come and go.
//!
//!     hud serve mcp env.py --port 8899 &
//!     cargo run --release --example mcp-load -- 127.0.0.1:8899 --tool add --arguments '{"a":1,"b":2}' --pid $!
//!     cargo run --release --example mcp-load -- 127.0.0.1:8899 --tool add --sessions 5000 --leave 0.5 --pid $!
//!
//! Prints one JSON object a line: `calls_per_s`, `p50_ms`, `p99_ms` of a call, and the server's memory as it went (`rss_mib`, ten samples).
//! `--clients 1` measures the latency of an idle server.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

#[derive(Clone)]
struct Options {
    address: String,
    tool: String,
    arguments: Value,
    clients: usize,
    calls: usize,
    /// Sessions to open, use once, and delete or leave.
    sessions: usize,
    /// The share of sessions that are left behind.
    leave: f64,
    eras: Vec<Era>,
    pid: Option<u32>,
    token: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Era {
    Legacy,
    Stateless,
}

fn main() -> Result<()> {
    let options = parse()?;
    for era in &options.eras {
        let measured = if options.sessions > 0 {
            churn(&options, *era)?
        } else {
            calls(&options, *era)?
        };
        writeln!(std::io::stdout(), "{measured}")?;
    }
    Ok(())
}

fn parse() -> Result<Options> {
    let mut args = std::env::args().skip(1);
    let address = args
        .next()
        .context("the first argument is the server's HOST:PORT")?;
    let mut options = Options {
        address,
        tool: "add".to_owned(),
        arguments: json!({"a": 1, "b": 2}),
        clients: 16,
        calls: 20_000,
        sessions: 0,
        leave: 0.0,
        eras: vec![Era::Legacy, Era::Stateless],
        pid: None,
        token: None,
    };
    while let Some(flag) = args.next() {
        let value = args
            .next()
            .with_context(|| format!("{flag} needs a value"))?;
        match flag.as_str() {
            "--tool" => options.tool = value,
            "--arguments" => options.arguments = serde_json::from_str(&value)?,
            "--clients" => options.clients = value.parse()?,
            "--calls" => options.calls = value.parse()?,
            "--sessions" => options.sessions = value.parse()?,
            "--leave" => options.leave = value.parse()?,
            "--pid" => options.pid = Some(value.parse()?),
            "--token" => options.token = Some(value),
            "--era" => {
                options.eras = match value.as_str() {
                    "legacy" => vec![Era::Legacy],
                    "stateless" => vec![Era::Stateless],
                    "both" => vec![Era::Legacy, Era::Stateless],
                    _ => bail!("--era is legacy, stateless or both"),
                }
            }
            _ => bail!(
                "unknown flag `{flag}`; known: --tool, --arguments, --clients, --calls, --sessions, --leave, --era, --pid, --token"
            ),
        }
    }
    Ok(options)
}

/// `calls` calls of the tool by `clients` clients, each with its own connection and session.
fn calls(options: &Options, era: Era) -> Result<Value> {
    let each = options.calls / options.clients;
    let clients = (0..options.clients)
        .map(|_| Client::open(options, era))
        .collect::<Result<Vec<_>>>()?;
    let done = AtomicUsize::new(0);
    let latencies = Mutex::new(Vec::with_capacity(options.calls));
    let start = Instant::now();
    let memory = std::thread::scope(|scope| {
        let running: Vec<_> = clients
            .into_iter()
            .map(|mut client| {
                let (done, latencies) = (&done, &latencies);
                scope.spawn(move || -> Result<()> {
                    let mut own = Vec::with_capacity(each);
                    for _ in 0..each {
                        let begun = Instant::now();
                        client.call(options)?;
                        own.push(begun.elapsed());
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                    if let Ok(mut all) = latencies.lock() {
                        all.extend(own);
                    }
                    client.delete()
                })
            })
            .collect();
        let memory = watch(options.pid, &done, each * options.clients, || {
            running.iter().all(|client| client.is_finished())
        });
        for client in running {
            client
                .join()
                .map_err(|_| anyhow::anyhow!("a client panicked"))??;
        }
        anyhow::Ok(memory)
    })?;
    let seconds = start.elapsed().as_secs_f64();
    let mut latencies = latencies.into_inner().unwrap_or_default();
    latencies.sort_unstable();
    let total = latencies.len();
    Ok(json!({
        "measured": "calls",
        "era": format!("{era:?}").to_lowercase(),
        "clients": options.clients,
        "calls": total,
        "calls_per_s": (total as f64 / seconds).round(),
        "p50_ms": milliseconds(latencies.get(total / 2)),
        "p99_ms": milliseconds(latencies.get(total * 99 / 100)),
        "rss_mib": memory,
    }))
}

/// `sessions` sessions: opened, used once, then deleted or left.
fn churn(options: &Options, era: Era) -> Result<Value> {
    let each = options.sessions / options.clients;
    let done = AtomicUsize::new(0);
    let start = Instant::now();
    let memory = std::thread::scope(|scope| {
        let running: Vec<_> = (0..options.clients)
            .map(|_| {
                let done = &done;
                scope.spawn(move || -> Result<()> {
                    for number in 0..each {
                        let mut client = Client::open(options, era)?;
                        client.call(options)?;
                        if (number as f64 + 0.5) / each as f64 >= options.leave {
                            client.delete()?;
                        }
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                    Ok(())
                })
            })
            .collect();
        let memory = watch(options.pid, &done, each * options.clients, || {
            running.iter().all(|client| client.is_finished())
        });
        for client in running {
            client
                .join()
                .map_err(|_| anyhow::anyhow!("a client panicked"))??;
        }
        anyhow::Ok(memory)
    })?;
    Ok(json!({
        "measured": "sessions",
        "era": format!("{era:?}").to_lowercase(),
        "sessions": each * options.clients,
        "left": options.leave,
        "sessions_per_s": ((each * options.clients) as f64 / start.elapsed().as_secs_f64()).round(),
        "rss_mib": memory,
    }))
}

fn milliseconds(duration: Option<&Duration>) -> f64 {
    duration.map_or(0.0, |duration| (duration.as_secs_f64() * 1e6).round() / 1e3)
}

/// The server's resident memory at each tenth of the work.
fn watch(
    pid: Option<u32>,
    done: &AtomicUsize,
    total: usize,
    finished: impl Fn() -> bool,
) -> Vec<f64> {
    let mut samples = Vec::new();
    let Some(pid) = pid else {
        return samples;
    };
    while !finished() {
        if done.load(Ordering::Relaxed) * 10 >= total * samples.len() {
            samples.push(resident(pid));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    samples.push(resident(pid));
    samples
}

fn resident(pid: u32) -> f64 {
    let status = hud::util::fs::read_to_string(Path::new(&format!("/proc/{pid}/status")));
    let status = status.unwrap_or_default();
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<f64>().ok())
        .unwrap_or_default();
    (kib / 102.4).round() / 10.0
}

struct Client {
    reader: BufReader<TcpStream>,
    address: String,
    era: Era,
    session: Option<String>,
    token: Option<String>,
    next: u64,
}

impl Client {
    fn open(options: &Options, era: Era) -> Result<Self> {
        let stream = TcpStream::connect(&options.address)
            .with_context(|| format!("cannot reach {}", options.address))?;
        stream.set_nodelay(true)?;
        let mut client = Self {
            reader: BufReader::new(stream),
            address: options.address.clone(),
            era,
            session: None,
            token: options.token.clone(),
            next: 0,
        };
        if era == Era::Legacy {
            let initialize = json!({
                "protocolVersion": "2025-11-25",
                "capabilities": {},
                "clientInfo": {"name": "mcp-load", "version": "1"},
            });
            client.request("initialize", initialize, None)?;
            if client.session.is_none() {
                bail!("the server gave no session");
            }
            client.post(
                &json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
                "",
                None,
            )?;
        }
        Ok(client)
    }

    fn call(&mut self, options: &Options) -> Result<()> {
        let params = json!({"name": options.tool, "arguments": options.arguments});
        let answer = self.request("tools/call", params, Some(&options.tool))?;
        if !answer.contains("\"result\"") || answer.contains("\"isError\":true") {
            bail!("the call failed: {answer}");
        }
        Ok(())
    }

    fn request(&mut self, method: &str, mut params: Value, name: Option<&str>) -> Result<String> {
        self.next += 1;
        if self.era == Era::Stateless {
            params["_meta"] = json!({
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientInfo": {"name": "mcp-load", "version": "1"},
                "io.modelcontextprotocol/clientCapabilities": {},
            });
        }
        let message =
            json!({"jsonrpc": "2.0", "id": self.next, "method": method, "params": params});
        self.post(&message, method, name)
    }

    fn delete(&mut self) -> Result<()> {
        let Some(session) = self.session.take() else {
            return Ok(());
        };
        let token = self.authorization();
        write!(
            self.reader.get_mut(),
            "DELETE /mcp HTTP/1.1\r\nhost: {}\r\nmcp-session-id: {session}\r\nmcp-protocol-version: 2025-11-25\r\n{token}\r\n",
            self.address
        )?;
        self.answer().map(|_| ())
    }

    fn authorization(&self) -> String {
        self.token.as_ref().map_or_else(String::new, |token| {
            format!("authorization: Bearer {token}\r\n")
        })
    }

    fn post(&mut self, message: &Value, method: &str, name: Option<&str>) -> Result<String> {
        let body = message.to_string();
        let mut head = format!(
            "POST /mcp HTTP/1.1\r\nhost: {}\r\naccept: application/json, text/event-stream\r\ncontent-type: application/json\r\ncontent-length: {}\r\n{}",
            self.address,
            body.len(),
            self.authorization(),
        );
        match self.era {
            Era::Stateless => {
                head.push_str("mcp-protocol-version: 2026-07-28\r\nmcp-method: ");
                head.push_str(method);
                head.push_str("\r\n");
                if let Some(name) = name {
                    head.push_str(&format!("mcp-name: {name}\r\n"));
                }
            }
            Era::Legacy => {
                if let Some(session) = &self.session {
                    head.push_str(&format!(
                        "mcp-session-id: {session}\r\nmcp-protocol-version: 2025-11-25\r\n"
                    ));
                }
            }
        }
        head.push_str("\r\n");
        head.push_str(&body);
        self.reader.get_mut().write_all(head.as_bytes())?;
        self.answer()
    }

    /// Reads one response, whole.
    fn answer(&mut self) -> Result<String> {
        let mut line = String::new();
        self.reader.read_line(&mut line)?;
        let status = line.split(' ').nth(1).unwrap_or_default().to_owned();
        let (mut length, mut chunked) = (0, false);
        loop {
            line.clear();
            self.reader.read_line(&mut line)?;
            let header = line.trim_end();
            if header.is_empty() {
                break;
            }
            let (name, value) = header.split_once(':').unwrap_or((header, ""));
            let value = value.trim();
            if name.eq_ignore_ascii_case("content-length") {
                length = value.parse()?;
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                chunked = value.eq_ignore_ascii_case("chunked");
            } else if name.eq_ignore_ascii_case("mcp-session-id") {
                self.session = Some(value.to_owned());
            }
        }
        let mut body = Vec::new();
        if chunked {
            loop {
                line.clear();
                self.reader.read_line(&mut line)?;
                let size = usize::from_str_radix(line.trim(), 16).context("a chunk's size")?;
                let start = body.len();
                body.resize(start + size + 2, 0);
                self.reader.read_exact(&mut body[start..])?;
                body.truncate(start + size);
                if size == 0 {
                    break;
                }
            }
        } else {
            body.resize(length, 0);
            self.reader.read_exact(&mut body)?;
        }
        let body = String::from_utf8(body)?;
        if !status.starts_with('2') {
            bail!("the server answered HTTP {status}: {body}");
        }
        Ok(body)
    }
}

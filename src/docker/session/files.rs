//! `moby.filesync.v1.FileSync`: the builder asks for the list of files, compares it with what it kept from an earlier build, and asks for the
//! contents of those that differ.
//!
//! Source: `send.go` of tonistiigi/fsutil.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use bollard::fsutil::types::packet::PacketType;
use bollard::fsutil::types::{Packet, Stat};
use bollard::moby::filesync::packet::file_sync_server::FileSync;
use futures::{Stream, StreamExt};
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status, Streaming};

use super::follow;
use crate::docker::context::{Context, ContextEntry, EntryKind};

/// The size of a piece of a file, as Docker's client sends it.
const PIECE: usize = 32 * 1024;

/// How many packets wait for the connection.
const WAITING: usize = 32;

/// Bits of Go's `os.FileMode`, in which the builder reads modes.
const GO_FOLDER: u32 = 1 << 31;
const GO_LINK: u32 = 1 << 27;
const GO_SETUID: u32 = 1 << 23;
const GO_SETGID: u32 = 1 << 22;
const GO_STICKY: u32 = 1 << 20;

pub(super) struct Files {
    context: Arc<Context>,
    sending: Mutex<JoinSet<()>>,
}

type Packets = Pin<Box<dyn Stream<Item = Result<Packet, Status>> + Send>>;

impl Files {
    pub(super) fn new(context: Arc<Context>) -> Self {
        Self {
            context,
            sending: Mutex::new(JoinSet::new()),
        }
    }

    /// What the builder may see under the name of a folder.
    fn folder(&self, name: &str) -> Option<Vec<Item>> {
        match name {
            "context" => Some(
                self.context
                    .entries
                    .iter()
                    .map(|entry| Item {
                        entry: entry.clone(),
                        text: None,
                    })
                    .collect(),
            ),
            // Its folder is that of the context; nothing but itself is ever asked of it.
            "dockerfile" => Some(dockerfile_folder(&self.context)),
            _ => None,
        }
    }
}

/// An entry, and its text when that is on no disk.
#[derive(Clone)]
struct Item {
    entry: ContextEntry,
    text: Option<Arc<str>>,
}

fn dockerfile_folder(context: &Context) -> Vec<Item> {
    let name = &context.dockerfile.name;
    let file = |path: &str, text: &Arc<str>| Item {
        entry: ContextEntry {
            path: path.to_owned(),
            mode: 0o644,
            modified: 0,
            kind: EntryKind::File {
                source: path.into(),
                size: text.len() as u64,
            },
        },
        text: Some(Arc::clone(text)),
    };
    let mut items: Vec<Item> = name
        .match_indices('/')
        .map(|(end, _)| Item {
            entry: ContextEntry {
                path: name[..end].to_owned(),
                mode: 0o755,
                modified: 0,
                kind: EntryKind::Folder,
            },
            text: None,
        })
        .collect();
    items.push(file(name, &context.dockerfile.text));
    items
}

#[tonic::async_trait]
impl FileSync for Files {
    type DiffCopyStream = Packets;
    type TarStreamStream = Packets;

    async fn diff_copy(
        &self,
        request: Request<Streaming<Packet>>,
    ) -> Result<Response<Self::DiffCopyStream>, Status> {
        let wishes = Wishes::read(request.metadata());
        let items = self
            .folder(&wishes.folder)
            .ok_or_else(|| Status::not_found(format!("no folder `{}`", wishes.folder)))?;
        let entries: Vec<ContextEntry> = items.iter().map(|item| item.entry.clone()).collect();
        let selected = follow::select(&entries, &wishes.include, &wishes.follow)
            .map_err(Status::invalid_argument)?;
        let names: std::collections::HashSet<&str> =
            selected.iter().map(|entry| entry.path.as_str()).collect();
        let items: Vec<Item> = items
            .iter()
            .filter(|item| names.contains(item.entry.path.as_str()))
            .cloned()
            .collect();
        let (sender, receiver) = mpsc::channel(WAITING);
        let incoming = request.into_inner();
        self.sending
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .spawn(async move {
                let outcome = send(&items, incoming, &sender).await;
                if let Err(message) = outcome {
                    // The receiver is gone only when the build has ended.
                    let _ = sender
                        .send(Ok(packet(PacketType::PacketErr, 0, message.into_bytes())))
                        .await;
                }
            });
        let stream = futures::stream::unfold(receiver, |mut receiver| async {
            receiver.recv().await.map(|packet| (packet, receiver))
        });
        Ok(Response::new(stream.boxed()))
    }

    async fn tar_stream(
        &self,
        _: Request<Streaming<Packet>>,
    ) -> Result<Response<Self::TarStreamStream>, Status> {
        Err(Status::unimplemented("no tar"))
    }
}

/// The list, then contents for as long as they are asked for.
async fn send(
    items: &[Item],
    mut incoming: Streaming<Packet>,
    out: &mpsc::Sender<Result<Packet, Status>>,
) -> Result<(), String> {
    let gone = |_| "the build has ended".to_owned();
    for item in items {
        let mut stat = packet(PacketType::PacketStat, 0, Vec::new());
        stat.stat = Some(stat_of(&item.entry));
        out.send(Ok(stat)).await.map_err(gone)?;
    }
    out.send(Ok(packet(PacketType::PacketStat, 0, Vec::new())))
        .await
        .map_err(gone)?;
    while let Some(asked) = incoming.next().await {
        let asked = asked.map_err(|status| status.message().to_owned())?;
        match PacketType::try_from(asked.r#type) {
            Ok(PacketType::PacketReq) => {
                let item = items
                    .get(asked.id as usize)
                    .ok_or_else(|| format!("there is no file {}", asked.id))?;
                send_file(item, asked.id, out).await?;
            }
            Ok(PacketType::PacketFin) => {
                return out
                    .send(Ok(packet(PacketType::PacketFin, 0, Vec::new())))
                    .await
                    .map_err(gone);
            }
            Ok(PacketType::PacketErr) => {
                return Err(String::from_utf8_lossy(&asked.data).into_owned());
            }
            Ok(PacketType::PacketStat | PacketType::PacketData) | Err(_) => {}
        }
    }
    Ok(())
}

async fn send_file(
    item: &Item,
    id: u32,
    out: &mpsc::Sender<Result<Packet, Status>>,
) -> Result<(), String> {
    let gone = |_| "the build has ended".to_owned();
    let data = |bytes: &[u8]| packet(PacketType::PacketData, id, bytes.to_vec());
    if let Some(text) = &item.text {
        for piece in text.as_bytes().chunks(PIECE) {
            out.send(Ok(data(piece))).await.map_err(gone)?;
        }
    } else if let EntryKind::File { source, .. } = &item.entry.kind {
        let unreadable = |error: std::io::Error| {
            format!(
                "{}: `{}`: {error}",
                crate::docker::build::CONTEXT,
                item.entry.path
            )
        };
        let mut file = tokio::fs::File::open(source).await.map_err(unreadable)?;
        let mut buffer = vec![0; PIECE];
        loop {
            let count = file.read(&mut buffer).await.map_err(unreadable)?;
            if count == 0 {
                break;
            }
            out.send(Ok(data(&buffer[..count]))).await.map_err(gone)?;
        }
    }
    // An empty piece ends the file.
    out.send(Ok(data(&[]))).await.map_err(gone)
}

fn packet(kind: PacketType, id: u32, data: Vec<u8>) -> Packet {
    Packet {
        r#type: kind as i32,
        stat: None,
        id,
        data,
    }
}

fn stat_of(entry: &ContextEntry) -> Stat {
    let mut mode = entry.mode & 0o777;
    for (unix, go) in [
        (0o4000, GO_SETUID),
        (0o2000, GO_SETGID),
        (0o1000, GO_STICKY),
    ] {
        if entry.mode & unix != 0 {
            mode |= go;
        }
    }
    let (kind, size, linkname) = match &entry.kind {
        EntryKind::Folder => (GO_FOLDER, 0, String::new()),
        EntryKind::File { size, .. } => (0, *size, String::new()),
        EntryKind::Link { target } => (GO_LINK, target.len() as u64, target.clone()),
    };
    Stat {
        path: entry.path.clone(),
        mode: mode | kind,
        size: i64::try_from(size).unwrap_or(i64::MAX),
        mod_time: entry.modified,
        linkname,
        ..Stat::default()
    }
}

/// What a request for files asks for, in its headers.
#[derive(Debug, PartialEq, Eq)]
struct Wishes {
    folder: String,
    include: Vec<String>,
    follow: Vec<String>,
}

impl Wishes {
    fn read(metadata: &MetadataMap) -> Self {
        Self {
            folder: values(metadata, "dir-name")
                .into_iter()
                .next()
                .unwrap_or_default(),
            include: values(metadata, "include-patterns"),
            follow: values(metadata, "followpaths"),
        }
    }
}

/// The values of a header; what is not ASCII travels as in a URL's query, and another header says so.
fn values(metadata: &MetadataMap, name: &str) -> Vec<String> {
    let encoded = metadata
        .get(format!("{name}-encoded"))
        .is_some_and(|value| value.as_bytes() == b"1");
    metadata
        .get_all(name)
        .iter()
        .map(|value| {
            let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
            if encoded { unescape(&text) } else { text }
        })
        .collect()
}

fn unescape(text: &str) -> String {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let digits: Vec<u8> = bytes.by_ref().take(2).collect();
                let digits = String::from_utf8_lossy(&digits).into_owned();
                out.push(u8::from_str_radix(&digits, 16).unwrap_or(b'?'));
            }
            byte => out.push(byte),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_gos() {
        let check = |mode: u32, kind: EntryKind, expected: u32| {
            let entry = ContextEntry {
                path: "x".to_owned(),
                mode,
                modified: 7,
                kind,
            };
            let stat = stat_of(&entry);
            assert_eq!((stat.mode, stat.mod_time), (expected, 7));
        };
        let file = || EntryKind::File {
            source: "x".into(),
            size: 3,
        };
        check(0o644, file(), 0o644);
        check(0o4755, file(), 0o755 | GO_SETUID);
        check(0o1777, EntryKind::Folder, 0o777 | GO_STICKY | GO_FOLDER);
        let target = "../y".to_owned();
        check(0o777, EntryKind::Link { target }, 0o777 | GO_LINK);
    }

    #[test]
    fn wishes_are_read_from_headers() {
        let mut metadata = MetadataMap::new();
        metadata.insert("dir-name", "context".parse().unwrap());
        metadata.append("followpaths", "a/b".parse().unwrap());
        metadata.append("followpaths", "%C3%A9+%2B".parse().unwrap());
        metadata.insert("followpaths-encoded", "1".parse().unwrap());
        assert_eq!(
            Wishes::read(&metadata),
            Wishes {
                folder: "context".to_owned(),
                include: Vec::new(),
                follow: vec!["a/b".to_owned(), "é +".to_owned()],
            }
        );
    }
}

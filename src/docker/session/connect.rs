//! A connection to the engine that leaves HTTP: `POST /session` with an upgrade, as Docker's client does it.

use std::fmt::Write as _;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinSet;

use crate::docker::discovery::{Address, Tls};

/// The longest answer to an upgrade that is read, in bytes.
const LONGEST_ANSWER: usize = 16 * 1024;

/// The buffer between our side and the engine's connection.
const BUFFER: usize = 256 * 1024;

/// Connects and upgrades. What is returned is the raw connection behind the answer; `tasks` carries its bytes.
///
/// # Errors
/// In words.
pub(super) async fn upgrade(
    address: &Address,
    path: &str,
    headers: &[(&str, String)],
    tasks: &mut JoinSet<()>,
) -> Result<DuplexStream, String> {
    match address {
        Address::Unix(socket) => {
            let stream = UnixStream::connect(socket)
                .await
                .map_err(|error| error.to_string())?;
            over(stream, path, headers, tasks).await
        }
        Address::Tcp { host, tls } => {
            let stream = TcpStream::connect(host)
                .await
                .map_err(|error| error.to_string())?;
            match tls {
                None => over(stream, path, headers, tasks).await,
                Some(tls) => over(encrypted(stream, host, tls).await?, path, headers, tasks).await,
            }
        }
    }
}

async fn over<S>(
    mut stream: S,
    path: &str,
    headers: &[(&str, String)],
    tasks: &mut JoinSet<()>,
) -> Result<DuplexStream, String>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let mut request = format!(
        "POST {path} HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 0\r\n"
    );
    for (name, value) in headers {
        // Writing to a string cannot fail.
        let _ = write!(request, "{name}: {value}\r\n");
    }
    request.push_str("\r\n");
    let failed = |error: std::io::Error| error.to_string();
    stream.write_all(request.as_bytes()).await.map_err(failed)?;
    // Byte by byte: what follows the answer belongs to the protocol behind it.
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        if answer.len() > LONGEST_ANSWER {
            return Err("the engine answers something that is no upgrade".to_owned());
        }
        answer.push(stream.read_u8().await.map_err(failed)?);
    }
    let answer = String::from_utf8_lossy(&answer);
    let status = answer.lines().next().unwrap_or_default();
    if !status.contains(" 101 ") {
        return Err(format!("the engine refused: {status}"));
    }
    let (ours, mut theirs) = tokio::io::duplex(BUFFER);
    tasks.spawn(async move {
        // Either side may close; the other then sees the end.
        let _ = tokio::io::copy_bidirectional(&mut stream, &mut theirs).await;
    });
    Ok(ours)
}

async fn encrypted(
    stream: TcpStream,
    host: &str,
    tls: &Tls,
) -> Result<tokio_rustls::client::TlsStream<TcpStream>, String> {
    let unreadable = |path: &std::path::Path| format!("cannot read `{}`", path.display());
    let certificates = |path: &std::path::Path| {
        CertificateDer::pem_file_iter(path)
            .and_then(|found| found.collect::<Result<Vec<_>, _>>())
            .map_err(|error| format!("{}: {error}", unreadable(path)))
    };
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(certificates(&tls.ca)?);
    let key = PrivateKeyDer::from_pem_file(&tls.key)
        .map_err(|error| format!("{}: {error}", unreadable(&tls.key)))?;
    let config = rustls::ClientConfig::builder()
        .with_root_certificates(roots)
        .with_client_auth_cert(certificates(&tls.cert)?, key)
        .map_err(|error| error.to_string())?;
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let name = ServerName::try_from(name.trim_matches(['[', ']']).to_owned())
        .map_err(|_| format!("`{name}` is no name of a host"))?;
    tokio_rustls::TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn answered(answer: &'static str) -> Result<String, String> {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("s");
        let listener = tokio::net::UnixListener::bind(&socket).unwrap();
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(stream.read_u8().await.unwrap());
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8(request).unwrap()
        };
        let address = Address::Unix(socket.clone());
        let headers = [("X-Name", "value".to_owned())];
        let mut tasks = JoinSet::new();
        let opening = upgrade(&address, "/session", &headers, &mut tasks);
        let (request, stream) = tokio::join!(server, opening);
        assert!(request.starts_with("POST /session HTTP/1.1\r\n"));
        assert!(request.contains("\r\nX-Name: value\r\n"));
        let mut rest = String::new();
        stream?.read_to_string(&mut rest).await.unwrap();
        Ok(rest)
    }

    #[tokio::test]
    async fn what_follows_the_upgrade_is_kept() {
        assert_eq!(
            answered("HTTP/1.1 101 UPGRADED\r\nA: b\r\n\r\nPRI * HTTP/2.0").await,
            Ok("PRI * HTTP/2.0".to_owned())
        );
        assert_eq!(
            answered("HTTP/1.1 404 Not Found\r\n\r\n").await,
            Err("the engine refused: HTTP/1.1 404 Not Found".to_owned())
        );
        assert_eq!(
            answered("HTTP/1.1").await,
            Err("unexpected end of file".to_owned())
        );
    }
}

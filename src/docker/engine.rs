//! The connection to an engine.

use std::sync::Arc;
use std::time::Duration;

use bollard::{API_DEFAULT_VERSION, Docker};

use super::credentials::Credentials;
use super::discovery::{Address, EngineSettings};
use super::error::DockerError;

/// The oldest version of the API that works: that of Docker 20.10, the first with everything that is used here, and of Podman 4.
pub(super) const OLDEST_API: &str = "1.41";

/// How long an engine may take to say who it is. A local one needs milliseconds; a stopped one whose socket stayed never answers.
const HELLO: Duration = Duration::from_secs(10);

/// How long the engine may take before it starts to answer. Creating a container waits for its image to be unpacked, and the answer to a
/// build begins when its whole context has arrived.
const ANSWER: Duration = Duration::from_hours(2);

/// A container engine. Clones share the connection.
#[derive(Clone, Debug)]
pub struct Engine {
    pub(super) docker: Docker,
    pub(super) credentials: Arc<Credentials>,
    pub(super) address: Address,
    info: Arc<EngineInfo>,
}

/// What an engine says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineInfo {
    /// Where it is.
    pub address: String,
    /// `Docker` or `Podman`.
    pub name: &'static str,
    /// Its version.
    pub version: String,
    /// The operating system of its containers.
    pub os: String,
    /// The architecture of its containers, in Go's words: `amd64`, `arm64`.
    pub arch: String,
    /// Whether it builds with BuildKit.
    pub buildkit: bool,
    /// Whether it runs on this machine, so that its ports and files are ours.
    pub local: bool,
}

impl Engine {
    /// Connects to the engine that `settings` name, or to the first that answers.
    pub async fn connect(settings: &EngineSettings) -> Result<Self, DockerError> {
        let mut tried = Vec::new();
        for address in settings.candidates()? {
            match hello(&address).await {
                Ok((docker, version)) => {
                    return Self::from_hello(docker, &address, version, settings);
                }
                Err(why) => tried.push((address.to_string(), why)),
            }
        }
        Err(DockerError::NoEngine { tried })
    }

    fn from_hello(
        docker: Docker,
        address: &Address,
        version: bollard::models::SystemVersion,
        settings: &EngineSettings,
    ) -> Result<Self, DockerError> {
        let api = version.api_version.unwrap_or_default();
        if number(&api) < number(OLDEST_API) {
            return Err(DockerError::TooOld {
                address: address.to_string(),
                found: if api.is_empty() { "?".to_owned() } else { api },
            });
        }
        let is_podman = version
            .components
            .iter()
            .flatten()
            .any(|component| component.name.contains("Podman"));
        let os = version.os.unwrap_or_else(|| "linux".to_owned());
        Ok(Self {
            docker: docker.with_timeout(ANSWER),
            credentials: Arc::new(Credentials::new(settings)),
            address: address.clone(),
            info: Arc::new(EngineInfo {
                address: address.to_string(),
                name: if is_podman { "Podman" } else { "Docker" },
                version: version.version.unwrap_or_default(),
                buildkit: !is_podman && os == "linux",
                os,
                arch: version.arch.unwrap_or_else(|| "amd64".to_owned()),
                local: is_local(address),
            }),
        })
    }

    /// The host at which published ports are reached.
    pub(super) fn host(&self) -> &str {
        match &self.address {
            Address::Unix(_) => "127.0.0.1",
            Address::Tcp { host, .. } => host.rsplit_once(':').map_or(host, |(name, _)| name),
        }
    }

    /// What the engine says of itself.
    pub fn info(&self) -> &EngineInfo {
        &self.info
    }
}

/// Asks the engine at `address` who it is, and agrees on a version of the API. Errors say why it is none.
async fn hello(address: &Address) -> Result<(Docker, bollard::models::SystemVersion), String> {
    let timeout = HELLO.as_secs();
    let connected = match address {
        Address::Unix(path) => {
            Docker::connect_with_unix(&path.to_string_lossy(), timeout, API_DEFAULT_VERSION)
        }
        Address::Tcp { host, tls: None } => {
            Docker::connect_with_http(&format!("tcp://{host}"), timeout, API_DEFAULT_VERSION)
        }
        Address::Tcp {
            host,
            tls: Some(tls),
        } => {
            // bollard takes the process's provider; whoever was first has installed the same one.
            let _ = rustls::crypto::ring::default_provider().install_default();
            Docker::connect_with_ssl(
                &format!("tcp://{host}"),
                &tls.key,
                &tls.cert,
                &tls.ca,
                timeout,
                API_DEFAULT_VERSION,
            )
        }
    };
    let docker = connected.map_err(|error| match error {
        bollard::errors::Error::SocketNotFoundError(_) => "no such file".to_owned(),
        other => other.to_string(),
    })?;
    let answer = async {
        let docker = docker.negotiate_version().await?;
        let version = docker.version().await?;
        Ok::<_, bollard::errors::Error>((docker, version))
    };
    match tokio::time::timeout(HELLO, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => match DockerError::from_bollard("", &error) {
            DockerError::Gone { message, .. } => Err(message),
            DockerError::Refused {
                status: Some(status),
                message,
                ..
            } => Err(format!("it answers HTTP {status}: {message}")),
            other => Err(other.to_string().trim_start_matches(": ").to_owned()),
        },
        Err(_) => Err(format!("no answer within {} s", HELLO.as_secs())),
    }
}

fn is_local(address: &Address) -> bool {
    match address {
        Address::Unix(_) => true,
        Address::Tcp { host, .. } => {
            let name = host
                .rsplit_once(':')
                .map_or(host.as_str(), |(name, _)| name);
            matches!(name, "localhost" | "127.0.0.1" | "[::1]")
        }
    }
}

/// `1.41` as numbers that compare.
fn number(version: &str) -> Option<(u32, u32)> {
    let (major, minor) = version.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_numbers() {
        assert!(number("1.9") < number("1.41"));
        assert!(number("1.53") > number(OLDEST_API));
        assert!(number("") < number(OLDEST_API));
    }

    #[test]
    fn an_engine_on_this_machine_is_told_from_one_elsewhere() {
        let tcp = |host: &str| Address::Tcp {
            host: host.to_owned(),
            tls: None,
        };
        assert!(is_local(&Address::Unix("/x".into())));
        assert!(is_local(&tcp("127.0.0.1:1")) && is_local(&tcp("[::1]:1")));
        assert!(!is_local(&tcp("box:1")));
    }
}

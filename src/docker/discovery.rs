//! Where the engine is: `DOCKER_HOST`, Docker's contexts, and the sockets of Docker and Podman, in the order of Docker's own client.
//!
//! Source of the context files: `cli/context/store` of docker/cli.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::error::DockerError;
use crate::util::{fs, suggest, text};

/// What decides which engine is used; filled from the environment by whoever may read it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EngineSettings {
    /// `DOCKER_HOST`.
    pub host: Option<String>,
    /// `DOCKER_CONTEXT`.
    pub context: Option<String>,
    /// `DOCKER_CERT_PATH`.
    pub cert_path: Option<PathBuf>,
    /// Whether `DOCKER_TLS_VERIFY` or `DOCKER_TLS` is set.
    pub tls: bool,
    /// The folder of Docker's configuration: `DOCKER_CONFIG`, else `~/.docker`.
    pub config_dir: Option<PathBuf>,
    /// The user's home.
    pub home: Option<PathBuf>,
    /// `XDG_RUNTIME_DIR`, where sockets of rootless engines are.
    pub runtime_dir: Option<PathBuf>,
    /// What the programs that keep registry passwords are started with.
    pub variables: HelperVariables,
}

/// The variables of a process, of which none is printed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct HelperVariables(pub BTreeMap<String, String>);

impl fmt::Debug for HelperVariables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} variables]", self.0.len())
    }
}

/// How an engine is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A unix socket.
    Unix(PathBuf),
    /// TCP, `host:port`.
    Tcp {
        /// `host:port`.
        host: String,
        /// The keys, when the engine wants TLS.
        tls: Option<Tls>,
    },
}

/// The files of a TLS connection to an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The certificate authority.
    pub ca: PathBuf,
    /// Our certificate.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl Tls {
    fn in_folder(folder: &Path) -> Self {
        Self {
            ca: folder.join("ca.pem"),
            cert: folder.join("cert.pem"),
            key: folder.join("key.pem"),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp { host, .. } => write!(f, "tcp://{}", text::strip_control(host)),
        }
    }
}

impl EngineSettings {
    /// The settings in a process's environment variables.
    pub fn from_variables(variables: &BTreeMap<String, String>) -> Self {
        let value = |name: &str| {
            variables
                .get(name)
                .filter(|value| !value.is_empty())
                .cloned()
        };
        let home = value("HOME").map(PathBuf::from);
        Self {
            host: value("DOCKER_HOST"),
            context: value("DOCKER_CONTEXT"),
            cert_path: value("DOCKER_CERT_PATH").map(PathBuf::from),
            tls: value("DOCKER_TLS_VERIFY").is_some() || value("DOCKER_TLS").is_some(),
            config_dir: value("DOCKER_CONFIG")
                .map(PathBuf::from)
                .or_else(|| home.as_ref().map(|home| home.join(".docker"))),
            runtime_dir: value("XDG_RUNTIME_DIR").map(PathBuf::from),
            home,
            variables: HelperVariables(variables.clone()),
        }
    }

    /// The addresses to try, in order. One that was asked for (`DOCKER_HOST`, a context) is the only one.
    pub(super) fn candidates(&self) -> Result<Vec<Address>, DockerError> {
        if let Some(host) = &self.host {
            let tls = self.tls.then(|| {
                let folder = self.cert_path.clone().or_else(|| self.config_dir.clone());
                Tls::in_folder(&folder.unwrap_or_default())
            });
            return Ok(vec![parse(host, tls, "DOCKER_HOST")?]);
        }
        if let Some(name) = self.context_name()?
            && name != "default"
        {
            return Ok(vec![self.context_address(&name)?]);
        }
        Ok(self.sockets().into_iter().map(Address::Unix).collect())
    }

    fn context_name(&self) -> Result<Option<String>, DockerError> {
        if self.context.is_some() {
            return Ok(self.context.clone());
        }
        Ok(self.config()?.current_context)
    }

    /// `config.json`; one that is not there is empty.
    fn config(&self) -> Result<ConfigFile, DockerError> {
        let Some(folder) = &self.config_dir else {
            return Ok(ConfigFile::default());
        };
        let path = folder.join("config.json");
        let text = fs::read_to_string_if_exists(&path)
            .map_err(|e| DockerError::Setting(format!("{e:#}")))?;
        text.map_or(Ok(ConfigFile::default()), |text| {
            serde_json::from_str(&text).map_err(|error| {
                DockerError::Setting(format!("cannot read `{}`: {error}", path.display()))
            })
        })
    }

    fn context_address(&self, name: &str) -> Result<Address, DockerError> {
        let unknown = |known: &[String]| {
            let near = suggest::did_you_mean(name, known.iter().map(String::as_str));
            DockerError::Setting(format!(
                "there is no Docker context `{}`{near}\nhint: `docker context ls` lists them; DOCKER_CONTEXT and `docker context use` choose one",
                text::one_line(name, 60)
            ))
        };
        let Some(contexts) = self.config_dir.as_ref().map(|dir| dir.join("contexts")) else {
            return Err(unknown(&[]));
        };
        let folder = text::hex(&Sha256::digest(name.as_bytes()));
        let path = contexts.join("meta").join(&folder).join("meta.json");
        let found = fs::read_to_string_if_exists(&path)
            .map_err(|e| DockerError::Setting(format!("{e:#}")))?;
        let Some(json) = found else {
            return Err(unknown(&known_contexts(&contexts)));
        };
        let meta: ContextMeta = serde_json::from_str(&json).map_err(|error| {
            DockerError::Setting(format!("cannot read `{}`: {error}", path.display()))
        })?;
        let Some(endpoint) = meta.endpoints.docker else {
            return Err(DockerError::Setting(format!(
                "the Docker context `{name}` has no Docker endpoint"
            )));
        };
        let keys = Tls::in_folder(&contexts.join("tls").join(&folder).join("docker"));
        let tls = keys.cert.exists().then_some(keys);
        parse(&endpoint.host, tls, &format!("the Docker context `{name}`"))
    }

    /// Where engines put their sockets.
    fn sockets(&self) -> Vec<PathBuf> {
        let mut sockets = vec![PathBuf::from("/var/run/docker.sock")];
        if let Some(runtime) = &self.runtime_dir {
            sockets.push(runtime.join("docker.sock"));
        }
        if let Some(home) = &self.home {
            // Docker Desktop, Colima, Rancher Desktop, OrbStack.
            for path in [
                ".docker/run/docker.sock",
                ".docker/desktop/docker.sock",
                ".colima/default/docker.sock",
                ".rd/docker.sock",
                ".orbstack/run/docker.sock",
            ] {
                let socket = home.join(path);
                // Not worth a line in the error of a machine that never had them.
                if socket.exists() {
                    sockets.push(socket);
                }
            }
        }
        if let Some(runtime) = &self.runtime_dir {
            sockets.push(runtime.join("podman/podman.sock"));
        }
        sockets.push(PathBuf::from("/run/podman/podman.sock"));
        sockets
    }
}

/// The names of the contexts on disk.
fn known_contexts(contexts: &Path) -> Vec<String> {
    let folders = fs::read_dir_sorted(&contexts.join("meta")).unwrap_or_default();
    folders
        .iter()
        .filter_map(|folder| fs::read_to_string(&folder.join("meta.json")).ok())
        .filter_map(|json| serde_json::from_str::<ContextMeta>(&json).ok())
        .map(|meta| meta.name)
        .collect()
}

/// `unix://…`, `tcp://…`, `http://…` or a path.
fn parse(host: &str, tls: Option<Tls>, origin: &str) -> Result<Address, DockerError> {
    let wrong = |why: &str| {
        DockerError::Setting(format!(
            "{origin} is `{}`, {why}\nhint: expected unix:///path/of.sock or tcp://host:port",
            text::one_line(host, 100)
        ))
    };
    if let Some(path) = host.strip_prefix("unix://") {
        if path.is_empty() {
            return Err(wrong("which names no socket"));
        }
        return Ok(Address::Unix(path.into()));
    }
    if host.starts_with('/') {
        return Ok(Address::Unix(host.into()));
    }
    if host.starts_with("ssh://") {
        return Err(DockerError::Setting(format!(
            "{origin} is `{}`, and engines over SSH are not reached directly\nhint: forward the socket, as in `ssh -nNT -L /tmp/docker.sock:/var/run/docker.sock HOST`, and set DOCKER_HOST=unix:///tmp/docker.sock",
            text::one_line(host, 100)
        )));
    }
    let Some((scheme, rest)) = host.split_once("://") else {
        return Err(wrong("which has no scheme"));
    };
    let rest = rest.trim_end_matches('/');
    let tls = match scheme {
        "tcp" => tls,
        "http" => None,
        "https" => Some(tls.ok_or_else(|| {
            wrong("and its keys are unknown: set DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH")
        })?),
        _ => return Err(wrong("which is no address of an engine")),
    };
    if rest.is_empty() || rest.contains('/') {
        return Err(wrong("which names no host"));
    }
    let host = if rest.rsplit_once(':').is_some_and(|(_, port)| {
        !port.is_empty() && port.chars().all(|digit| digit.is_ascii_digit())
    }) {
        rest.to_owned()
    } else {
        // Docker's own defaults.
        format!("{rest}:{}", if tls.is_some() { 2376 } else { 2375 })
    };
    Ok(Address::Tcp { host, tls })
}

#[derive(Default, Deserialize)]
struct ConfigFile {
    #[serde(default, rename = "currentContext")]
    current_context: Option<String>,
}

#[derive(Deserialize)]
struct ContextMeta {
    #[serde(rename = "Name")]
    name: String,
    #[serde(rename = "Endpoints")]
    endpoints: ContextEndpoints,
}

#[derive(Deserialize)]
struct ContextEndpoints {
    docker: Option<ContextEndpoint>,
}

#[derive(Deserialize)]
struct ContextEndpoint {
    #[serde(rename = "Host")]
    host: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(host: &str, expected: Result<&str, &str>) {
        let settings = EngineSettings {
            host: Some(host.to_owned()),
            ..EngineSettings::default()
        };
        match (settings.candidates(), expected) {
            (Ok(found), Ok(expected)) => {
                let found: Vec<String> = found.iter().map(ToString::to_string).collect();
                assert_eq!(found, [expected]);
            }
            (Err(error), Err(expected)) => {
                assert!(error.to_string().starts_with(expected), "{error}");
            }
            (found, expected) => panic!("{host}: {found:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn docker_host_names_one_engine() {
        check("unix:///run/x.sock", Ok("unix:///run/x.sock"));
        check("/run/x.sock", Ok("unix:///run/x.sock"));
        check("tcp://10.0.0.1:2375", Ok("tcp://10.0.0.1:2375"));
        check("tcp://box", Ok("tcp://box:2375"));
        check("http://box:80/", Ok("tcp://box:80"));
        check(
            "unix://",
            Err("DOCKER_HOST is `unix://`, which names no socket"),
        );
        check(
            "tcp://",
            Err("DOCKER_HOST is `tcp://`, which names no host"),
        );
        check(
            "box:2375",
            Err("DOCKER_HOST is `box:2375`, which has no scheme"),
        );
        check(
            "ftp://box",
            Err("DOCKER_HOST is `ftp://box`, which is no address"),
        );
        check(
            "https://box",
            Err("DOCKER_HOST is `https://box`, and its keys are unknown"),
        );
        check(
            "ssh://me@box",
            Err("DOCKER_HOST is `ssh://me@box`, and engines over SSH"),
        );
    }

    #[test]
    fn keys_come_from_the_folder_of_the_settings() {
        let settings = EngineSettings::from_variables(&BTreeMap::from(
            [
                ("DOCKER_HOST", "tcp://box"),
                ("DOCKER_TLS_VERIFY", "1"),
                ("HOME", "/home/me"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
        ));
        let expected = Address::Tcp {
            host: "box:2376".to_owned(),
            tls: Some(Tls::in_folder(Path::new("/home/me/.docker"))),
        };
        assert_eq!(settings.candidates(), Ok(vec![expected]));
    }

    #[test]
    fn contexts_are_found_by_name_and_sockets_are_the_default() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path();
        let write = |name: &str, host: &str| {
            let hash = text::hex(&Sha256::digest(name.as_bytes()));
            let meta = config.join("contexts/meta").join(hash);
            fs::create_dir_all(&meta).unwrap();
            let json = serde_json::json!({"Name": name, "Endpoints": {"docker": {"Host": host}}});
            fs::write(&meta.join("meta.json"), json.to_string()).unwrap();
        };
        write("remote", "tcp://box:1");
        let mut settings = EngineSettings {
            config_dir: Some(config.to_owned()),
            runtime_dir: Some("/run/user/7".into()),
            ..EngineSettings::default()
        };
        let shown = |settings: &EngineSettings| {
            settings.candidates().map(|found| {
                found
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join(" ")
            })
        };
        assert_eq!(
            shown(&settings).unwrap(),
            "unix:///var/run/docker.sock unix:///run/user/7/docker.sock unix:///run/user/7/podman/podman.sock unix:///run/podman/podman.sock"
        );
        fs::write(
            &config.join("config.json"),
            r#"{"currentContext": "remote"}"#,
        )
        .unwrap();
        assert_eq!(shown(&settings).unwrap(), "tcp://box:1");
        settings.context = Some("remot".to_owned());
        let error = shown(&settings).unwrap_err().to_string();
        assert!(
            error.starts_with("there is no Docker context `remot`; did you mean 'remote'?"),
            "{error}"
        );
        settings.context = Some("default".to_owned());
        assert!(shown(&settings).unwrap().starts_with("unix:///var/run"));
        settings.context = None;
        fs::write(&config.join("config.json"), "{").unwrap();
        let error = shown(&settings).unwrap_err().to_string();
        assert!(error.contains("config.json`: EOF"), "{error}");
    }
}

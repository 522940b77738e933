//! Passwords of registries, where Docker keeps them: its configuration file, and the helper programs that the file names.
//!
//! Sources: `cli/config/configfile` of docker/cli and the protocol of docker/docker-credential-helpers.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bollard::auth::DockerCredentials;
use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::discovery::EngineSettings;
use super::error::DockerError;
use super::reference::DOCKER_HUB;
use crate::util::process::{self, DeathSignal, Program};
use crate::util::{fs, text};

/// The name under which passwords of Docker Hub are kept.
const HUB_KEY: &str = "https://index.docker.io/v1/";

/// A helper may ask the desktop for the user's keyring, which may ask the user.
const HELPER: Duration = Duration::from_mins(1);

/// The user name with which a helper says that the secret is a token.
const TOKEN_USER: &str = "<token>";

/// Where passwords are looked for; none is read before a registry asks.
pub(super) struct Credentials {
    config: Option<PathBuf>,
    variables: BTreeMap<String, String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl Credentials {
    pub(super) fn new(settings: &EngineSettings) -> Self {
        Self {
            config: settings
                .config_dir
                .as_ref()
                .map(|folder| folder.join("config.json")),
            variables: settings.variables.0.clone(),
        }
    }

    /// The password of the registry `host`, when the user has one.
    pub(super) async fn of(&self, host: &str) -> Result<Option<DockerCredentials>, DockerError> {
        let Some(path) = &self.config else {
            return Ok(None);
        };
        let setting = |message: String| DockerError::Setting(message);
        let Some(json) =
            fs::read_to_string_if_exists(path).map_err(|error| setting(format!("{error:#}")))?
        else {
            return Ok(None);
        };
        let config: Config = serde_json::from_str(&json)
            .map_err(|error| setting(format!("cannot read `{}`: {error}", path.display())))?;
        let key = if host == DOCKER_HUB { HUB_KEY } else { host };
        let helper = config
            .cred_helpers
            .get(key)
            .or_else(|| config.cred_helpers.get(host))
            .or(config.creds_store.as_ref());
        if let Some(helper) = helper.filter(|name| !name.is_empty()) {
            return self.ask(helper, key).await.map_err(setting);
        }
        let found = config
            .auths
            .iter()
            .find(|(name, _)| name.as_str() == key)
            .or_else(|| config.auths.iter().find(|(name, _)| host_of(name) == host));
        found.map_or(Ok(None), |(name, auth)| {
            auth.credentials(key).map_err(|why| {
                setting(format!("`{}`: the entry of `{name}` {why}", path.display()))
            })
        })
    }

    /// Asks a helper program. One that knows no password says so on its stdout.
    async fn ask(&self, helper: &str, key: &str) -> Result<Option<DockerCredentials>, String> {
        let name = format!("docker-credential-{helper}");
        let program = Some(name.as_str())
            // It is part of a file name here.
            .filter(|_| !helper.contains('/'))
            .and_then(|name| process::find(name, self.variables.get("PATH").map(String::as_str)))
            .ok_or_else(|| {
                format!(
                    "Docker's configuration keeps passwords in `{}`, and there is no such program",
                    text::one_line(&name, 80)
                )
            })?;
        let mut child = process::spawn_piped(
            &Program {
                program: program.into(),
                args: vec!["get".into()],
                env: self.variables.clone(),
                cwd: PathBuf::from("/"),
                wrapper: None,
                death_signal: DeathSignal::Kill,
            },
            Path::new("/dev/null"),
        )
        .await
        .map_err(|error| format!("{error:#}"))?;
        let talk = async {
            if let Some(mut stdin) = child.stdin.take() {
                stdin.write_all(key.as_bytes()).await?;
            }
            let mut answer = String::new();
            if let Some(mut stdout) = child.stdout.take() {
                stdout.read_to_string(&mut answer).await?;
            }
            Ok::<_, std::io::Error>((answer, child.wait().await?))
        };
        let (answer, status) = tokio::time::timeout(HELPER, talk)
            .await
            .map_err(|_| format!("`{name}` does not answer"))?
            .map_err(|error| format!("`{name}` failed: {error}"))?;
        if !status.success() {
            if answer.contains("credentials not found") {
                return Ok(None);
            }
            return Err(format!("`{name}` failed: {}", text::one_line(&answer, 200)));
        }
        // The answer holds the secret: no part of it may stand in an error.
        let secret: HelperAnswer = serde_json::from_str(&answer)
            .map_err(|_| format!("`{name}` answered something that is no password"))?;
        let mut credentials = DockerCredentials {
            serveraddress: Some(key.to_owned()),
            ..DockerCredentials::default()
        };
        if secret.username == TOKEN_USER {
            credentials.identitytoken = Some(secret.secret);
        } else {
            credentials.username = Some(secret.username);
            credentials.password = Some(secret.secret);
        }
        Ok(Some(credentials))
    }
}

/// The host in a key such as `https://host/v1/`.
fn host_of(key: &str) -> &str {
    let key = key.split_once("://").map_or(key, |(_, rest)| rest);
    key.split('/').next().unwrap_or(key)
}

#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    auths: BTreeMap<String, Auth>,
    #[serde(default, rename = "credHelpers")]
    cred_helpers: BTreeMap<String, String>,
    #[serde(default, rename = "credsStore")]
    creds_store: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Auth {
    #[serde(rename = "auth")]
    pair: String,
    username: String,
    password: String,
    identitytoken: String,
    registrytoken: String,
}

impl Auth {
    /// What it holds; an entry that Docker left empty because a helper has the password holds nothing.
    fn credentials(&self, key: &str) -> Result<Option<DockerCredentials>, &'static str> {
        let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let (mut username, mut password) = (some(&self.username), some(&self.password));
        if !self.pair.is_empty() {
            let decoded = STANDARD.decode(self.pair.trim()).ok();
            let text = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
            let text = text.ok_or("is not base64 of `user:password`")?;
            let (user, secret) = text
                .split_once(':')
                .ok_or("is not base64 of `user:password`")?;
            username = some(user);
            password = some(secret.trim_end_matches('\0'));
        }
        let (identitytoken, registrytoken) = (some(&self.identitytoken), some(&self.registrytoken));
        if username.is_none() && identitytoken.is_none() && registrytoken.is_none() {
            return Ok(None);
        }
        Ok(Some(DockerCredentials {
            username,
            password,
            identitytoken,
            registrytoken,
            serveraddress: Some(key.to_owned()),
            ..DockerCredentials::default()
        }))
    }
}

#[derive(Deserialize)]
struct HelperAnswer {
    #[serde(rename = "Username")]
    username: String,
    #[serde(rename = "Secret")]
    secret: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// A folder with a configuration and a helper that knows one registry.
    fn credentials(config: &str) -> (tempfile::TempDir, Credentials) {
        let folder = tempfile::tempdir().unwrap();
        fs::write(&folder.path().join("config.json"), config).unwrap();
        let helper = folder.path().join("docker-credential-test");
        let script = r#"#!/bin/sh
read -r host
case "$host" in
  token.io) echo '{"Username": "<token>", "Secret": "t0ken"}' ;;
  broken.io) echo 's3cret' ;;
  locked.io) echo 'the keyring is locked'; exit 1 ;;
  *) echo 'credentials not found in native keychain'; exit 1 ;;
esac
"#;
        fs::write(&helper, script).unwrap();
        std::fs::set_permissions(&helper, std::fs::Permissions::from_mode(0o755)).unwrap();
        let variables = BTreeMap::from([
            (
                "PATH".to_owned(),
                format!("{}:/usr/bin:/bin", folder.path().display()),
            ),
            (
                "DOCKER_CONFIG".to_owned(),
                folder.path().display().to_string(),
            ),
        ]);
        let settings = EngineSettings::from_variables(&variables);
        (folder, Credentials::new(&settings))
    }

    /// User, password, token.
    async fn check(config: &str, host: &str, expected: Result<Option<[&str; 3]>, &str>) {
        let (_folder, credentials) = credentials(config);
        let found = credentials.of(host).await.map(|found| {
            found.map(|found| {
                [found.username, found.password, found.identitytoken].map(Option::unwrap_or_default)
            })
        });
        match (found, expected) {
            (Ok(found), Ok(expected)) => {
                let expected = expected.map(|all| all.map(str::to_owned));
                assert_eq!(found, expected, "{config} {host}");
            }
            (Err(error), Err(expected)) => {
                let error = error.to_string();
                assert!(error.contains(expected), "{error}");
                assert!(!error.contains("s3cret"), "{error}");
            }
            (found, _) => panic!("{config} {host}: {found:?}"),
        }
    }

    #[tokio::test]
    async fn passwords_come_from_the_file_or_a_helper() {
        // base64 of `me:s3cret`.
        let file = r#"{"auths": {"https://index.docker.io/v1/": {"auth": "bWU6czNjcmV0"}, "https://old.io/v1/": {"username": "u", "password": "p"}, "empty.io": {}, "bad.io": {"auth": "czNjcmV0"}}}"#;
        check(file, DOCKER_HUB, Ok(Some(["me", "s3cret", ""]))).await;
        check(file, "old.io", Ok(Some(["u", "p", ""]))).await;
        check(file, "empty.io", Ok(None)).await;
        check(file, "other.io", Ok(None)).await;
        check(file, "bad.io", Err("the entry of `bad.io` is not base64")).await;
        check("{", "x.io", Err("config.json`: EOF")).await;

        let helper = r#"{"credHelpers": {"token.io": "test", "broken.io": "test", "locked.io": "test", "gone.io": "nowhere"}}"#;
        check(helper, "token.io", Ok(Some(["", "", "t0ken"]))).await;
        check(helper, "x.io", Ok(None)).await;
        check(
            helper,
            "broken.io",
            Err("answered something that is no password"),
        )
        .await;
        check(helper, "locked.io", Err("failed: the keyring is locked")).await;
        check(
            helper,
            "gone.io",
            Err("keeps passwords in `docker-credential-nowhere`"),
        )
        .await;
        check(r#"{"credsStore": "test"}"#, "unknown.io", Ok(None)).await;
    }
}

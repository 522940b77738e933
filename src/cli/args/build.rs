//! `hud build`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;

use super::Seconds;

/// Arguments of `hud build`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  hud build                                    Build this folder's Dockerfile.hud (or Dockerfile)
  hud build my-env --tag my-env:dev
  hud build -e DATABASE_URL=postgres://…       The image needs a variable to start
  hud build --secret id=token,env=GITHUB_TOKEN For RUN --mount=type=secret,id=token
  hud build --check                            Is hud.lock.yaml that of these files? (exit code 5 when not)
  hud build --tag ghcr.io/me/my-env:1 --push

The image is built, started once to see what it offers, labelled, and named NAME:VERSION and NAME:latest. \
hud.lock.yaml says what was built; nothing in it changes when nothing changed. `.dockerignore` is honoured as Docker does.

A Dockerfile that copies .hud-runtime/hud gets this program there: it must be static and for the image's platform \
(`--hud-binary` names another one). Values of -e, of DIR/.env and of secrets are never kept.")]
pub(in crate::cli) struct BuildArgs {
    /// The folder of the environment
    #[arg(value_name = "DIR", default_value = ".")]
    pub(in crate::cli) dir: PathBuf,
    /// A name for the image [default: that of the lock file, else of the folder]
    #[arg(short, long, value_name = "NAME[:TAG]")]
    pub(in crate::cli) tag: Option<String>,
    /// Run every step, also those that are in the builder's cache
    #[arg(long)]
    pub(in crate::cli) no_cache: bool,
    /// Fetch base images also when the engine has them
    #[arg(long)]
    pub(in crate::cli) pull: bool,
    /// Build for this platform, such as linux/arm64 [default: the engine's own]
    #[arg(long, value_name = "OS/ARCH")]
    pub(in crate::cli) platform: Option<String>,
    /// A value for an ARG of the Dockerfile; NAME alone takes it from the environment (repeatable)
    #[arg(long, value_name = "NAME[=VALUE]")]
    pub(in crate::cli) build_arg: Vec<Given>,
    /// A value for RUN --mount=type=secret, from a variable or a file; it stays out of the image (repeatable)
    #[arg(long, value_name = "id=ID[,env=NAME|,src=PATH]")]
    pub(in crate::cli) secret: Vec<SecretSpec>,
    /// A variable for starting the image; NAME alone takes it from the environment (repeatable)
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    pub(in crate::cli) env: Vec<Given>,
    /// Push the image to the registry in --tag
    #[arg(long, requires = "tag", conflicts_with_all = ["check", "dry_run"])]
    pub(in crate::cli) push: bool,
    /// Do not start the image: the lock file then holds nothing of what it offers
    #[arg(long)]
    pub(in crate::cli) no_analyze: bool,
    /// Only check whether hud.lock.yaml is that of these files
    #[arg(long, conflicts_with = "dry_run")]
    pub(in crate::cli) check: bool,
    /// Only say what would be built
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
    /// The hud program for the image [default: this one]
    #[arg(long, value_name = "PATH")]
    pub(in crate::cli) hud_binary: Option<PathBuf>,
    /// How long the image may take to answer, such as 30, 30s or 2m
    #[arg(long, value_name = "TIME", default_value = "60s")]
    pub(in crate::cli) timeout: Seconds,
    /// Print JSON Lines on stdout
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

/// `NAME=VALUE`, or `NAME` for a value of the environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Given {
    pub(in crate::cli) name: String,
    pub(in crate::cli) value: Option<String>,
}

impl FromStr for Given {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (text, None),
        };
        let is_name = |c: char| !c.is_whitespace() && !c.is_control();
        if name.is_empty() || !name.chars().all(is_name) {
            return Err("expected NAME=VALUE or NAME".to_owned());
        }
        Ok(Self {
            name: name.to_owned(),
            value,
        })
    }
}

/// `id=ID`, and where the value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct SecretSpec {
    pub(in crate::cli) id: String,
    pub(in crate::cli) source: SecretSource,
}

/// Where the value of a secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) enum SecretSource {
    /// The variable of the same name, else the file of the same name, as Docker has it.
    SameName,
    /// A variable.
    Env(String),
    /// A file.
    File(PathBuf),
}

impl FromStr for SecretSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const FORM: &str = "expected id=ID, id=ID,env=NAME or id=ID,src=PATH";
        let mut id = None;
        let mut source = SecretSource::SameName;
        for part in text.split(',') {
            let (key, value) = part.split_once('=').ok_or(FORM)?;
            if value.is_empty() {
                return Err(FORM.to_owned());
            }
            match key.trim() {
                "id" => id = Some(value.to_owned()),
                "env" => source = SecretSource::Env(value.to_owned()),
                "src" | "source" => source = SecretSource::File(value.into()),
                "type" if matches!(value, "env" | "file") => {}
                _ => return Err(FORM.to_owned()),
            }
        }
        Ok(Self {
            id: id.ok_or(FORM)?,
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_secrets_are_read() {
        let given = |name: &str, value: Option<&str>| Given {
            name: name.to_owned(),
            value: value.map(str::to_owned),
        };
        assert_eq!("A=b=c".parse(), Ok(given("A", Some("b=c"))));
        assert_eq!("A=".parse(), Ok(given("A", Some(""))));
        assert_eq!("A".parse(), Ok(given("A", None)));
        for wrong in ["", "=x", "a b=c"] {
            assert!(wrong.parse::<Given>().is_err(), "{wrong}");
        }
        let secret = |source| SecretSpec {
            id: "k".to_owned(),
            source,
        };
        assert_eq!("id=k".parse(), Ok(secret(SecretSource::SameName)));
        assert_eq!(
            "id=k,env=E".parse(),
            Ok(secret(SecretSource::Env("E".to_owned())))
        );
        assert_eq!(
            "type=file,src=/a b,id=k".parse(),
            Ok(secret(SecretSource::File("/a b".into())))
        );
        for wrong in ["", "k", "env=E", "id=", "id=k,what=x"] {
            assert!(wrong.parse::<SecretSpec>().is_err(), "{wrong}");
        }
    }
}

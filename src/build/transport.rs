//! How the server in an image is spoken to: what its labels say, else what its command says.

use crate::docker::ImageInfo;
use crate::util::text;

/// The labels with which an image says it itself.
const TRANSPORT_LABEL: &str = "org.hud.transport";
const PORT_LABEL: &str = "org.hud.port";

/// The port of `hud dev` and `hud serve`.
const DEFAULT_PORT: u16 = 8765;

/// How the server in an image is spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transport {
    /// On its stdin and stdout.
    Stdio,
    /// Over HTTP.
    Http {
        /// The port in the container.
        port: u16,
        /// The path, with its slash.
        path: String,
    },
}

impl Transport {
    /// Finds it out.
    ///
    /// # Errors
    /// In words: the image runs nothing, or its labels say what is not known.
    pub fn of(image: &ImageInfo) -> Result<Self, String> {
        let port = match image.labels.get(PORT_LABEL) {
            Some(label) => Some(label.parse::<u16>().map_err(|_| {
                format!(
                    "the label {PORT_LABEL} is `{}`, which is no port",
                    text::one_line(label, 40)
                )
            })?),
            None => None,
        };
        match image.labels.get(TRANSPORT_LABEL).map(String::as_str) {
            Some("stdio") => return Ok(Self::Stdio),
            Some("http") => return Ok(Self::http(port.unwrap_or(DEFAULT_PORT))),
            Some(other) => {
                return Err(format!(
                    "the label {TRANSPORT_LABEL} is `{}`, and `stdio` and `http` are known",
                    text::one_line(other, 40)
                ));
            }
            None => {}
        }
        if image.command.is_empty() {
            return Err(
                "the image has neither CMD nor ENTRYPOINT, so nothing would run\nhint: end the Dockerfile with CMD [\"hud\", \"dev\", \"env:env\", \"--stdio\"]"
                    .to_owned(),
            );
        }
        // A command for a shell is one word of it.
        let words: Vec<&str> = image
            .command
            .iter()
            .flat_map(|word| word.split_whitespace())
            .collect();
        Ok(match http_port(&words) {
            Some(of_command) => Self::http(port.unwrap_or(of_command)),
            None => Self::Stdio,
        })
    }

    fn http(port: u16) -> Self {
        Self::Http {
            port,
            path: "/mcp".to_owned(),
        }
    }
}

/// The port of a `hud dev` or `hud serve mcp` that listens.
fn http_port(words: &[&str]) -> Option<u16> {
    let is_hud = |word: &str| word.rsplit('/').next() == Some("hud");
    let serves = words
        .windows(2)
        .any(|pair| is_hud(pair[0]) && pair[1] == "dev")
        || words
            .windows(3)
            .any(|three| is_hud(three[0]) && three[1..] == ["serve", "mcp"]);
    if !serves || words.contains(&"--stdio") {
        return None;
    }
    let given = words.iter().enumerate().find_map(|(index, word)| {
        let value = match *word {
            "--port" | "-p" => words.get(index + 1).copied(),
            word => word
                .strip_prefix("--port=")
                .or_else(|| word.strip_prefix("-p=")),
        };
        value?.parse().ok()
    });
    Some(given.unwrap_or(DEFAULT_PORT))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn check(command: &[&str], labels: &[(&str, &str)], expected: Result<Option<u16>, &str>) {
        let image = ImageInfo {
            command: command.iter().map(|word| (*word).to_owned()).collect(),
            labels: labels
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect::<BTreeMap<_, _>>(),
            ..ImageInfo::default()
        };
        let found = Transport::of(&image).map(|transport| match transport {
            Transport::Stdio => None,
            Transport::Http { port, path } => {
                assert_eq!(path, "/mcp");
                Some(port)
            }
        });
        match (found, expected) {
            (Err(error), Err(expected)) => assert!(error.contains(expected), "{error}"),
            (found, expected) => {
                assert_eq!(found.as_ref().ok(), expected.as_ref().ok(), "{command:?}");
            }
        }
    }

    #[test]
    fn the_command_or_the_labels_say_it() {
        check(&["hud", "dev", "env:env", "--stdio"], &[], Ok(None));
        check(&["hud", "dev", "env:env"], &[], Ok(Some(8765)));
        check(
            &["/usr/local/bin/hud", "dev", "--port", "9000"],
            &[],
            Ok(Some(9000)),
        );
        check(
            &["/bin/sh", "-c", "uv run hud dev env:env --port=80"],
            &[],
            Ok(Some(80)),
        );
        check(
            &["hud", "serve", "mcp", "-p", "81", "env.py"],
            &[],
            Ok(Some(81)),
        );
        check(&["hud", "serve", "mcp", "--stdio"], &[], Ok(None));
        check(&["python", "-m", "my.server"], &[], Ok(None));
        check(
            &["node", "server.js"],
            &[("org.hud.transport", "http")],
            Ok(Some(8765)),
        );
        check(
            &["node"],
            &[("org.hud.transport", "http"), ("org.hud.port", "3000")],
            Ok(Some(3000)),
        );
        check(&["hud", "dev"], &[("org.hud.transport", "stdio")], Ok(None));
        check(&[], &[], Err("neither CMD nor ENTRYPOINT"));
        check(&["x"], &[("org.hud.transport", "tcp")], Err("is `tcp`"));
        check(&["x"], &[("org.hud.port", "x")], Err("which is no port"));
    }
}

//! Every environment variable that `hud` knows.

/// The key of the HUD gateway.
pub const HUD_API_KEY: &str = "HUD_API_KEY";
/// The model gateway that `HUD_API_KEY` belongs to.
pub const HUD_GATEWAY_URL: &str = "HUD_GATEWAY_URL";
/// The key of Anthropic's API.
pub const ANTHROPIC_API_KEY: &str = "ANTHROPIC_API_KEY";
/// Where Anthropic's API is.
pub const ANTHROPIC_BASE_URL: &str = "ANTHROPIC_BASE_URL";
/// The key of OpenAI's API, and of any server that speaks it.
pub const OPENAI_API_KEY: &str = "OPENAI_API_KEY";
/// Where OpenAI's API is.
pub const OPENAI_BASE_URL: &str = "OPENAI_BASE_URL";
/// The key of Google's Gemini API.
pub const GEMINI_API_KEY: &str = "GEMINI_API_KEY";
/// Where Google's Gemini API is.
pub const GEMINI_BASE_URL: &str = "GEMINI_BASE_URL";
/// The key for `openrouter/…` models.
pub const OPENROUTER_API_KEY: &str = "OPENROUTER_API_KEY";
/// The key for `xai/…` and `grok-*` models.
pub const XAI_API_KEY: &str = "XAI_API_KEY";
/// Turns progress bars off when it is set and not empty.
pub const HUD_NO_PROGRESS: &str = "HUD_NO_PROGRESS";
/// Turns colours off when it is set and not empty (<https://no-color.org>).
pub const NO_COLOR: &str = "NO_COLOR";
/// The address that `hud dev` listens on.
pub const HUD_DEV_HOST: &str = "HUD_DEV_HOST";
/// The port that `hud dev` listens on.
pub const HUD_DEV_PORT: &str = "HUD_DEV_PORT";
/// The token that clients of `hud serve` and `hud dev` must send.
pub const HUD_SERVE_KEY: &str = "HUD_SERVE_KEY";
/// Makes a test that cannot run here (no docker, no Python hud) fail instead of being skipped.
pub const HUD_TEST_REQUIRE: &str = "HUD_TEST_REQUIRE";
/// The virtual environment whose Python runs environments, when the project has no `.venv`.
pub const VIRTUAL_ENV: &str = "VIRTUAL_ENV";
/// The user's home, where `.hud/.env` is.
pub const HOME: &str = "HOME";
/// Where programs are looked for.
pub const PATH: &str = "PATH";

/// A variable, for the documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub meaning: &'static str,
    /// The value when it is not set.
    pub default: Option<&'static str>,
}

/// Every variable that changes what `hud` does, in the order in which the documentation lists them.
pub const VARIABLES: &[Variable] = &[
    variable(ANTHROPIC_API_KEY, "key of Anthropic's API", None),
    variable(
        OPENAI_API_KEY,
        "key of OpenAI's API, and of servers that speak it",
        None,
    ),
    variable(GEMINI_API_KEY, "key of Google's Gemini API", None),
    variable(OPENROUTER_API_KEY, "key for openrouter/… models", None),
    variable(XAI_API_KEY, "key for xai/… and grok-* models", None),
    variable(
        HUD_API_KEY,
        "key of the HUD gateway, used when the model's own provider has no key",
        None,
    ),
    variable(
        ANTHROPIC_BASE_URL,
        "where Anthropic's API is",
        Some("https://api.anthropic.com"),
    ),
    variable(
        OPENAI_BASE_URL,
        "where OpenAI's API is",
        Some("https://api.openai.com/v1"),
    ),
    variable(
        GEMINI_BASE_URL,
        "where Google's Gemini API is",
        Some("https://generativelanguage.googleapis.com"),
    ),
    variable(
        HUD_GATEWAY_URL,
        "the HUD gateway",
        Some("https://inference.hud.ai"),
    ),
    variable(
        HUD_DEV_HOST,
        "the address that `hud dev` listens on",
        Some("127.0.0.1"),
    ),
    variable(
        HUD_DEV_PORT,
        "the port that `hud dev` listens on",
        Some("8765"),
    ),
    variable(
        HUD_SERVE_KEY,
        "the token that clients of `hud serve` and `hud dev` must send",
        None,
    ),
    variable(HUD_NO_PROGRESS, "no progress bars, when not empty", None),
    variable(NO_COLOR, "no colours, when not empty", None),
    variable(
        VIRTUAL_ENV,
        "Python for environments, when the project has no .venv",
        None,
    ),
    variable(
        HUD_TEST_REQUIRE,
        "for hud's own tests: what cannot run here fails instead of being skipped",
        None,
    ),
];

/// Keys of providers and of HUD. No worker, command or container gets them unless a task or a scenario names them.
pub const SECRET_VARS: &[&str] = &[
    HUD_API_KEY,
    HUD_SERVE_KEY,
    ANTHROPIC_API_KEY,
    "ANTHROPIC_AUTH_TOKEN",
    OPENAI_API_KEY,
    GEMINI_API_KEY,
    "GOOGLE_API_KEY",
    OPENROUTER_API_KEY,
    XAI_API_KEY,
    "AZURE_OPENAI_API_KEY",
    "GROQ_API_KEY",
    "MISTRAL_API_KEY",
    "DEEPSEEK_API_KEY",
    "TOGETHER_API_KEY",
    "FIREWORKS_API_KEY",
    "CEREBRAS_API_KEY",
    "PRIME_API_KEY",
    "WANDB_API_KEY",
    "DAYTONA_API_KEY",
    "HF_TOKEN",
    // Bedrock takes these.
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_BEARER_TOKEN_BEDROCK",
];

const fn variable(
    name: &'static str,
    meaning: &'static str,
    default: Option<&'static str>,
) -> Variable {
    Variable {
        name,
        meaning,
        default,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_in_the_table_is_kept_from_children() {
        for variable in VARIABLES {
            let is_key = variable.name.ends_with("_KEY");
            assert_eq!(
                SECRET_VARS.contains(&variable.name),
                is_key,
                "{}",
                variable.name
            );
        }
        let mut names: Vec<_> = VARIABLES.iter().map(|variable| variable.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), VARIABLES.len());
    }
}

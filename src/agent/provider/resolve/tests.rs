use super::*;

/// Resolves with `variables` (`NAME=value`, or `NAME` for some value); shows type, protocol, base URL and key variable, or the first line of the error.
fn shown(choice: &ModelChoice, variables: &[&str]) -> String {
    let lookup = |name: &str| {
        variables.iter().find_map(|variable| {
            let (own, value) = variable.split_once('=').unwrap_or((variable, "k"));
            (own == name).then(|| value.to_owned())
        })
    };
    match Target::of(choice).and_then(|target| {
        let (endpoint, gateway) = endpoint(choice, &target, &lookup)?;
        let resolved = resolve(choice, &lookup, ModelTable::embedded())?;
        Ok((target, endpoint, gateway, resolved))
    }) {
        Ok((target, endpoint, gateway, resolved)) => {
            assert_eq!(endpoint.is_gateway, gateway);
            let key = endpoint.key.map_or("none", |_| endpoint.key_variable);
            format!(
                "{} {} {:?} {} {key}",
                resolved.agent_type, resolved.name, target.wire, endpoint.base_url
            )
        }
        Err(error) => error.message.lines().next().unwrap_or_default().to_owned(),
    }
}

fn named(name: &str) -> ModelChoice {
    ModelChoice {
        name: name.to_owned(),
        agent: None,
        base_url: None,
        gateway: false,
    }
}

const KEYS: &[&str] = &[
    "ANTHROPIC_API_KEY",
    "OPENAI_API_KEY",
    "GEMINI_API_KEY",
    "XAI_API_KEY",
    "OPENROUTER_API_KEY",
    "HUD_API_KEY",
];

#[test]
fn names_find_their_provider() {
    let check = |name: &str, expected: &str| assert_eq!(shown(&named(name), KEYS), expected);
    let anthropic = "Messages https://api.anthropic.com ANTHROPIC_API_KEY";
    let openai = "Responses https://api.openai.com/v1 OPENAI_API_KEY";
    let chat = "Chat https://api.openai.com/v1 OPENAI_API_KEY";
    let google = "Gemini https://generativelanguage.googleapis.com GEMINI_API_KEY";
    check(
        "claude-sonnet-4-6",
        &format!("claude claude-sonnet-4-6 {anthropic}"),
    );
    check(
        "anthropic/claude-x",
        &format!("claude claude-x {anthropic}"),
    );
    check(
        "Anthropic/anything",
        &format!("claude anything {anthropic}"),
    );
    for name in ["gpt-5.6", "o1", "o3-mini", "codex-1", "chatgpt-4o"] {
        check(name, &format!("openai {name} {openai}"));
    }
    check("openai/gpt-5.6", &format!("openai gpt-5.6 {openai}"));
    check(
        "openai-chat/gpt-5.6",
        &format!("openai_compatible gpt-5.6 {chat}"),
    );
    check(
        "grok-4",
        "openai_compatible grok-4 Chat https://api.x.ai/v1 XAI_API_KEY",
    );
    check(
        "openrouter/z-ai/glm-4.6",
        "openai_compatible z-ai/glm-4.6 Chat https://openrouter.ai/api/v1 OPENROUTER_API_KEY",
    );
    check(
        "ollama/qwen3:8b",
        "openai_compatible qwen3:8b Chat http://localhost:11434/v1 none",
    );
    check(
        "vllm/my/model",
        "openai_compatible my/model Chat http://localhost:8000/v1 none",
    );
    check(
        "gateway/claude-x",
        "claude claude-x Messages https://inference.hud.ai HUD_API_KEY",
    );
    check(
        "gateway/z-ai/glm-4.6",
        "openai_compatible z-ai/glm-4.6 Chat https://inference.hud.ai HUD_API_KEY",
    );
    check("gemini-3-pro", &format!("gemini gemini-3-pro {google}"));
    check("google/x", &format!("gemini x {google}"));
    check(
        "gateway/gemini-3-pro",
        "gemini gemini-3-pro Gemini https://inference.hud.ai HUD_API_KEY",
    );
    check("llama", "unknown model 'llama'");
    check("o0", "unknown model 'o0'");
    check("openai/", "'openai/' names no model");
    check(" ", "the model's name is empty");
}

#[test]
fn keys_and_the_gateway() {
    let check = |name: &str, variables: &[&str], expected: &str| {
        assert_eq!(shown(&named(name), variables), expected, "{variables:?}");
    };
    // The provider's own key wins; the gateway is for those who have none.
    check(
        "claude-x",
        &["HUD_API_KEY"],
        "claude claude-x Messages https://inference.hud.ai HUD_API_KEY",
    );
    check(
        "claude-x",
        &[
            "HUD_API_KEY",
            "HUD_GATEWAY_URL=http://g",
            "ANTHROPIC_API_KEY= ",
        ],
        "claude claude-x Messages http://g HUD_API_KEY",
    );
    check(
        "claude-x",
        &[],
        "no key for the model `claude-x`: ANTHROPIC_API_KEY is not set",
    );
    check(
        "openrouter/x",
        &["HUD_API_KEY"],
        "no key for the model `openrouter/x`: OPENROUTER_API_KEY is not set",
    );
    check(
        "gateway/x",
        &["OPENAI_API_KEY"],
        "no key for the model `gateway/x`: HUD_API_KEY is not set",
    );
    // Another place may need no key, and is not left for the gateway.
    check(
        "claude-x",
        &["HUD_API_KEY", "ANTHROPIC_BASE_URL=http://h"],
        "claude claude-x Messages http://h none",
    );
    check(
        "gpt-x",
        &["OPENAI_API_KEY", "OPENAI_BASE_URL=http://h/v1"],
        "openai gpt-x Responses http://h/v1 OPENAI_API_KEY",
    );
    check(
        "gemini-x",
        &["GEMINI_API_KEY", "GEMINI_BASE_URL=http://h"],
        "gemini gemini-x Gemini http://h GEMINI_API_KEY",
    );
    let forced = ModelChoice {
        gateway: true,
        ..named("claude-x")
    };
    assert_eq!(
        shown(
            &forced,
            &[
                "ANTHROPIC_API_KEY",
                "ANTHROPIC_BASE_URL=http://h",
                "HUD_API_KEY"
            ]
        ),
        "claude claude-x Messages https://inference.hud.ai HUD_API_KEY"
    );
}

#[test]
fn base_urls_and_agents() {
    let check = |name: &str, agent: Option<AgentType>, base: Option<&str>, expected: &str| {
        let choice = ModelChoice {
            agent,
            base_url: base.map(str::to_owned),
            ..named(name)
        };
        assert_eq!(shown(&choice, KEYS), expected, "{choice:?}");
    };
    let h = Some("http://h/v1");
    check(
        "llama",
        None,
        h,
        "openai_compatible llama Chat http://h/v1 OPENAI_API_KEY",
    );
    check(
        "org/llama",
        None,
        h,
        "openai_compatible org/llama Chat http://h/v1 OPENAI_API_KEY",
    );
    check(
        "claude-x",
        None,
        h,
        "claude claude-x Messages http://h/v1 ANTHROPIC_API_KEY",
    );
    check(
        "llama",
        Some(AgentType::Claude),
        h,
        "claude llama Messages http://h/v1 ANTHROPIC_API_KEY",
    );
    check(
        "openai/gpt-oss",
        Some(AgentType::OpenAiCompatible),
        h,
        "openai_compatible openai/gpt-oss Chat http://h/v1 OPENAI_API_KEY",
    );
    check(
        "gemini-x",
        Some(AgentType::OpenAiCompatible),
        h,
        "openai_compatible gemini-x Chat http://h/v1 OPENAI_API_KEY",
    );
    check(
        "gemini-x",
        None,
        h,
        "gemini gemini-x Gemini http://h/v1 GEMINI_API_KEY",
    );
    // Only a server of the user's own tells by a name nothing but that it is like `OpenAI`.
    check(
        "gpt-oss-20b",
        None,
        h,
        "openai_compatible gpt-oss-20b Chat http://h/v1 OPENAI_API_KEY",
    );
    check(
        "gpt-5.6",
        Some(AgentType::OpenAi),
        h,
        "openai gpt-5.6 Responses http://h/v1 OPENAI_API_KEY",
    );
    check(
        "openai/gpt-5.6",
        None,
        h,
        "openai gpt-5.6 Responses http://h/v1 OPENAI_API_KEY",
    );
    check(
        "new-model",
        Some(AgentType::Gemini),
        None,
        "gemini new-model Gemini https://generativelanguage.googleapis.com GEMINI_API_KEY",
    );
    check(
        "new-model",
        Some(AgentType::Claude),
        None,
        "claude new-model Messages https://api.anthropic.com ANTHROPIC_API_KEY",
    );
    check(
        "new-model",
        Some(AgentType::OpenAi),
        None,
        "openai new-model Responses https://api.openai.com/v1 OPENAI_API_KEY",
    );
    check(
        "new-model",
        Some(AgentType::OpenAiCompatible),
        None,
        "unknown model 'new-model'",
    );
    check(
        "claude-x",
        Some(AgentType::OpenAiCompatible),
        None,
        "openai_compatible claude-x Chat https://api.anthropic.com/v1 ANTHROPIC_API_KEY",
    );
    check(
        "gpt-5.6",
        Some(AgentType::Claude),
        None,
        "`gpt-5.6` does not speak the protocol of the agent `claude`",
    );
    check(
        "gpt-5.6",
        Some(AgentType::Operator),
        None,
        "the agent `operator` is not supported yet",
    );
    let both = ModelChoice {
        base_url: Some("http://h".to_owned()),
        gateway: true,
        ..named("claude-x")
    };
    assert_eq!(
        shown(&both, KEYS),
        "--base-url and the gateway exclude each other"
    );
}

#[test]
fn models_that_call_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("s.yaml");
    crate::util::fs::write(&file, "- text: hi").unwrap();
    let scripted = format!("scripted:{}", file.display());
    let check = |choice: &ModelChoice, expected: Result<&str, &str>| {
        let resolved = resolve(choice, &|_| None, ModelTable::embedded());
        let shown = match &resolved {
            Ok(resolved) => Ok(resolved.agent_type.as_str()),
            Err(error) => Err(error.message.lines().next().unwrap_or_default()),
        };
        assert_eq!(shown, expected, "{choice:?}");
    };
    check(&named("oracle"), Ok("oracle"));
    check(&named("integration_test"), Ok("oracle"));
    check(&named(&scripted), Ok("scripted"));
    let by_agent = |agent, name: &str| ModelChoice {
        agent: Some(agent),
        ..named(name)
    };
    check(&by_agent(AgentType::Oracle, "oracle"), Ok("oracle"));
    check(
        &by_agent(AgentType::Scripted, &file.display().to_string()),
        Ok("scripted"),
    );
    check(
        &by_agent(AgentType::Oracle, "gpt-5.6"),
        Err("the agent `oracle` plays solutions and cannot play `gpt-5.6`"),
    );
    check(
        &named("scripted"),
        Err("`scripted` needs the file of the script"),
    );
    check(
        &named("scripted:/no/such/file.yaml"),
        Err("cannot read `/no/such/file.yaml`: No such file or directory (os error 2)"),
    );
    let with_flag = ModelChoice {
        gateway: true,
        ..named("oracle")
    };
    check(
        &with_flag,
        Err("--gateway does not apply to `oracle`, which calls no model"),
    );
}

#[test]
fn an_unknown_model_lists_what_works() {
    let error = resolve(&named("llama"), &|_| None, ModelTable::embedded())
        .err()
        .unwrap();
    assert_eq!(error.kind, ModelErrorKind::Request);
    insta::assert_snapshot!(error.message, @r#"
    unknown model 'llama'
    models: claude-*, gpt-*, chatgpt-*, codex-*, o1…9, o1…9-*, gemini-*, grok-*
    prefixes: anthropic/…, openai/…, openai-chat/…, google/…, gemini/…, xai/…, openrouter/…, ollama/…, vllm/…, gateway/…
    without a model: oracle, scripted:FILE.yaml
    hint: any server that speaks Chat Completions: `--model NAME --base-url http://HOST/v1`
    "#);
}

#[test]
fn a_missing_key_says_how_to_give_it() {
    let error = resolve(&named("claude-x"), &|_| None, ModelTable::embedded())
        .err()
        .unwrap();
    assert_eq!(error.kind, ModelErrorKind::Authentication);
    insta::assert_snapshot!(error.message, @r#"
    no key for the model `claude-x`: ANTHROPIC_API_KEY is not set
    hint: `export ANTHROPIC_API_KEY=…`, or keep it with `hud set ANTHROPIC_API_KEY=…`
    hint: with HUD_API_KEY set, the model is called through HUD's gateway
    "#);
}

#[test]
fn a_base_url_that_is_none_is_refused_without_its_credentials() {
    let check = |base: &str, expected: &str| {
        let choice = ModelChoice {
            base_url: Some(base.to_owned()),
            ..named("some-model")
        };
        let error = resolve(&choice, &|_| None, ModelTable::embedded())
            .err()
            .unwrap();
        assert_eq!(error.kind, ModelErrorKind::Request);
        let hint = "\nhint: give all of it, as in http://localhost:8000/v1";
        assert_eq!(error.message, format!("{expected}{hint}"));
    };
    check(
        "nonsense",
        "the base URL `nonsense` is not a URL: relative URL without a base",
    );
    check(
        "localhost:8000/v1",
        "the base URL `localhost:8000/v1` is not a URL: expected http:// or https://",
    );
    check(
        "user:pw@h/v1?key=SECRET",
        "the base URL `h/v1` is not a URL: expected http:// or https://",
    );
}

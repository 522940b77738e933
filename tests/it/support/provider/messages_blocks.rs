//! Checks the content blocks of a Messages request, and counts its cache breakpoints.

use serde_json::{Map, Value};

use super::check::{Checked, Reader, is_name, refuse};
use super::conversation::Api;
use super::image;
use super::messages_check::Signed;

const READ: Reader = Reader(Api::Messages);

/// The largest image, as base64.
const MAX_IMAGE: usize = 5 * 1024 * 1024;

const MAX_BREAKPOINTS: usize = 4;

/// Checks one block of a message with `role`.
pub(super) fn check_block(
    block: &Value,
    kind: &str,
    role: &str,
    path: &str,
    breakpoints: &mut Breakpoints,
    signed: &Signed,
) -> Checked {
    if role == "user"
        && block["citations"]
            .as_array()
            .is_some_and(|citations| !citations.is_empty())
    {
        return refuse(format!("{path}.citations: Extra inputs are not permitted"));
    }
    let of_user = matches!(kind, "image" | "document" | "search_result" | "tool_result");
    let of_assistant = matches!(kind, "thinking" | "redacted_thinking" | "tool_use");
    if (of_user && role != "user") || (of_assistant && role != "assistant") {
        return refuse(format!(
            "{path}: `{kind}` blocks can only be in `{}` messages",
            if of_user { "user" } else { "assistant" }
        ));
    }
    let object = READ.object(block, path)?;
    match kind {
        "text" => check_text_block(block, path, breakpoints, "messages"),
        "image" => check_image(object, path, breakpoints),
        "tool_use" => {
            READ.only(
                object,
                path,
                &[
                    "type",
                    "id",
                    "name",
                    "input",
                    "cache_control",
                    "caller",
                    "toolset_name",
                ],
            )?;
            let id = READ.required_text(object, path, "id")?;
            if !is_name(id, "_-", usize::MAX) {
                return refuse(format!(
                    "{path}.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'"
                ));
            }
            let name = READ.required_text(object, path, "name")?;
            if !is_name(name, "_-", 200) {
                return refuse(format!(
                    "{path}.tool_use.name: String should match pattern '^[a-zA-Z0-9_-]{{1,200}}$'"
                ));
            }
            READ.object(
                READ.required(object, path, "input")?,
                &format!("{path}.tool_use.input"),
            )?;
            breakpoints.add_of(object, path)
        }
        "tool_result" => check_tool_result(object, path, breakpoints),
        "thinking" => {
            READ.only(object, path, &["type", "thinking", "signature"])?;
            let text = READ.required_text(object, path, "thinking")?;
            let signature = READ.required_text(object, path, "signature")?;
            if signed
                .blocks
                .get(signature)
                .is_none_or(|original| original != text)
            {
                return refuse(format!("{path}: Invalid `signature` in `thinking` block"));
            }
            Ok(())
        }
        "redacted_thinking" => refuse(format!(
            "{path}: Invalid `data` in `redacted_thinking` block"
        )),
        "document" | "search_result" => breakpoints.add_of(object, path),
        other => refuse(format!(
            "{path}: Input tag '{other}' found using 'type' is not one that the stand-in plays"
        )),
    }
}

/// Checks a text block; `part` is where errors say it is.
pub(super) fn check_text_block(
    block: &Value,
    path: &str,
    breakpoints: &mut Breakpoints,
    part: &str,
) -> Checked {
    let object = READ.object(block, path)?;
    if READ.required_text(object, path, "type")? != "text" {
        return refuse(format!("{path}.type: Input should be 'text'"));
    }
    READ.only(
        object,
        path,
        &["type", "text", "cache_control", "citations"],
    )?;
    let text = READ.required_text(object, path, "text")?;
    if text.is_empty() {
        let has_breakpoint = object
            .get("cache_control")
            .is_some_and(|control| !control.is_null());
        return refuse(if has_breakpoint {
            format!("{path}.text: cache_control cannot be set for empty text blocks")
        } else {
            format!("{part}: text content blocks must be non-empty")
        });
    }
    if text.trim().is_empty() {
        return refuse(format!(
            "{part}: text content blocks must contain non-whitespace text"
        ));
    }
    breakpoints.add_of(object, path)
}

fn check_tool_result(
    object: &Map<String, Value>,
    path: &str,
    breakpoints: &mut Breakpoints,
) -> Checked {
    READ.only(
        object,
        path,
        &[
            "type",
            "tool_use_id",
            "content",
            "is_error",
            "cache_control",
            "toolset_name",
        ],
    )?;
    READ.required_text(object, path, "tool_use_id")?;
    let is_error = READ.flag(object, path, "is_error")?;
    let mut is_empty = true;
    match object.get("content") {
        None => {}
        Some(Value::String(text)) => is_empty = text.is_empty(),
        Some(content) => {
            for (index, block) in READ
                .list(content, &format!("{path}.content"))?
                .iter()
                .enumerate()
            {
                is_empty = false;
                let path = format!("{path}.tool_result.content.{index}");
                let object = READ.object(block, &path)?;
                let kind = READ.required_text(object, &path, "type")?;
                if is_error && kind != "text" {
                    return refuse(format!(
                        "{path}: all content must be type `text` if `is_error` is true"
                    ));
                }
                match kind {
                    "text" => check_text_block(block, &path, breakpoints, "messages")?,
                    "image" => check_image(object, &path, breakpoints)?,
                    "document" | "search_result" => breakpoints.add_of(object, &path)?,
                    other => {
                        return refuse(format!(
                            "{path}: Input tag '{other}' found using 'type' does not match any of the expected tags: 'document', 'image', 'search_result', 'text'"
                        ));
                    }
                }
            }
        }
    }
    if is_error && is_empty {
        return refuse(format!(
            "{path}.tool_result: content cannot be empty if `is_error` is true"
        ));
    }
    breakpoints.add_of(object, path)
}

fn check_image(object: &Map<String, Value>, path: &str, breakpoints: &mut Breakpoints) -> Checked {
    READ.only(
        object,
        path,
        &["type", "source", "cache_control", "transformations"],
    )?;
    let path = format!("{path}.image.source");
    let source = READ.object(READ.required(object, &path, "source")?, &path)?;
    match READ.required_text(source, &path, "type")? {
        "base64" => {
            let path = format!("{path}.base64");
            READ.only(source, &path, &["type", "media_type", "data"])?;
            let claimed = READ.one_of(
                READ.required(source, &path, "media_type")?,
                &format!("{path}.media_type"),
                &["image/jpeg", "image/png", "image/gif", "image/webp"],
            )?;
            let data = READ.required_text(source, &path, "data")?;
            if data.len() > MAX_IMAGE {
                return refuse(format!(
                    "{path}: image exceeds 5 MB maximum: {} bytes > {MAX_IMAGE} bytes",
                    data.len()
                ));
            }
            let bytes = match image::decode(data) {
                Ok(bytes) => bytes,
                Err(error) => return refuse(format!("{path}.data: Invalid base64 data: {error}")),
            };
            match image::media_type(&bytes) {
                None => return refuse("Could not process image"),
                Some(found) if found != claimed => {
                    return refuse(format!(
                        "{path}: The image was specified using the {claimed} media type, but the image appears to be a {found} image"
                    ));
                }
                Some(_) => {}
            }
        }
        "url" => {
            READ.only(source, &path, &["type", "url"])?;
            if !READ
                .required_text(source, &path, "url")?
                .starts_with("https://")
            {
                return refuse(format!("{path}.url: Only HTTPS URLs are supported."));
            }
        }
        other => {
            return refuse(format!(
                "{path}: Input tag '{other}' is not one that the stand-in plays"
            ));
        }
    }
    breakpoints.add_of(object, &path)
}

/// Counts cache breakpoints, and keeps the order of their lifetimes.
#[derive(Default)]
pub(super) struct Breakpoints {
    count: usize,
    saw_short: bool,
}

impl Breakpoints {
    /// Counts the breakpoint of a block, if it has one.
    pub(super) fn add_of(&mut self, block: &Map<String, Value>, path: &str) -> Checked {
        match block.get("cache_control") {
            None | Some(Value::Null) => Ok(()),
            Some(control) => self.add(control, &format!("{path}.cache_control")),
        }
    }

    /// Counts a breakpoint.
    pub(super) fn add(&mut self, control: &Value, path: &str) -> Checked {
        let control = READ.object(control, path)?;
        READ.only(control, path, &["type", "ttl"])?;
        READ.one_of(
            READ.required(control, path, "type")?,
            &format!("{path}.type"),
            &["ephemeral"],
        )?;
        let ttl = match control.get("ttl") {
            None => "5m",
            Some(ttl) => READ.one_of(ttl, &format!("{path}.ttl"), &["5m", "1h"])?,
        };
        if ttl == "1h" && self.saw_short {
            return refuse(format!(
                "{path}.ttl: a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block."
            ));
        }
        self.saw_short |= ttl == "5m";
        self.count += 1;
        Ok(())
    }

    /// Refuses when there were too many.
    pub(super) fn finish(&self) -> Checked {
        if self.count > MAX_BREAKPOINTS {
            return refuse(format!(
                "A maximum of {MAX_BREAKPOINTS} blocks with cache_control may be provided. Found {}.",
                self.count
            ));
        }
        Ok(())
    }
}

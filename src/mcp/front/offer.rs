//! What a copy lists, as far as requests are checked against it.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::attachment::Attachment;
use super::scenario;
use super::wire::{Members, RpcError, code, raw};

/// More pages than this are not asked for.
const MAX_PAGES: usize = 100;

/// An argument that HTTP clients repeat in the header `Mcp-Param-…`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ParamHeader {
    /// Property names from the arguments' root.
    pub(super) path: Vec<String>,
    /// What follows `Mcp-Param-`.
    pub(super) header: String,
}

/// What a copy lists.
#[derive(Debug, Default)]
pub(super) struct Offer {
    /// For each tool that has any.
    headers: HashMap<String, Vec<ParamHeader>>,
    /// Prompts, those that set scenarios up (`environment:scenario`) among them.
    prompts: Vec<String>,
}

impl Offer {
    /// Asks a copy.
    pub(super) async fn ask(copy: &Attachment) -> Result<Self, RpcError> {
        let mut offer = Self::default();
        for tool in list(copy, "tools/list", "tools").await? {
            let headers = param_headers(&tool["inputSchema"]);
            if let (Some(name), false) = (tool["name"].as_str(), headers.is_empty()) {
                offer.headers.insert(name.to_owned(), headers);
            }
        }
        for prompt in list(copy, "prompts/list", "prompts").await? {
            offer
                .prompts
                .extend(prompt["name"].as_str().map(str::to_owned));
        }
        Ok(offer)
    }

    /// The arguments of `tool` that headers repeat.
    pub(super) fn headers(&self, tool: &str) -> &[ParamHeader] {
        self.headers.get(tool).map_or(&[], Vec::as_slice)
    }

    /// The full name of the scenario that is called `name` for short. A prompt of that very name comes first.
    pub(super) fn scenario(&self, name: &str) -> Option<&str> {
        if self.prompts.iter().any(|prompt| prompt == name) {
            return None;
        }
        self.prompts
            .iter()
            .map(String::as_str)
            .find(|full| scenario::is_full_name(full) && scenario::same(full, name))
    }
}

/// Every item of a list, all pages. A copy that does not know the method lists nothing.
async fn list(copy: &Attachment, method: &str, items: &str) -> Result<Vec<Value>, RpcError> {
    let mut found = Vec::new();
    let mut cursor: Option<Box<RawValue>> = None;
    for _ in 0..MAX_PAGES {
        let mut params = Members::default();
        if let Some(cursor) = &cursor {
            params.set("cursor", Cow::Borrowed(cursor));
        }
        let page = match copy.ask(method, &params.json()).await {
            Ok(page) => page,
            Err(error) if error.code == code::METHOD_NOT_FOUND => break,
            Err(error) => return Err(error),
        };
        let page = Members::read(Some(&page), "a page")?;
        found.extend(page.get_as::<Vec<Value>>(items).unwrap_or_default());
        cursor = page
            .get("nextCursor")
            .filter(|cursor| cursor.get() != "null")
            .map(|cursor| raw(&cursor));
        if cursor.is_none() {
            break;
        }
    }
    Ok(found)
}

/// The `x-mcp-header` annotations of an input schema, along chains of `properties`; elsewhere they count for nothing (MCP 2026-07-28).
fn param_headers(schema: &Value) -> Vec<ParamHeader> {
    fn collect(schema: &Value, path: &mut Vec<String>, found: &mut Vec<ParamHeader>) {
        #[derive(Deserialize)]
        struct Annotated {
            #[serde(rename = "x-mcp-header")]
            header: String,
        }
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            path.push(name.clone());
            if let Ok(Annotated { header }) = Annotated::deserialize(property)
                && !header.is_empty()
            {
                found.push(ParamHeader {
                    path: path.clone(),
                    header,
                });
            }
            collect(property, path, found);
            path.pop();
        }
    }
    let mut found = Vec::new();
    collect(schema, &mut Vec::new(), &mut found);
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn annotations_count_along_properties_only() {
        let schema = json!({
            "type": "object",
            "properties": {
                "region": {"type": "string", "x-mcp-header": "Region"},
                "where": {"type": "object", "properties": {"zone": {"type": "string", "x-mcp-header": "Zone"}}},
                "list": {"type": "array", "items": {"type": "string", "x-mcp-header": "Never"}},
                "empty": {"type": "string", "x-mcp-header": ""},
            },
        });
        let found: Vec<_> = param_headers(&schema)
            .into_iter()
            .map(|found| (found.path.join("."), found.header))
            .collect();
        let expected = [("region", "Region"), ("where.zone", "Zone")];
        assert_eq!(
            found,
            expected.map(|(path, header)| (path.to_owned(), header.to_owned()))
        );
    }
}

//! What the checks of both APIs share: refusals, and reading JSON with an error in the API's words.

use serde_json::{Map, Value};

use super::conversation::Api;

/// Why a request is refused, before it is put in the provider's own JSON.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    /// The `type` of the error.
    pub(super) kind: &'static str,
    pub(super) message: String,
    /// The field, where the API names it apart (Chat Completions).
    pub(super) param: Option<String>,
    pub(super) code: Option<&'static str>,
    pub(super) retry_after: Option<String>,
}

pub(super) type Checked<T = ()> = Result<T, Refusal>;

impl Refusal {
    pub(super) fn new(status: u16, kind: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            kind,
            message: message.into(),
            param: None,
            code: None,
            retry_after: None,
        }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "invalid_request_error", message)
    }

    pub(super) fn param(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }

    pub(super) fn code(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
    }

    /// The body of the error response.
    pub(super) fn body(&self, api: Api, request_id: &str) -> Value {
        match api {
            Api::Messages => serde_json::json!({
                "type": "error",
                "error": {"type": self.kind, "message": self.message},
                "request_id": request_id,
            }),
            Api::Chat | Api::Responses => serde_json::json!({
                "error": {"message": self.message, "type": self.kind, "param": self.param, "code": self.code},
            }),
            Api::Gemini => {
                let mut details = Vec::new();
                if let Some(reason) = self.code {
                    details.push(serde_json::json!({
                        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                        "reason": reason,
                        "domain": "googleapis.com",
                    }));
                }
                // Google says in the body how long to wait.
                if let Some(seconds) = &self.retry_after {
                    details.push(serde_json::json!({
                        "@type": "type.googleapis.com/google.rpc.RetryInfo",
                        "retryDelay": format!("{seconds}s"),
                    }));
                }
                serde_json::json!({"error": {
                    "code": self.status, "message": self.message, "status": self.kind, "details": details,
                }})
            }
        }
    }
}

pub(super) fn refuse<T>(message: impl Into<String>) -> Checked<T> {
    Err(Refusal::invalid(message))
}

/// Reads fields, and refuses in the words of one API.
#[derive(Clone, Copy)]
pub(super) struct Reader(pub(super) Api);

impl Reader {
    /// `messages.0.content`, or `messages[0].content`.
    pub(super) fn at(self, path: &str, step: &str) -> String {
        match (self.0, path.is_empty(), step.parse::<usize>()) {
            (Api::Chat | Api::Responses, false, Ok(index)) => format!("{path}[{index}]"),
            (_, false, _) => format!("{path}.{step}"),
            (_, true, _) => step.to_owned(),
        }
    }

    pub(super) fn item(self, path: &str, index: usize) -> String {
        self.at(path, &index.to_string())
    }

    fn wrong_type<T>(self, path: &str, anthropic: &str, openai: &str, got: &Value) -> Checked<T> {
        Err(match self.0 {
            Api::Messages => Refusal::invalid(format!("{path}: Input should be {anthropic}")),
            _ => Refusal::invalid(format!(
                "Invalid type for '{path}': expected {openai}, but got {} instead.",
                described(got)
            ))
            .param(path)
            .code("invalid_type"),
        })
    }

    fn missing<T>(self, path: &str) -> Checked<T> {
        Err(match self.0 {
            Api::Messages => Refusal::invalid(format!("{path}: Field required")),
            _ => Refusal::invalid(format!("Missing required parameter: '{path}'."))
                .param(path)
                .code("missing_required_parameter"),
        })
    }

    pub(super) fn object<'a>(
        self,
        value: &'a Value,
        path: &str,
    ) -> Checked<&'a Map<String, Value>> {
        match value.as_object() {
            Some(object) => Ok(object),
            None => self.wrong_type(path, "a valid dictionary", "an object", value),
        }
    }

    pub(super) fn list<'a>(self, value: &'a Value, path: &str) -> Checked<&'a [Value]> {
        match value.as_array() {
            Some(list) => Ok(list),
            None => self.wrong_type(path, "a valid list", "an array", value),
        }
    }

    pub(super) fn text<'a>(self, value: &'a Value, path: &str) -> Checked<&'a str> {
        match value.as_str() {
            Some(text) => Ok(text),
            None => self.wrong_type(path, "a valid string", "a string", value),
        }
    }

    /// A field that must be there and be text.
    pub(super) fn required_text<'a>(
        self,
        object: &'a Map<String, Value>,
        path: &str,
        field: &str,
    ) -> Checked<&'a str> {
        self.text(self.required(object, path, field)?, &self.at(path, field))
    }

    pub(super) fn required<'a>(
        self,
        object: &'a Map<String, Value>,
        path: &str,
        field: &str,
    ) -> Checked<&'a Value> {
        match object.get(field) {
            Some(value) => Ok(value),
            None => self.missing(&self.at(path, field)),
        }
    }

    /// A number between `low` and `high`, when the field is there and not null.
    pub(super) fn number(
        self,
        object: &Map<String, Value>,
        field: &str,
        low: f64,
        high: f64,
    ) -> Checked {
        let Some(value) = object.get(field).filter(|value| !value.is_null()) else {
            return Ok(());
        };
        let Some(number) = value.as_f64() else {
            return self.wrong_type(field, "a valid number", "a decimal", value);
        };
        if number < low || number > high {
            return Err(match self.0 {
                Api::Messages => Refusal::invalid(format!("{field}: range: {low}..{high}")),
                _ => Refusal::invalid(format!(
                    "Invalid '{field}': value out of range. Expected a value between {low} and {high}, but got {number} instead."
                ))
                .param(field)
                .code("decimal_out_of_range"),
            });
        }
        Ok(())
    }

    /// A whole number of at least 1.
    pub(super) fn count(self, value: &Value, path: &str) -> Checked<u64> {
        match (value.as_u64(), self.0) {
            (Some(count), _) if count >= 1 => Ok(count),
            (Some(_), Api::Messages) => refuse(format!("{path}: Input should be greater than or equal to 1")),
            (Some(count), _) => Err(Refusal::invalid(format!(
                "Invalid '{path}': integer below minimum value. Expected a value >= 1, but got {count} instead."
            ))
            .param(path)
            .code("integer_below_min_value")),
            (None, _) => self.wrong_type(path, "a valid integer", "an integer", value),
        }
    }

    pub(super) fn flag(
        self,
        object: &Map<String, Value>,
        path: &str,
        field: &str,
    ) -> Checked<bool> {
        match object.get(field) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(other) => {
                self.wrong_type(&self.at(path, field), "a valid boolean", "a boolean", other)
            }
        }
    }

    /// Refuses every field that is not in `known`.
    pub(super) fn only(self, object: &Map<String, Value>, path: &str, known: &[&str]) -> Checked {
        let Some(unknown) = object.keys().find(|key| !known.contains(&key.as_str())) else {
            return Ok(());
        };
        let at = self.at(path, unknown);
        Err(match self.0 {
            Api::Messages => Refusal::invalid(format!("{at}: Extra inputs are not permitted")),
            _ if path.is_empty() => {
                Refusal::invalid(format!("Unrecognized request argument supplied: {unknown}"))
            }
            _ => Refusal::invalid(format!("Unknown parameter: '{at}'."))
                .param(at)
                .code("unknown_parameter"),
        })
    }

    /// One of a few words.
    pub(super) fn one_of<'a>(
        self,
        value: &'a Value,
        path: &str,
        words: &[&str],
    ) -> Checked<&'a str> {
        let text = self.text(value, path)?;
        if words.contains(&text) {
            return Ok(text);
        }
        let listed = words
            .iter()
            .map(|word| format!("'{word}'"))
            .collect::<Vec<_>>();
        Err(match self.0 {
            Api::Messages => {
                Refusal::invalid(format!("{path}: Input should be {}", listed.join(" or ")))
            }
            _ => Refusal::invalid(format!(
                "Invalid value: '{text}'. Supported values are: {}.",
                listed.join(", ")
            ))
            .param(path)
            .code("invalid_value"),
        })
    }
}

fn described(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a decimal",
        Value::Number(_) => "an integer",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// Whether `text` has 1 to `longest` characters, all letters, digits or one of `also`.
pub(super) fn is_name(text: &str, also: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.len())
        && text
            .chars()
            .all(|char| char.is_ascii_alphanumeric() || also.contains(char))
}

/// What is wrong with a JSON Schema, if anything: against its draft's own schema (2020-12 when it names none), and references that
/// lead nowhere.
pub(super) fn schema_error(schema: &Value) -> Option<String> {
    if let Err(error) = jsonschema::meta::validate(schema) {
        return Some(format!("{error} at {}", error.instance_path()));
    }
    jsonschema::validator_for(schema)
        .err()
        .map(|error| error.to_string())
}

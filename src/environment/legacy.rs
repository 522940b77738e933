//! Tasks of the older form: a prompt, tools that prepare, tools that grade.

use serde_json::Value;

use crate::message::{Content, ToolResult};

/// The reward in the result of an evaluate call: `reward`, `grade` or `score`, or `subscores` × `weights`, in the structured content or in the
/// first text that is a JSON object with one of them.
///
/// # Errors
/// In words: a failed call and a result without a reward are no reward of 0.
pub(super) fn reward(result: &ToolResult) -> Result<f64, String> {
    if result.is_error {
        return Err(format!(
            "the evaluate call `{}` failed: {}",
            result.name,
            Content::join_text(&result.content)
        ));
    }
    let texts = result
        .content
        .iter()
        .filter_map(Content::as_text)
        .filter_map(|text| serde_json::from_str::<Value>(text).ok());
    result
        .structured
        .clone()
        .into_iter()
        .chain(texts)
        .find_map(|value| from_value(&value))
        .ok_or_else(|| {
            format!(
                "the evaluate call `{}` answered without `reward`, `grade` or `score`",
                result.name
            )
        })
}

fn from_value(value: &Value) -> Option<f64> {
    let object = value.as_object()?;
    // A scalar result travels wrapped as {"result": …} by some servers.
    if let Some(inner @ Value::Object(_)) = object.get("result") {
        return from_value(inner);
    }
    for key in ["reward", "grade", "score"] {
        if let Some(number) = object.get(key).and_then(Value::as_f64) {
            return Some(number);
        }
    }
    let subscores = object.get("subscores")?.as_object()?;
    let weights = object.get("weights")?.as_object()?;
    let products: Option<Vec<f64>> = subscores
        .iter()
        .map(|(name, score)| Some(score.as_f64()? * weights.get(name)?.as_f64()?))
        .collect();
    products.map(|products| products.iter().sum())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(structured: Option<Value>, text: &str, is_error: bool) -> Result<f64, String> {
        reward(&ToolResult {
            call_id: "1".into(),
            name: "evaluate".into(),
            content: vec![Content::text(text)],
            structured,
            is_error,
        })
    }

    #[test]
    fn rewards_are_found_where_servers_put_them() {
        assert_eq!(check(Some(json!({"reward": 0.5})), "", false), Ok(0.5));
        assert_eq!(check(Some(json!({"grade": 1})), "", false), Ok(1.0));
        assert_eq!(check(None, r#"{"score": 0.25}"#, false), Ok(0.25));
        assert_eq!(
            check(Some(json!({"result": {"reward": 0.75}})), "", false),
            Ok(0.75)
        );
        assert_eq!(
            check(
                Some(json!({"subscores": {"a": 1.0, "b": 0.5}, "weights": {"a": 0.5, "b": 0.5}})),
                "",
                false
            ),
            Ok(0.75)
        );
    }

    #[test]
    fn a_call_that_failed_or_says_nothing_is_an_error() {
        assert_eq!(
            check(None, "boom", true),
            Err("the evaluate call `evaluate` failed: boom".into())
        );
        assert!(
            check(None, "fine", false)
                .unwrap_err()
                .contains("without `reward`")
        );
    }
}

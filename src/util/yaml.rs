//! YAML in and out. Task files have their own reader, which keeps positions (`task/file/`).

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Reads one YAML document. The error says line and column where the parser knows them.
pub fn from_str<T: DeserializeOwned>(text: &str) -> anyhow::Result<T> {
    Ok(serde_yaml::from_str(text)?)
}

/// Writes one YAML document.
pub fn to_string<T: Serialize + ?Sized>(value: &T) -> anyhow::Result<String> {
    Ok(serde_yaml::to_string(value)?)
}

//! YAML that needs no positions: lock files, scripts, templates. (Task files keep positions: `task::file`.)

use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Reads a YAML file into a type.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = super::fs::read_to_string(path)?;
    from_str(&text).with_context(|| format!("cannot read `{}`", path.display()))
}

/// Parses YAML; the error holds line and column.
pub fn from_str<T: DeserializeOwned>(text: &str) -> Result<T> {
    Ok(serde_yaml::from_str(text)?)
}

/// Writes a value as YAML, ending with a newline.
pub fn to_string<T: Serialize>(value: &T) -> Result<String> {
    serde_yaml::to_string(value).context("cannot write as YAML")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn values_survive_and_errors_name_the_place() {
        let map = BTreeMap::from([("a".to_owned(), vec![1, 2])]);
        let text = to_string(&map).unwrap();
        assert_eq!(text, "a:\n- 1\n- 2\n");
        assert_eq!(from_str::<BTreeMap<String, Vec<i32>>>(&text).unwrap(), map);

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.yaml");
        crate::util::fs::write(&path, "a: [1, x]").unwrap();
        let error = read::<BTreeMap<String, Vec<i32>>>(&path).unwrap_err();
        let text = format!("{error:#}");
        assert!(text.contains("x.yaml") && text.contains("line 1"), "{text}");
    }
}

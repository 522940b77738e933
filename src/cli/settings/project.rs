//! stub
use super::agent_layers::Layer;
use super::file_settings::FileSettings;
use crate::cli::failure::Failure;
use crate::config::Variables;
/// x
pub(in crate::cli) struct ProjectFiles { pub(in crate::cli) variables: FileSettings, pub(in crate::cli) eval: FileSettings }
impl ProjectFiles {
    pub(in crate::cli) fn read(_variables: &Variables) -> Result<Self, Failure> { Ok(Self { variables: FileSettings::default(), eval: FileSettings::default() }) }
    pub(in crate::cli) fn agent_layers(&self, _agent_type: &str) -> Vec<Layer> { Vec::new() }
}

//! Copies of an environment that does not change while it is served.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;

use crate::environment::{Description, EnvironmentError, Environments, SessionOptions};
use crate::event::Phase;
use crate::mcp::{ClientEvents, CopySource, Identity, RelayedCopy};
use crate::task::EnvironmentSpec;

/// Opens copies of one environment.
pub struct Copies {
    environments: Arc<Environments>,
    env: EnvironmentSpec,
    logs: PathBuf,
    description: Arc<Description>,
}

impl Copies {
    /// Starts the environment, without a copy yet. The copies' logs go to the folder `logs`.
    ///
    /// # Errors
    /// When the environment does not start.
    pub async fn start(
        environments: Arc<Environments>,
        env: EnvironmentSpec,
        logs: PathBuf,
    ) -> Result<Arc<Self>, EnvironmentError> {
        if let EnvironmentSpec::Servers { servers } = &env
            && servers.len() > 1
        {
            let names: Vec<_> = servers.iter().map(|(name, _)| name.as_str()).collect();
            return Err(EnvironmentError {
                phase: Phase::Connect,
                message: format!(
                    "the environment joins several servers ({}), and only one can be served\nhint: serve each of them by itself",
                    names.join(", ")
                ),
                timed_out: false,
            });
        }
        let description = environments.prepare(&env).await?;
        Ok(Arc::new(Self {
            environments,
            env,
            logs,
            description,
        }))
    }

    /// What the environment offers.
    pub fn description(&self) -> &Description {
        &self.description
    }
}

#[async_trait]
impl CopySource for Copies {
    fn identity(&self) -> Identity {
        Identity {
            name: self.description.name.clone(),
            version: self.description.version.clone(),
            instructions: self.description.instructions.clone(),
        }
    }

    async fn open(&self, events: Arc<dyn ClientEvents>) -> Result<Arc<dyn RelayedCopy>, String> {
        let trace_id = uuid::Uuid::new_v4().simple().to_string();
        let options = SessionOptions {
            log: self.logs.join(format!("{trace_id}.log")),
            trace_id,
            seed: None,
            sampler: None,
            on_log: None,
            client: Some(events),
        };
        let session = self
            .environments
            .open(&self.env, &options)
            .await
            .map_err(|error| error.to_string())?;
        Ok(Arc::new(session))
    }
}

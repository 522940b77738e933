//! Warm interpreters: one for each environment that is developed, kept up to date with what its newest version imports.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use tokio::task::JoinSet;

use super::connection::nursery::Nursery;
use super::started::{Notice, NoticeSink};
use crate::task::EnvironmentSpec;
use crate::util::process::Program;

/// The warm interpreters of a pool.
#[derive(Default)]
pub(super) struct WarmInterpreters {
    slots: Arc<Mutex<HashMap<EnvironmentSpec, Slot>>>,
    /// Interpreters being prepared; nobody waits for them but the next reload.
    preparing: Mutex<JoinSet<()>>,
}

#[derive(Default)]
struct Slot {
    ready: Option<Ready>,
    /// Whether one is being prepared.
    preparing: bool,
    /// The modules with which no base can be forked; told once.
    unforkable: Option<BTreeSet<String>>,
    /// Counts what made earlier preparations void.
    generation: u64,
}

#[derive(Clone)]
struct Ready {
    nursery: Arc<Nursery>,
    modules: BTreeSet<String>,
    stamp: Option<SystemTime>,
}

impl WarmInterpreters {
    /// The interpreter to fork the next base of `spec` from, when one is ready and what is installed has not changed since.
    pub(super) fn ready(&self, spec: &EnvironmentSpec, interpreter: &Path) -> Option<Arc<Nursery>> {
        let mut slots = self.slots.lock().ok()?;
        let slot = slots.get_mut(spec)?;
        let ready = slot.ready.as_ref()?;
        if ready.nursery.is_gone() || ready.stamp != installed(interpreter) {
            slot.ready = None;
            return None;
        }
        Some(Arc::clone(&ready.nursery))
    }

    /// Forgets the interpreter of `spec`: the next start imports everything anew.
    pub(super) fn forget(&self, spec: &EnvironmentSpec) {
        if let Ok(mut slots) = self.slots.lock()
            && let Some(slot) = slots.get_mut(spec)
        {
            slot.ready = None;
            slot.unforkable = None;
            slot.generation += 1;
        }
    }

    /// Prepares, in the background, an interpreter that has loaded `modules`, unless there is one. It may have loaded others too: a base sees
    /// only those that it imports.
    pub(super) fn prepare(
        &self,
        spec: &EnvironmentSpec,
        program: Program,
        log: PathBuf,
        modules: &[String],
        notices: Option<NoticeSink>,
    ) {
        let wanted: BTreeSet<String> = modules.iter().cloned().collect();
        let Ok(mut slots) = self.slots.lock() else {
            return;
        };
        let slot = slots.entry(spec.clone()).or_default();
        let current = slot
            .ready
            .as_ref()
            .is_some_and(|ready| ready.modules == wanted && !ready.nursery.is_gone());
        if slot.preparing || current || slot.unforkable.as_ref() == Some(&wanted) {
            return;
        }
        slot.preparing = true;
        let grown = slot.ready.clone().filter(|ready| !ready.nursery.is_gone());
        let preparation = Preparation {
            slots: Arc::clone(&self.slots),
            spec: spec.clone(),
            generation: slot.generation,
            program,
            log,
            order: modules.to_vec(),
            wanted,
            grown,
            notices,
        };
        drop(slots);
        if let Ok(mut preparing) = self.preparing.lock() {
            while preparing.try_join_next().is_some() {}
            preparing.spawn(preparation.run());
        }
    }

    /// Ends every interpreter that no running base needs.
    pub(super) fn close(&self) {
        if let Ok(mut preparing) = self.preparing.lock() {
            preparing.abort_all();
        }
        if let Ok(mut slots) = self.slots.lock() {
            slots.clear();
        }
    }
}

struct Preparation {
    slots: Arc<Mutex<HashMap<EnvironmentSpec, Slot>>>,
    spec: EnvironmentSpec,
    generation: u64,
    program: Program,
    log: PathBuf,
    /// The modules in the order in which the environment imported them.
    order: Vec<String>,
    wanted: BTreeSet<String>,
    grown: Option<Ready>,
    notices: Option<NoticeSink>,
}

impl Preparation {
    async fn run(self) {
        let outcome = self.warm_up().await;
        let mut note = None;
        if let Ok(mut slots) = self.slots.lock()
            && let Some(slot) = slots.get_mut(&self.spec)
        {
            slot.preparing = false;
            if slot.generation == self.generation {
                slot.ready = None;
                match outcome {
                    Ok(ready) => slot.ready = Some(ready),
                    Err(reason) => {
                        if slot.unforkable.is_none() {
                            note = Some(reason);
                        }
                        slot.unforkable = Some(self.wanted);
                    }
                }
            }
        }
        if let (Some(reason), Some(notices)) = (note, &self.notices) {
            notices(Notice::Note(format!(
                "every reload imports all modules anew: {reason}"
            )));
        }
    }

    async fn warm_up(&self) -> Result<Ready, String> {
        let stamp = installed(Path::new(&self.program.program));
        let (nursery, missing) = match &self.grown {
            Some(ready) if ready.stamp == stamp => {
                let missing = self
                    .order
                    .iter()
                    .filter(|module| !ready.modules.contains(*module))
                    .cloned()
                    .collect();
                (Arc::clone(&ready.nursery), missing)
            }
            Some(_) | None => {
                let nursery = Nursery::start(self.program.clone(), &self.log).await?;
                (Arc::new(nursery), self.order.clone())
            }
        };
        let preloaded = nursery
            .preload(&missing)
            .await
            .ok_or("the interpreter that loads them ended")?;
        for module in &preloaded.failed {
            tracing::debug!("`{module}` cannot be loaded ahead");
        }
        if !preloaded.forkable {
            return Err(preloaded
                .reason
                .unwrap_or_else(|| "they cannot be forked".to_owned()));
        }
        let earlier = self
            .grown
            .iter()
            .filter(|ready| Arc::ptr_eq(&ready.nursery, &nursery));
        let modules = earlier
            .flat_map(|ready| &ready.modules)
            .chain(&self.wanted)
            .cloned()
            .collect();
        Ok(Ready {
            nursery,
            modules,
            stamp,
        })
    }
}

/// When something was last installed beside `interpreter`, when it belongs to a virtual environment.
fn installed(interpreter: &Path) -> Option<SystemTime> {
    let venv = interpreter.parent()?.parent()?;
    if !venv.join("pyvenv.cfg").is_file() {
        return None;
    }
    let folders = crate::util::fs::read_dir_sorted(&venv.join("lib")).ok()?;
    folders
        .iter()
        .filter_map(|folder| crate::util::fs::modified(&folder.join("site-packages")))
        .max()
}

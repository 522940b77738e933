//! Which tasks of a file run.

use std::collections::BTreeSet;

use crate::cli::failure::Failure;
use crate::task::Task;
use crate::util::suggest::did_you_mean;

/// The tasks that `ids` name (all when `None`), in the file's order and each once, then the first `limit` of them.
pub(in crate::cli) fn select(
    tasks: Vec<Task>,
    ids: Option<&[String]>,
    limit: Option<u32>,
) -> Result<Vec<Task>, Failure> {
    let mut chosen = match ids {
        None => tasks,
        Some(ids) => {
            let wanted = positions(&tasks, ids)?;
            tasks
                .into_iter()
                .enumerate()
                .filter_map(|(index, task)| wanted.contains(&index).then_some(task))
                .collect()
        }
    };
    if let Some(limit) = limit {
        chosen.truncate(limit as usize);
    }
    Ok(chosen)
}

/// A slug wins over a position: a task may be called `3`.
fn positions(tasks: &[Task], ids: &[String]) -> Result<BTreeSet<usize>, Failure> {
    let mut wanted = BTreeSet::new();
    let mut unknown = Vec::new();
    for id in ids.iter().map(|id| id.trim()).filter(|id| !id.is_empty()) {
        let by_slug = tasks.iter().position(|task| task.slug == id);
        let by_position = || {
            id.parse::<usize>()
                .ok()
                .filter(|index| *index < tasks.len())
        };
        match by_slug.or_else(by_position) {
            Some(index) => {
                wanted.insert(index);
            }
            None => unknown.push(format!(
                "no task `{id}`{}",
                did_you_mean(id, tasks.iter().map(|task| task.slug.as_str()))
            )),
        }
    }
    if !unknown.is_empty() {
        return Err(Failure::usage(format!(
            "--task-ids: {}\nhint: the file holds {} (positions 0 to {})",
            unknown.join("; "),
            some_slugs(tasks),
            tasks.len().saturating_sub(1),
        )));
    }
    if wanted.is_empty() {
        return Err(Failure::usage("--task-ids names no task"));
    }
    Ok(wanted)
}

/// The first few slugs, for an error.
fn some_slugs(tasks: &[Task]) -> String {
    const SHOWN: usize = 8;
    let text = tasks
        .iter()
        .take(SHOWN)
        .map(|task| format!("`{}`", task.slug))
        .collect::<Vec<_>>()
        .join(", ");
    if tasks.len() > SHOWN {
        format!("{text} and {} more", tasks.len() - SHOWN)
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::failure::words;
    use crate::cli::settings::testing::task;

    #[test]
    fn tasks_are_chosen_by_slug_or_position() {
        let check = |ids: Option<&str>, limit: Option<u32>, expected: Result<&[&str], &str>| {
            let tasks = ["alpha", "beta", "2", "gamma"].map(task).to_vec();
            let ids: Option<Vec<String>> =
                ids.map(|ids| ids.split(',').map(str::to_owned).collect());
            let got = select(tasks, ids.as_deref(), limit)
                .map(|tasks| tasks.into_iter().map(|task| task.slug).collect::<Vec<_>>())
                .map_err(|failure| words(&failure).unwrap());
            let expected = expected
                .map(|slugs| slugs.iter().map(|slug| (*slug).to_owned()).collect())
                .map_err(str::to_owned);
            assert_eq!(got, expected);
        };
        check(None, None, Ok(&["alpha", "beta", "2", "gamma"]));
        check(None, Some(2), Ok(&["alpha", "beta"]));
        check(Some("gamma,0"), None, Ok(&["alpha", "gamma"]));
        check(Some("gamma, 0 ,3"), Some(1), Ok(&["alpha"]));
        check(Some("2"), None, Ok(&["2"]));
        check(Some("3"), None, Ok(&["gamma"]));
        check(
            Some("alpah,9"),
            None,
            Err(
                "--task-ids: no task `alpah`; did you mean 'alpha'?; no task `9`\nhint: the file holds `alpha`, `beta`, `2`, `gamma` \
                 (positions 0 to 3)",
            ),
        );
        check(Some(","), None, Err("--task-ids names no task"));
    }
}

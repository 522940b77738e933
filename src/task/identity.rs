//! The identity of a task: a hash of its content.

use super::Task;

pub(super) fn of(_task: &Task) -> String {
    String::new()
}

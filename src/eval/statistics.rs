//! Numbers over the rollouts of a job.
//!
//! Only graded rollouts have a reward; everything else is counted by kind and left out of mean, error and success rate.
//!
//! All sums run in the order of task and repeat, whatever order the rollouts ended in, so that a replayed job gives the same bits as
//! the live one.

use std::path::Path;
use std::time::Duration;

use crate::event::{JobSummary, RolloutRef, RolloutResult};
use crate::message::Usage;

/// A reward above this is a success, where nothing else is asked for.
pub const DEFAULT_SUCCESS_THRESHOLD: f64 = 0.7;

/// The key of [`JobSummary::failed`] for rollouts that never ended.
pub const NOT_STARTED: &str = "not_started";

/// The kinds of outcome without a reward, in the order in which summaries list them.
const UNGRADED_KINDS: &[&str] = &[
    "agent_error",
    "environment_error",
    "timeout",
    "limit_reached",
    "cancelled",
];

/// The reward of one graded rollout.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score<'a> {
    /// The task's slug: rollouts of one task are a cluster.
    pub task: &'a str,
    /// Which repeat of the task.
    pub repeat: u32,
    /// The reward.
    pub reward: f64,
}

/// What the rewards of a job say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Statistics {
    /// Mean over all graded rollouts.
    pub mean: f64,
    /// Standard error of the mean, clustered by task; `None` below two tasks, where nothing is known about other tasks.
    pub stderr: Option<f64>,
    /// Share of rollouts with a reward above the threshold, 0 to 1.
    pub success_rate: f64,
}

/// Mean, clustered standard error and success rate of `scores`; `None` when there are none.
///
/// The repeats of a task are not independent draws, so the error is the cluster-robust one of Miller 2024, "Adding Error Bars to
/// Evals" (arXiv 2411.00640), section 2.2, with clusters = tasks. With n rewards `s` in G tasks and their mean m:
///
/// ```text
/// SE² = G / (G − 1) · 1/n² · Σ over tasks (Σ over the task's rewards (s − m))²
/// ```
///
/// The factor G/(G−1) is the usual correction for few clusters (Cameron and Miller 2015, "A Practitioner's Guide to Cluster-Robust
/// Inference", section VI.B), which Miller 2024 leaves out. With one reward for each task this is the ordinary `s/√n`; with equally many for
/// each it is the ordinary standard error of the tasks' means.
///
/// Success is strict: a reward of exactly `threshold` is none.
pub fn statistics(scores: &[Score<'_>], threshold: f64) -> Option<Statistics> {
    if scores.is_empty() {
        return None;
    }
    let mut sorted = scores.to_vec();
    sorted.sort_by(|a, b| {
        (a.task, a.repeat)
            .cmp(&(b.task, b.repeat))
            .then(a.reward.total_cmp(&b.reward))
    });
    let count = sorted.len() as f64;
    let mean = sorted.iter().map(|score| score.reward).sum::<f64>() / count;
    let successes = sorted
        .iter()
        .filter(|score| score.reward > threshold)
        .count();

    let mut clusters = 0_u32;
    let mut squares = 0.0;
    for cluster in sorted.chunk_by(|a, b| a.task == b.task) {
        let deviation: f64 = cluster.iter().map(|score| score.reward - mean).sum();
        squares += deviation * deviation;
        clusters += 1;
    }
    let stderr = (clusters >= 2).then(|| {
        let clusters = f64::from(clusters);
        (clusters / (clusters - 1.0) * squares).sqrt() / count
    });
    Some(Statistics {
        mean,
        stderr,
        success_rate: successes as f64 / count,
    })
}

/// The last event of a job: numbers over `ended`, of `planned` rollouts. Those that are missing are `not_started`.
pub fn summarize(
    job: &str,
    planned: usize,
    ended: &[(RolloutRef, RolloutResult)],
    threshold: f64,
    duration: Duration,
    directory: &Path,
    interrupted: bool,
) -> JobSummary {
    let scores: Vec<Score<'_>> = ended
        .iter()
        .filter_map(|(rollout, result)| {
            Some(Score {
                task: &rollout.task,
                repeat: rollout.repeat,
                reward: result.outcome.reward()?,
            })
        })
        .collect();
    let numbers = statistics(&scores, threshold);
    let mut usage = Usage::default();
    for (_, result) in ended {
        usage += result.usage;
        usage += result.judge_usage;
    }
    JobSummary {
        job: job.to_owned(),
        rollouts: planned,
        graded: scores.len(),
        failed: failures(planned, ended),
        mean_reward: numbers.map(|numbers| numbers.mean),
        stderr: numbers.and_then(|numbers| numbers.stderr),
        success_rate: numbers.map(|numbers| numbers.success_rate),
        usage,
        cost_usd: cost(ended),
        duration,
        directory: directory.to_owned(),
        interrupted,
    }
}

/// Rollouts without a grade by kind, in a fixed order, without the kinds that did not occur.
fn failures(planned: usize, ended: &[(RolloutRef, RolloutResult)]) -> Vec<(String, usize)> {
    let of_kind = |kind: &str| {
        ended
            .iter()
            .filter(|(_, result)| result.outcome.kind() == kind)
            .count()
    };
    let not_started = planned.saturating_sub(ended.len());
    UNGRADED_KINDS
        .iter()
        .map(|kind| (*kind, of_kind(kind)))
        .chain([(NOT_STARTED, not_started)])
        .filter(|(_, count)| *count > 0)
        .map(|(kind, count)| (kind.to_owned(), count))
        .collect()
}

/// The sum of all costs, or `None` when one that matters is not known: a sum with a hole would read as the whole.
fn cost(ended: &[(RolloutRef, RolloutResult)]) -> Option<f64> {
    let mut in_plan_order: Vec<_> = ended.iter().collect();
    in_plan_order.sort_by_key(|(rollout, _)| rollout.index);
    let mut sum = None;
    for (_, result) in in_plan_order {
        match result.cost_usd {
            Some(cost) => sum = Some(sum.unwrap_or(0.0) + cost),
            None if result.usage.total() + result.judge_usage.total() > 0 => return None,
            None => {}
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::{Evaluation, Outcome};

    fn scores<'a>(rewards: &[(&'a str, f64)]) -> Vec<Score<'a>> {
        rewards
            .iter()
            .zip(0..)
            .map(|(&(task, reward), repeat)| Score {
                task,
                repeat,
                reward,
            })
            .collect()
    }

    fn check(rewards: &[(&str, f64)], mean: f64, stderr: Option<f64>, success_rate: f64) {
        let got = statistics(&scores(rewards), 0.7).unwrap();
        assert!((got.mean - mean).abs() < 1e-12, "{got:?}");
        match (got.stderr, stderr) {
            (Some(got), Some(expected)) => assert!((got - expected).abs() < 1e-12, "{got}"),
            (got, expected) => assert_eq!(got, expected),
        }
        assert!((got.success_rate - success_rate).abs() < 1e-12, "{got:?}");
    }

    #[test]
    fn one_rollout_for_each_task_gives_the_usual_error() {
        // Deviations ±0.5: variance 4 · 0.25 / 3, error √(1/3 / 4).
        let rewards = [("a", 1.0), ("b", 0.0), ("c", 1.0), ("d", 0.0)];
        check(&rewards, 0.5, Some((1.0_f64 / 12.0).sqrt()), 0.5);
    }

    #[test]
    fn repeats_that_agree_add_no_certainty() {
        // The same two tasks, each played three times with the same reward: still two draws, error √(0.5 / 2).
        let rewards = [
            ("a", 1.0),
            ("a", 1.0),
            ("a", 1.0),
            ("b", 0.0),
            ("b", 0.0),
            ("b", 0.0),
        ];
        check(&rewards, 0.5, Some(0.5), 0.5);
    }

    #[test]
    fn clusters_of_different_size_are_weighed_by_their_rollouts() {
        // m = 2/3; a: 2 · 1/3 = 2/3, b: −2/3; 2/1 · 1/9 · (4/9 + 4/9).
        let rewards = [("a", 1.0), ("a", 1.0), ("b", 0.0)];
        check(
            &rewards,
            2.0 / 3.0,
            Some((16.0_f64 / 81.0).sqrt()),
            2.0 / 3.0,
        );
    }

    #[test]
    fn one_task_has_no_error_and_nothing_has_no_mean() {
        check(&[("a", 1.0), ("a", 0.5)], 0.75, None, 0.5);
        assert_eq!(statistics(&[], 0.7), None);
    }

    #[test]
    fn success_is_strictly_above_the_threshold() {
        check(&[("a", 0.7), ("b", 0.7)], 0.7, Some(0.0), 0.0);
        check(&[("a", 0.7), ("b", 0.71)], 0.705, Some(0.005), 0.5);
    }

    fn ended(
        index: usize,
        outcome: Outcome,
        tokens: u64,
        cost: Option<f64>,
    ) -> (RolloutRef, RolloutResult) {
        let rollout = RolloutRef {
            id: format!("{index:016x}.0"),
            trace_id: format!("{index:032x}"),
            index,
            task: format!("task-{index}"),
            repeat: 0,
        };
        let result = RolloutResult {
            outcome,
            answer: None,
            steps: 1,
            tool_calls: 0,
            usage: Usage {
                input_tokens: tokens,
                ..Usage::default()
            },
            judge_usage: Usage {
                output_tokens: 1,
                ..Usage::default()
            },
            cost_usd: cost,
            duration: Duration::from_secs(1),
            phases: Vec::new(),
            warnings: Vec::new(),
        };
        (rollout, result)
    }

    fn graded(reward: f64) -> Outcome {
        Outcome::Graded {
            evaluation: Evaluation {
                reward,
                ..Evaluation::default()
            },
            stopped_by: None,
        }
    }

    fn summary(planned: usize, rollouts: &[(RolloutRef, RolloutResult)]) -> JobSummary {
        summarize(
            "job",
            planned,
            rollouts,
            DEFAULT_SUCCESS_THRESHOLD,
            Duration::from_secs(5),
            Path::new("runs/job"),
            false,
        )
    }

    #[test]
    fn failures_stay_out_of_the_mean_and_are_counted() {
        let timeout = Outcome::Timeout {
            phase: crate::event::Phase::Setup,
            message: "slow".to_owned(),
        };
        let rollouts = [
            ended(0, graded(1.0), 10, Some(0.5)),
            ended(1, timeout, 5, Some(0.25)),
            ended(
                2,
                Outcome::AgentError {
                    message: "no".to_owned(),
                },
                0,
                Some(0.0),
            ),
        ];
        let expected = JobSummary {
            job: "job".to_owned(),
            rollouts: 5,
            graded: 1,
            failed: vec![
                ("agent_error".to_owned(), 1),
                ("timeout".to_owned(), 1),
                ("not_started".to_owned(), 2),
            ],
            mean_reward: Some(1.0),
            stderr: None,
            success_rate: Some(1.0),
            usage: Usage {
                input_tokens: 15,
                output_tokens: 3,
                ..Usage::default()
            },
            cost_usd: Some(0.75),
            duration: Duration::from_secs(5),
            directory: Path::new("runs/job").to_owned(),
            interrupted: false,
        };
        assert_eq!(summary(5, &rollouts), expected);
    }

    #[test]
    fn nothing_graded_is_not_zero() {
        let got = summary(1, &[ended(0, Outcome::Cancelled, 0, None)]);
        assert_eq!(
            (got.mean_reward, got.stderr, got.success_rate),
            (None, None, None)
        );
        assert_eq!(got.failed, [("cancelled".to_owned(), 1)]);
    }

    #[test]
    fn a_cost_that_is_not_known_makes_the_sum_unknown() {
        let known = ended(0, graded(1.0), 10, Some(0.5));
        let unknown = ended(1, graded(1.0), 10, None);
        assert_eq!(summary(1, std::slice::from_ref(&known)).cost_usd, Some(0.5));
        assert_eq!(summary(2, &[known, unknown]).cost_usd, None);
    }

    fn any_rewards() -> impl Strategy<Value = Vec<(u8, u32, f64)>> {
        prop::collection::vec((0_u8..6, 0_u32..4, -1.0..1.0_f64), 1..40)
    }

    proptest! {
        #[test]
        fn order_does_not_matter(rewards in any_rewards(), seed in any::<u64>()) {
            let names: Vec<String> = (0..6).map(|task| format!("t{task}")).collect();
            let make = |rewards: &[(u8, u32, f64)]| {
                let scores: Vec<Score<'_>> = rewards
                    .iter()
                    .map(|&(task, repeat, reward)| Score { task: &names[usize::from(task)], repeat, reward })
                    .collect();
                statistics(&scores, 0.7)
            };
            let mut shuffled = rewards.clone();
            let length = shuffled.len();
            shuffled.rotate_left(usize::try_from(seed % length as u64).unwrap());
            shuffled.reverse();
            prop_assert_eq!(make(&rewards), make(&shuffled));
        }

        #[test]
        fn equally_many_repeats_give_the_error_of_the_means(
            rewards in prop::collection::vec(prop::collection::vec(0.0..1.0_f64, 3), 2..10),
        ) {
            let names: Vec<String> = (0..rewards.len()).map(|task| format!("t{task}")).collect();
            let scores: Vec<Score<'_>> = rewards
                .iter()
                .zip(&names)
                .flat_map(|(rewards, task)| {
                    rewards.iter().zip(0..).map(|(&reward, repeat)| Score { task, repeat, reward })
                })
                .collect();
            let means: Vec<f64> = rewards.iter().map(|rewards| rewards.iter().sum::<f64>() / 3.0).collect();
            let count = means.len() as f64;
            let mean = means.iter().sum::<f64>() / count;
            let variance = means.iter().map(|m| (m - mean).powi(2)).sum::<f64>() / (count - 1.0);
            let got = statistics(&scores, 0.7).and_then(|numbers| numbers.stderr).unwrap();
            prop_assert!((got - (variance / count).sqrt()).abs() < 1e-9);
        }
    }
}

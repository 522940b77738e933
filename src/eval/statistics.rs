//! Numbers over the rollouts of a job.

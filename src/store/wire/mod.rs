//! The formats on disk: own types, apart from the events that they record, with a conversion in each direction.
//!
//! Every file names its format and version first. Adding a field or a type of line keeps the version: readers skip what they do not know. A
//! change that an older reader would misunderstand raises it, and this crate goes on reading all versions that it ever wrote.

mod job;
mod journal;
mod numbers;
mod outcome;
mod trace;

pub use job::{JobRecord, SummaryRecord};
pub use journal::{
    EndedRecord, EnvironmentRecord, Header, JournalRecord, NoticeRecord, PhaseTime, ResultRecord,
    RolloutRecord, check_version,
};
pub use outcome::{EvaluationRecord, LimitRecord, OutcomeRecord, PhaseRecord, SubScoreRecord};
pub use trace::{StepRecord, TraceHeader, TraceRecord};

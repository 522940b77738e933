//! Times for people and for files.

use std::time::Duration;

/// Now, as RFC 3339 in UTC with milliseconds.
pub fn now_rfc3339() -> String {
    jiff::Timestamp::now()
        .strftime("%Y-%m-%dT%H:%M:%S%.3fZ")
        .to_string()
}

/// Now, as `20261120-101502` in UTC, for names that sort.
pub fn now_compact() -> String {
    jiff::Timestamp::now().strftime("%Y%m%d-%H%M%S").to_string()
}

/// How long ago `rfc3339` was; nothing when it is no time or still to come.
pub fn since(rfc3339: &str) -> Option<Duration> {
    let then: jiff::Timestamp = rfc3339.parse().ok()?;
    Duration::try_from(jiff::Timestamp::now().duration_since(then)).ok()
}

/// `0.4s`, `12s`, `3m 05s`, `1h 02m`.
pub fn human(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds < 10 {
        format!("{:.1}s", duration.as_secs_f64())
    } else if seconds < 60 {
        format!("{seconds}s")
    } else if seconds < 3600 {
        format!("{}m {:02}s", seconds / 60, seconds % 60)
    } else {
        format!("{}h {:02}m", seconds / 3600, seconds / 60 % 60)
    }
}

/// As [`human`], and whole milliseconds below a second: `4 ms`, `1.2s`.
pub fn brief(duration: Duration) -> String {
    if duration < Duration::from_secs(1) {
        format!("{} ms", duration.as_millis())
    } else {
        human(duration)
    }
}

/// For things that may take less than a millisecond: `0.4ms`, `42ms`, and from a second on as [`human`].
pub fn fine(duration: Duration) -> String {
    let ms = duration.as_secs_f64() * 1000.0;
    if ms < 9.95 {
        format!("{ms:.1}ms")
    } else if ms < 999.5 {
        format!("{ms:.0}ms")
    } else {
        human(duration)
    }
}

/// The time of day here, as `14:03:11`.
pub fn clock() -> String {
    jiff::Zoned::now().strftime("%H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_past_has_an_age() {
        assert!(since(&now_rfc3339()).is_some_and(|age| age < Duration::from_mins(1)));
        assert!(since("2020-01-01T00:00:00.000Z").is_some_and(|age| age.as_secs() > 1_000_000));
        assert_eq!(since("2999-01-01T00:00:00Z"), None);
        assert_eq!(since("yesterday"), None);
    }

    #[test]
    fn durations_read_well() {
        let shown = [400, 12_000, 185_000, 3_720_000].map(|ms| human(Duration::from_millis(ms)));
        assert_eq!(shown, ["0.4s", "12s", "3m 05s", "1h 02m"]);
        let shown = [0, 999, 1_200].map(|ms| brief(Duration::from_millis(ms)));
        assert_eq!(shown, ["0 ms", "999 ms", "1.2s"]);
        let fine = [420, 9_960, 41_600, 999_600, 1_500_000]
            .map(|us| super::fine(Duration::from_micros(us)));
        assert_eq!(fine, ["0.4ms", "10ms", "42ms", "1.0s", "1.5s"]);
    }
}

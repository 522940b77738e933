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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        let shown = [400, 12_000, 185_000, 3_720_000].map(|ms| human(Duration::from_millis(ms)));
        assert_eq!(shown, ["0.4s", "12s", "3m 05s", "1h 02m"]);
        let shown = [0, 999, 1_200].map(|ms| brief(Duration::from_millis(ms)));
        assert_eq!(shown, ["0 ms", "999 ms", "1.2s"]);
    }
}

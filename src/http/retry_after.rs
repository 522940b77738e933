//! How long a server asks to wait.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::HeaderMap;

/// `retry-after-ms` (not a standard, but more precise), else `retry-after` in seconds or as a date: the order of the official SDKs.
pub(super) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let number = |name: &str| text(name)?.parse::<f64>().ok();
    let seconds = number("retry-after-ms")
        .map(|ms| ms / 1000.0)
        .or_else(|| number("retry-after"))
        .or_else(|| {
            let date = DateTimeParser::new()
                .relaxed_weekday(true)
                .parse_timestamp(text("retry-after")?)
                .ok()?;
            Some((date.as_millisecond() - now.as_millisecond()) as f64 / 1000.0)
        })?;
    if seconds <= 0.0 {
        return None;
    }
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::{HeaderName, HeaderValue};

    #[test]
    fn every_spelling_is_understood() {
        let now: Timestamp = "2026-11-20T10:00:00Z".parse().unwrap();
        let check = |pairs: &[(&'static str, &'static str)], expected: Option<u64>| {
            let headers = pairs
                .iter()
                .map(|(name, value)| {
                    (
                        HeaderName::from_static(name),
                        HeaderValue::from_static(value),
                    )
                })
                .collect();
            let found = retry_after(&headers, now);
            assert_eq!(found, expected.map(Duration::from_millis), "{pairs:?}");
        };
        check(&[], None);
        check(&[("retry-after", "12")], Some(12_000));
        check(&[("retry-after", "0.25")], Some(250));
        check(&[("retry-after", "12"), ("retry-after-ms", "80")], Some(80));
        check(
            &[("retry-after", "Fri, 20 Nov 2026 10:00:30 GMT")],
            Some(30_000),
        );
        check(&[("retry-after", "Fri, 20 Nov 2026 09:00:00 GMT")], None);
        check(&[("retry-after", "0")], None);
        check(&[("retry-after", "-3")], None);
        check(&[("retry-after", "inf")], None);
        check(&[("retry-after", "soon")], None);
    }
}

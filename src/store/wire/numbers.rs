//! Numbers that JSON has no form for.

/// A float that may be infinite or not a number: those are written as strings, where `serde_json` would write `null` and lose which.
pub(super) mod float {
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "the signature that `serde(with)` asks for"
    )]
    pub(in super::super) fn serialize<S: Serializer>(
        value: &f64,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        if value.is_finite() {
            serializer.serialize_f64(*value)
        } else {
            serializer.collect_str(value)
        }
    }

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Number(f64),
        Word(String),
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<f64, D::Error> {
        match Written::deserialize(deserializer)? {
            Written::Number(value) => Ok(value),
            Written::Word(word) => word.parse().map_err(serde::de::Error::custom),
        }
    }
}

/// A duration as seconds. Exact to the nanosecond below forty days.
pub(super) mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(in super::super) fn serialize<S: Serializer>(
        value: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(value.as_secs_f64())
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        Duration::try_from_secs_f64(f64::deserialize(deserializer)?)
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use serde::{Deserialize, Serialize};

    #[derive(Serialize, Deserialize)]
    struct Both {
        #[serde(with = "super::float")]
        value: f64,
        #[serde(with = "super::seconds")]
        time: Duration,
    }

    fn round_trip(value: f64, time: Duration) -> (String, Both) {
        let text = serde_json::to_string(&Both { value, time }).unwrap();
        let back = serde_json::from_str(&text).unwrap();
        (text, back)
    }

    #[test]
    fn what_json_cannot_say_is_said_in_words() {
        let (text, back) = round_trip(f64::NAN, Duration::from_millis(1500));
        assert_eq!(text, r#"{"value":"NaN","time":1.5}"#);
        assert!(back.value.is_nan());
        assert!(round_trip(f64::INFINITY, Duration::ZERO).1.value > f64::MAX);
        assert!(round_trip(f64::NEG_INFINITY, Duration::ZERO).1.value < f64::MIN);
    }

    #[test]
    fn negative_times_are_refused() {
        assert!(serde_json::from_str::<Both>(r#"{"value":1,"time":-1}"#).is_err());
    }

    proptest! {
        #[test]
        fn numbers_come_back_as_they_were(
            value in any::<f64>().prop_filter("finite", |value| value.is_finite()),
            nanos in 0..40 * 86_400_000_000_000_u64,
        ) {
            let time = Duration::from_nanos(nanos);
            let (_, back) = round_trip(value, time);
            prop_assert_eq!(back.value.to_bits(), value.to_bits());
            prop_assert_eq!(back.time, time);
        }
    }
}

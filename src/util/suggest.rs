//! The nearest valid name, for errors about unknown ones.

/// The candidate that `word` was most likely meant to be, if any is near enough.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| {
            let score = strsim::jaro_winkler(&word.to_lowercase(), &candidate.to_lowercase());
            (score, candidate)
        })
        .filter(|(score, _)| *score >= 0.75)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

/// `; did you mean 'x'?`, or nothing.
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, candidates).map_or_else(String::new, |name| format!("; did you mean '{name}'?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_name_is_offered_and_a_far_one_is_not() {
        assert_eq!(nearest("promt", ["prompt", "args"]), Some("prompt"));
        assert_eq!(nearest("zzz", ["prompt", "args"]), None);
        assert_eq!(
            did_you_mean("senario", ["scenario"]),
            "; did you mean 'scenario'?"
        );
    }
}

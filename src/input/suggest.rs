//! "Did you mean": the known word that was most likely meant by an unknown one.

/// Below this a suggestion is noise; jaro-winkler similarity, where 1 is equal.
const SIMILAR: f64 = 0.8;

/// The most similar of the known words, if any is similar at all.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // `pod_subnet` and `PodSubnet` mean `podSubnet`
    let plain = |text: &str| text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let word = plain(word);
    // one slip in a short word weighs too much in jaro-winkler
    let similarity = |candidate: &str| match strsim::osa_distance(&word, candidate) {
        0 | 1 => SIMILAR.max(strsim::jaro_winkler(&word, candidate)),
        _ => strsim::jaro_winkler(&word, candidate),
    };
    known
        .into_iter()
        .map(|candidate| (similarity(&plain(candidate)), candidate))
        .filter(|(similarity, _)| *similarity >= SIMILAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// "`a`, `b` or `c`".
pub(super) fn listing(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => "nothing".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_mistakes_find_their_word_and_others_do_not() {
        let known = ["controlPlanes", "workers", "podSubnet", "serviceSubnet"];
        for (typed, meant) in [
            ("wokers", "workers"),
            ("workres", "workers"),
            ("worker", "workers"),
            ("pod_subnet", "podSubnet"),
            ("controlplane", "controlPlanes"),
        ] {
            assert_eq!(nearest(typed, known), Some(meant));
        }
        assert_eq!(nearest("image", known), None);
        assert_eq!(listing(&["a", "b", "c"]), "`a`, `b` or `c`");
    }
}

//! Sentences of a paragraph.

/// Words before whose full stop no sentence ends.
const ABBREVIATIONS: [&str; 44] = [
    "mr", "mrs", "ms", "dr", "prof", "st", "inc", "ltd", "co", "corp", "llc", "no", "nos", "fig", "figs",
    "vs", "e.g", "i.e", "etc", "al", "approx", "est", "ca", "cf", "ver", "vol", "sec", "jan", "feb", "mar",
    "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec", "gen", "col", "lt", "dept", "univ",
];
/// Octets of a sentence that is looked at; longer ones are cut. Chosen here: the longest of
/// reports has a third.
pub(crate) const SENTENCE_OCTETS: usize = 2_000;

/// The sentences of a text, in order.
pub(crate) fn sentences(text: &str) -> Vec<&str> {
    let mut sentences = Vec::new();
    let mut start = 0;
    for (at, c) in text.char_indices() {
        let end = at + c.len_utf8();
        let cut = end - start >= SENTENCE_OCTETS && c == ' ';
        if cut || (matches!(c, '.' | '!' | '?') && ends_here(&text[start..at], c, &text[end..])) {
            let quotes = text[end..].len() - text[end..].trim_start_matches(['"', '”', '’', ')', ']']).len();
            sentences.push(text[start..end + quotes].trim());
            start = end + quotes;
        }
    }
    sentences.push(text[start.min(text.len())..].trim());
    sentences.retain(|sentence| !sentence.is_empty());
    sentences
}

/// Whether a sentence ends with this sign.
fn ends_here(before: &str, sign: char, after: &str) -> bool {
    let after = after.trim_start_matches(['"', '”', '’', ')']);
    let next = after.trim_start();
    if next.len() == after.len() || next.is_empty() {
        return false;
    }
    if !next.starts_with(|c: char| c.is_uppercase() || c.is_ascii_digit() || "“\"‘([".contains(c)) {
        return false;
    }
    if sign != '.' {
        return true;
    }
    let word = before.rsplit(|c: char| c.is_whitespace() || c == '(').next().unwrap_or_default();
    let lower = word.to_lowercase();
    // `U.S.`, `J. Doe`
    let initials =
        word.split('.').all(|part| part.chars().count() == 1 && part.starts_with(char::is_alphabetic));
    if initials && !word.is_empty() {
        // `in the U.S. The group …`
        return word.contains('.')
            && ["The ", "This ", "It ", "In "].iter().any(|word| next.starts_with(word));
    }
    !ABBREVIATIONS.contains(&lower.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        assert_eq!(sentences(text), expected);
    }

    #[test]
    fn full_stops_of_names_and_abbreviations_end_nothing() {
        check("It began. Then it ended.", &["It began.", "Then it ended."]);
        check(
            "The U.S. Army and Dr. Doe of Example Inc. Group left.",
            &["The U.S. Army and Dr. Doe of Example Inc. Group left."],
        );
        check("In the U.S. The group left.", &["In the U.S.", "The group left."]);
        check(
            "“It began.” Then v1.2.3 of c2.example.org came.",
            &["“It began.”", "Then v1.2.3 of c2.example.org came."],
        );
        check("Seen e.g. in May. 12 hosts", &["Seen e.g. in May.", "12 hosts"]);
        check("", &[]);
    }

    #[test]
    fn no_sentence_is_without_end() {
        let text = "word ".repeat(2_000);
        assert!(sentences(&text).iter().all(|sentence| sentence.len() <= SENTENCE_OCTETS + 8));
    }
}

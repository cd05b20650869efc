//! What no text of ours may say: a word of likelihood and a level of confidence in one sentence (ICD-203). The first
//! is how probable something is, the second how good the evidence is.

/// Words of likelihood (`methods.md` §2.5), by a part that all their forms have.
const LIKELIHOOD: [&str; 5] = ["likely", "almost", "roughly even", "probab", "chance"];

/// Elements of HTML that stand within a sentence.
const INLINE: [&str; 13] =
    ["a", "abbr", "b", "bdi", "code", "em", "i", "mark", "small", "span", "strong", "sub", "time"];

/// The first sentence that mixes the two.
///
/// ```
/// use rahdar_testkit::prose::mixed;
///
/// assert_eq!(mixed("It is likely. We say so with high confidence."), None);
/// assert_eq!(mixed("Yes. With high confidence it is likely."), Some(" With high confidence it is likely"));
/// ```
pub fn mixed(text: &str) -> Option<&str> {
    text.split(['.', '\n']).find(|sentence| {
        let lower = sentence.to_lowercase();
        lower.contains("confidence") && LIKELIHOOD.iter().any(|word| lower.contains(word))
    })
}

/// The text of a page, a line for each element that begins or ends a sentence.
///
/// ```
/// use rahdar_testkit::prose::text_of_html;
///
/// assert_eq!(text_of_html("<p>With <b>high</b> confidence</p><p>it is so"), "\nWith high confidence\n\nit is so");
/// ```
pub fn text_of_html(page: &str) -> String {
    let mut text = String::new();
    for part in page.split('<') {
        let Some((tag, rest)) = part.split_once('>') else { continue };
        let name = tag.trim_start_matches('/').split([' ', '\n', '/']).next().unwrap_or_default();
        if !INLINE.contains(&name) {
            text.push('\n');
        }
        text.push_str(rest);
    }
    text
}

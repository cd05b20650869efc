//! Foreign text as people can read it: nothing hidden, nothing endless, nothing clickable.
//!
//! Names of clusters, victims, events and exporters come from others, and some of those others
//! are hostile. A right-to-left override can make a line say what it does not; an escape
//! sequence can repaint a terminal; a name of a megabyte hides what follows it. This does not
//! escape for HTML or SVG: their writers do.

use std::fmt::Write;

/// Characters of a name that are shown. Chosen here: a line of a table.
pub const NAME_CHARS: usize = 80;
/// Characters of a sentence that are shown. Chosen here: a short paragraph.
pub const SENTENCE_CHARS: usize = 600;

/// A name, at most [`NAME_CHARS`] of it.
pub fn name(text: &str) -> String {
    clip(text, NAME_CHARS)
}

/// A sentence, at most [`SENTENCE_CHARS`] of it.
pub fn sentence(text: &str) -> String {
    clip(text, SENTENCE_CHARS)
}

/// At most `most_chars` characters of `text`, those that hide or reorder shown by their number,
/// as `⟨U+202E⟩`. What is cut is counted. Text with right-to-left letters is isolated (Unicode
/// UAX #9, FSI and PDI), so that it cannot reorder what stands beside it.
pub fn clip(text: &str, most_chars: usize) -> String {
    let mut shown = String::with_capacity(text.len().min(4 * most_chars));
    let mut before = ' ';
    let mut rest = text.chars().peekable();
    for _ in 0..most_chars {
        let Some(c) = rest.next() else { break };
        let joins = is_joiner(c) && joinable(before) && rest.peek().is_some_and(|next| joinable(*next));
        if hides(c) && !joins {
            let _ = write!(shown, "⟨U+{:04X}⟩", u32::from(c));
        } else {
            shown.push(c);
        }
        before = c;
    }
    let cut = rest.count();
    if cut > 0 {
        let _ = write!(shown, "… (+{cut} characters)");
    }
    if shown.chars().any(is_right_to_left) {
        return format!("\u{2068}{shown}\u{2069}");
    }
    shown
}

/// An indicator that no mail client or browser makes a link of: `192[.]0[.]2[.]9`,
/// `hxxps://example[.]org`.
pub fn defang(indicator: &str) -> String {
    let mut text = name(indicator).replace('.', "[.]");
    if let Some(rest) = text.strip_prefix("http") {
        text = format!("hxxp{rest}");
    }
    text
}

/// Control characters, and the format characters that reorder text or cannot be seen.
fn hides(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}'
            | '\u{e0000}'..='\u{e007f}')
}

/// Zero-width joiner and non-joiner: hidden, yet Persian and many scripts of India need them
/// inside a word.
fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

fn joinable(c: char) -> bool {
    !c.is_ascii() && c.is_alphabetic()
}

/// The blocks of right-to-left scripts (Unicode 17, Blocks.txt).
fn is_right_to_left(c: char) -> bool {
    matches!(c,
        '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefe}'
        | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, shown: &str) {
        assert_eq!(clip(text, 12), shown);
    }

    #[test]
    fn plain_text_is_untouched() {
        check("Čárka ü 中文", "Čárka ü 中文");
    }

    #[test]
    fn what_hides_is_shown_by_its_number() {
        check("a\u{202e}b", "a⟨U+202E⟩b");
        check("a\u{1b}[2J", "a⟨U+001B⟩[2J");
        check("a\u{200b}b\n", "a⟨U+200B⟩b⟨U+000A⟩");
    }

    #[test]
    fn a_persian_name_keeps_its_joiner_and_is_isolated() {
        check("می\u{200c}خواهم", "\u{2068}می\u{200c}خواهم\u{2069}");
        check("a\u{200c}b", "a⟨U+200C⟩b");
    }

    #[test]
    fn what_is_cut_is_counted() {
        check("exactly-12ch", "exactly-12ch");
        check("one more than 12", "one more tha… (+4 characters)");
    }

    #[test]
    fn an_indicator_is_no_link() {
        assert_eq!(defang("192.0.2.9"), "192[.]0[.]2[.]9");
        assert_eq!(defang("https://example.org/a.b"), "hxxps://example[.]org/a[.]b");
        assert_eq!(defang("2001:db8::1"), "2001:db8::1");
    }
}

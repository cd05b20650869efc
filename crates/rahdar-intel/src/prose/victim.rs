//! Organisations and countries that a sentence names as victims.
//!
//! A name alone is none: it must stand where sentences put victims, in a sentence that speaks of
//! an attack.

use std::sync::LazyLock;

use regex::Regex;

use super::country;

/// An organisation: words with capitals, joined by small words.
const ORG: &str = r"(?P<org>[A-Z][A-Za-z0-9&-]*(?: (?:(?:of|for|and|the|de) )?[A-Z][A-Za-z0-9&-]*){0,5})";

/// Words of a sentence that speaks of an attack.
static ATTACK: LazyLock<Regex> = LazyLock::new(|| {
    crate::pattern(
        r"(?i)\b(target(s|ed|ing)?|attack(s|ed|ing)?|infiltrat\w+|compromis\w+|intrusions?|intruded|breach\w*|victims?|hacked|exfiltrat\w+|stole|stolen|infect\w+|espionage (campaign )?against|penetrat\w+|implant(s|ed)? (on|in)|communicating with)\b",
    )
});
/// Words for those who attack.
static ACTOR: LazyLock<Regex> = LazyLock::new(|| {
    crate::pattern(
        r"(?i)\b(groups?|actors?|apts?|clusters?|adversar\w+|hackers?|campaigns?|intrusions?|infiltrations?|operators?|attackers?|c2|command[- ]and[- ]control|activity)\b",
    )
});

/// The places of victims in sentences. Each holds `org`.
static PLACES: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    let noun = "(?:provider|operator|company|firm|ministry|agency|carrier|bank|university|organi[sz]ation|manufacturer|utility|airline|telco|ISP|victim|contractor|hospital|institute)";
    let server = "(?:(?:(?:e-?)?mail|web|file|Exchange|internal|corporate|database|domain) )*(?:server|servers|network|networks|systems|infrastructure|mailboxes|environment)";
    [
        // has targeted Example since
        r"(?:target(?:s|ed|ing)?|breach(?:ed|ing)|compromis(?:ed|ing)|infiltrat(?:ed|ing)|hacked(?: into)?|attack(?:ed|ing)|infected|penetrat(?:ed|ing)) (?:the )?ORG".to_owned(),
        // infiltrations of Example; the corporate mail server of major provider Example
        r"(?:infiltrations?|compromises?|intrusions?|breach(?:es)?|attacks?|targeting|hack|exploitation|victims?) (?:of|on|against|at|into|in|include[sd]?|including) (?:the )?(?:[a-z-]+ ){0,3}ORG".to_owned(),
        format!(r"{server} (?:belonging to|owned by|operated by|run by|of|at|inside) (?:the |a |an )?(?:[a-z-]+ ){{0,3}}ORG"),
        format!(r"{noun},? (?:called |named )?ORG"),
        format!(r"[Tt]he (?:same )?ORG(?:[’']s?)? {server}\b"),
        format!(r"ORG[’']s? {server}\b"),
        // Example, a major telecom provider
        format!(r"ORG, (?:a|an|the|one of) (?:[A-Za-z-]+ ){{0,4}}{noun}\b"),
    ]
    .iter()
    .map(|place| crate::pattern(&format!(r"\b{}", place.replace("ORG", ORG))))
    .collect()
});

/// First words of what is no victim: products, peoples' words, places larger than a country.
const NO_VICTIMS: &str = " A Access Active Africa All American An Android Apache Apple Asia Asian At August Microsoft Exchange \
    Windows Linux Outlook Office Internet VPN IT C2 APT The This These Those Its Their Our We It In On By And Advanced \
    Central East Eastern Europe European Latin Middle North Northern South Southeast Southern West Western January \
    February March April May June July September October November December Active-Directory Citrix Fortinet Ivanti \
    VMware Cisco Pulse Log4j Java Web SQL IP CVE Chinese-state ";

/// The victims in a sentence, in order, each once. `named`: whether it names who attacks.
pub(crate) fn victims(sentence: &str, named: bool, is_name: impl Fn(&str) -> bool) -> Vec<String> {
    if !ATTACK.is_match(sentence) {
        return Vec::new();
    }
    let mut found: Vec<(usize, String)> = Vec::new();
    for place in PLACES.iter() {
        for org in place.captures_iter(sentence).filter_map(|found| found.name("org")) {
            let name = tidy(org.as_str());
            if is_victim(name) && !is_name(name) && !is_product(&sentence[org.end()..]) {
                found.push((org.start(), name.to_owned()));
            }
        }
    }
    if named || ACTOR.is_match(sentence) {
        found.extend(countries(sentence));
    }
    found.sort();
    let mut names: Vec<String> = Vec::new();
    for (_, name) in found {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn tidy(name: &str) -> &str {
    let mut name = name.trim_end_matches(['-', '&', ' ']);
    // `Afghan Example` is Example, and of a country.
    while let Some((_, rest)) = name.split_once(' ').filter(|(first, _)| country::named(first).is_some()) {
        if rest.starts_with(|c: char| c.is_lowercase()) || rest.starts_with("Ministry") {
            break;
        }
        name = rest;
    }
    name
}

fn is_victim(name: &str) -> bool {
    let first = name.split(' ').next().unwrap_or_default();
    name.len() >= 3
        && !NO_VICTIMS.contains(&format!(" {first} "))
        && country::named(name).is_none()
        && country::named(first).is_none()
}

/// Whether what follows makes a name that of a product: `… vulnerabilities`.
fn is_product(after: &str) -> bool {
    static PRODUCT: LazyLock<Regex> = LazyLock::new(|| {
        crate::pattern(
            r"^(?: [a-z]+)? (vulnerabilit|flaw|bug|exploit|software|malware|backdoor|trojan|ransomware|researchers|group\b|cluster)",
        )
    });
    PRODUCT.is_match(after)
}

/// Nouns of victims, behind an adjective or before `in` and a country.
const VICTIM_NOUN: &str = r"(?:telecom\w*|provider|firm|compan(?:y|ies)|government|ministr(?:y|ies)|militar(?:y|ies)|organi[sz]ations?|agenc(?:y|ies)|banks?|networks?|entit(?:y|ies)|institutions?|targets?|victims?|officials?|diplomats?|embass(?:y|ies)|universit(?:y|ies)|operators?|carriers?|sector|infrastructure|businesses|hospitals?|contractors?|activists|dissidents|journalists)s?";

static COUNTRY: LazyLock<Regex> = LazyLock::new(|| crate::pattern(&format!(r"\b(?:{})", country::pattern())));
static ADJECTIVE: LazyLock<Regex> =
    LazyLock::new(|| crate::pattern(&format!(r"^(?:[’']s)? (?:[a-z-]+ ){{0,3}}{VICTIM_NOUN}\b")));
static LOCATED: LazyLock<Regex> = LazyLock::new(|| {
    crate::pattern(&format!(
        r"(?i)\b(?:{VICTIM_NOUN}\b[a-z ,-]{{0,24}} (?:in|across|within|throughout|of)|(?:target|attack|infiltrat|compromis)\w*(?: on| against| of)?|against)(?: the)? $"
    ))
});
static JOINED: LazyLock<Regex> =
    LazyLock::new(|| crate::pattern(r"^(?:,|,? and|,? or|,? as well as|, including)(?: the)? $"));
/// What follows a country that attacks.
static ATTACKER: LazyLock<Regex> = LazyLock::new(|| {
    crate::pattern(
        r"^(?:-(?:linked|backed|based|nexus|sponsored|aligned|speaking|state|government)|[- ](?:state|government|nation)[- ](?:sponsored|linked|backed|nexus|aligned|affiliated)|(?: [a-z-]+)? (?:threat|APT|hack\w+|actors?|espionage|adversar|cyber|intelligence|groups?)\b)",
    )
});

/// Countries in the places of victims.
fn countries(sentence: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let mut last_end = None;
    for name in COUNTRY.find_iter(sentence) {
        let (before, after) = (&sentence[..name.start()], &sentence[name.end()..]);
        if after.starts_with(|c: char| c.is_alphanumeric()) || ATTACKER.is_match(after) {
            continue;
        }
        let joined = last_end.is_some_and(|end| JOINED.is_match(&sentence[end..name.start()]));
        let Some(country) = country::named(name.as_str()) else { continue };
        let is_noun = name.as_str() == country;
        let located = is_noun && !after.starts_with(['’', '\'']) && LOCATED.is_match(tail(before));
        if joined || located || ADJECTIVE.is_match(after) && !by_them(before) {
            found.push((name.start(), country.to_owned()));
            last_end = Some(name.end());
        }
    }
    found
}

/// Whether what stands before makes the country the one who acts: `by the Russian military`.
fn by_them(before: &str) -> bool {
    [
        "by",
        "by the",
        "linked to",
        "linked to the",
        "tied to the",
        "behalf of the",
        "attributed to the",
        "of interest to",
        "backed by the",
    ]
    .iter()
    .any(|words| before.trim_end().ends_with(words))
}

/// The end of a text: as much as a place of a victim needs.
fn tail(text: &str) -> &str {
    &text[text.ceil_char_boundary(text.len().saturating_sub(80))..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(sentence: &str, expected: &[&str]) {
        assert_eq!(
            victims(sentence, sentence.contains("RedFoxtrot"), |name| name == "RedFoxtrot"),
            expected,
            "{sentence}"
        );
    }

    #[test]
    fn victims_stand_where_sentences_put_them() {
        check(
            "Calypso, which has targeted Roshan since at least July 2020, was first to target the Microsoft Exchange vulnerabilities.",
            &["Roshan"],
        );
        check(
            "It had seen four different Chinese threat groups targeting a mail server belonging to Example Net, a major telecom provider across Afghanistan.",
            &["Example Net", "Afghanistan"],
        );
        check(
            "The actors stole data from the corporate mail server of major Afghan telecom provider Roshan within the past year.",
            &["Afghanistan", "Roshan"],
        );
        check("It found two other infiltrations of Roshan’s mail server using tools of groups.", &["Roshan"]);
        check(
            "It identified RedFoxtrot activity targeting companies in Afghanistan as well as India, Pakistan, and Kazakhstan.",
            &["Afghanistan", "India", "Pakistan", "Kazakhstan"],
        );
        check("The group has targeted Mongolia and the Russian government.", &["Mongolia", "Russia"]);
        check(
            "Attackers breached the Ministry of Foreign Affairs of a state.",
            &["Ministry of Foreign Affairs"],
        );
    }

    #[test]
    fn bystanders_and_attackers_are_no_victims() {
        check("China-linked groups attacked a firm just as the United States left.", &[]);
        check("Roshan is a provider that operates throughout Afghanistan.", &[]);
        check("Chinese hackers attack telecoms in Asia and Europe.", &[]);
        check("The intrusion was conducted by the Russian military.", &[]);
    }
}

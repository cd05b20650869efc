//! Who says so, how sure they are, and for whom they say a group works.

use std::sync::LazyLock;

use regex::Regex;

use super::country;

/// A name of somebody who says something.
const WHO: &str = r"(?P<who>[A-Z][A-Za-z0-9]+(?: [A-Z][A-Za-z0-9]+){0,3})";
/// What they do.
const SAY: &str = "(?:said|says|told|report(?:s|ed)|observed|identif(?:ies|ied)|found|assess(?:es|ed)|attribut(?:es|ed)|link(?:s|ed)|not(?:es|ed)|believes?|explain(?:s|ed)|add(?:s|ed)|describ(?:es|ed)|notified|warn(?:s|ed)|tracks?|disclosed|wrote|discovered|detected|analy[sz]ed|concluded?)";

static SAYERS: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    [
        r"[Aa]ccording to (?:the |a |an |its |new )?(?:\w+ (?:by|from) )?WHO".to_owned(),
        r"(?:research|reports?|analysis|findings|post|article|advisory|paper|release) (?:by|from|of|published by) (?:the )?WHO".to_owned(),
        format!(r"WHO(?:[’']s?)?(?: (?:researchers|analysts|experts|team|threat intelligence|post|report|report’s authors))? (?:also |previously |recently |has |have |had |which )*{SAY}\b"),
        r"WHO(?:[’']s?)? (?:researchers|analysts|threat intelligence team)\b".to_owned(),
    ]
    .iter()
    .map(|text| crate::pattern(&format!(r"\b{}", text.replace("WHO", WHO))))
    .collect()
});

/// First words that are of nobody who says anything.
const NOBODY: &str = " The This That These Those It We They He She In On At As A An Our Both Some Several Four One Two \
    Researchers Analysts Chinese Russian Iranian Documents Attackers Governments While However Although When \
    Suspected China Russia Figure Table Microsoft Exchange APT Advanced Four Another ";

/// Whom a text names as the one who says it, in this order of ways; `is_name` tells names of
/// groups and malware, which say nothing.
pub(crate) fn sayer(text: &str, is_name: impl Fn(&str) -> bool) -> Option<String> {
    let named = |found: regex::Captures<'_>| {
        let who = found.name("who")?.as_str();
        let first = who.split(' ').next()?;
        let nobody =
            NOBODY.contains(&format!(" {first} ")) || country::named(first).is_some() || is_name(who);
        (!nobody).then(|| who.to_owned())
    };
    SAYERS.iter().find_map(|way| way.captures_iter(text).find_map(named))
}

/// Words of doubt and of assurance.
static WORDING: LazyLock<Regex> = LazyLock::new(|| {
    crate::pattern(
        r"(?i)\b(with (?:low|moderate|medium|high)(?: to (?:moderate|medium|high))? confidence|(?:low|moderate|medium|high)[- ]confidence|suspected|(?:highly |very |most )?likely|unlikely|probabl[ey]|possibl[ey]|potentially|may(?: have| be)|might|could(?: be| have)|appear(?:s|ed)?(?: to)?|apparent(?:ly)?|seems?|believed? to|thought to|allegedly|purported(?:ly)?|reportedly|consistent with|cannot confirm|could not connect|not attached to|unconfirmed|unclear|assess(?:es|ed)? that|confirmed|at least)\b",
    )
});
/// Words of doubt of one sentence that are kept; chosen here.
const WORDINGS_MAX: usize = 4;

/// The author's words for how sure a sentence is, in their order; empty if there are none.
pub(crate) fn wording(sentence: &str) -> Vec<&str> {
    let mut words: Vec<&str> = Vec::new();
    for found in WORDING.find_iter(sentence) {
        if words.len() < WORDINGS_MAX && !words.contains(&found.as_str()) {
            words.push(found.as_str());
        }
    }
    words
}

/// A relative clause up to the words of doubt in it: what it is about stands before.
static RELATIVE: LazyLock<Regex> = LazyLock::new(|| crate::pattern(r" (?:that|which|whom|who) [^,;:]*$"));

/// Words of doubt that stand in a relative clause about somebody else than `name`: of `A and B, as well
/// as two C clusters that nobody could connect to others`, only C is doubted. Whether a part of the sentence names
/// anybody, `is_naming` tells: a clause about nobody in particular is about all.
pub(crate) fn doubts_of_others<'s>(
    sentence: &'s str,
    name: &str,
    is_naming: impl Fn(&str) -> bool,
) -> Vec<&'s str> {
    let Some(at) = sentence.rfind(name) else { return Vec::new() };
    let is_of_others = |found: &regex::Match<'_>| {
        let before = &sentence[..found.start()];
        let Some(clause) = RELATIVE.find(before) else { return false };
        let head = before[..clause.start()].trim_end_matches([',', ' ']);
        let begin = head.rfind([',', ';', ':', '.']).map_or(0, |comma| comma + 1);
        at < begin && !sentence[at..begin].contains(". ") && is_naming(&head[begin..])
    };
    WORDING.find_iter(sentence).filter(is_of_others).map(|found| found.as_str()).collect()
}

/// Verbs that tie a group to somebody.
static TIE: LazyLock<Regex> = LazyLock::new(|| {
    crate::pattern(
        r"(?i)\b(?:link(?:s|ed|ing)?|attribut(?:es?|ed|ing)|ties?|tied|connect(?:s|ed)|ascrib(?:es|ed)|associat(?:es|ed)|affiliat(?:es|ed)|subordinate|on behalf|works? for|operat(?:es|ed|ing) (?:by|for|under|on behalf)|sponsored by|directed by|run by|part of|believed to be)\b",
    )
});
/// Organs of states that reports tie groups to; chosen here, from public indictments.
static ORGAN: LazyLock<Regex> = LazyLock::new(|| {
    crate::pattern(
        r"\b(?P<pla>PLA|People[’']s Liberation Army)\b|\b(?P<organ>GRU|FSB|SVR|MSS|MOIS|IRGC|Ministry of (?:State Security|Intelligence|Public Security|Defen[cs]e)|(?:[A-Z]\w+ )?State Security Department|Islamic Revolutionary Guard Corps|Reconnaissance General Bureau|Main (?:Intelligence )?Directorate|Strategic Support Force|Bureau 121)\b",
    )
});
static UNIT: LazyLock<Regex> = LazyLock::new(|| crate::pattern(r"\bUnit \d{3,6}\b"));

/// The organ or unit of a state that a sentence ties something to, and where that begins: `PLA
/// Unit 00000` for `a unit of the People’s Liberation Army, Unit 00000`.
pub(crate) fn organ(sentence: &str) -> Option<(usize, String)> {
    let tie = TIE.find(sentence)?;
    let after = &sentence[tie.end()..];
    let organ = ORGAN.captures(after);
    let unit = UNIT.find(after);
    let start = [
        organ.as_ref().and_then(|organ| organ.get(0)).map(|organ| organ.start()),
        unit.map(|unit| unit.start()),
    ];
    let start = tie.end() + start.into_iter().flatten().min()?;
    let organ = organ.map(|organ| match organ.name("organ") {
        Some(organ) => organ.as_str().to_owned(),
        None => "PLA".to_owned(),
    });
    let parts: Vec<&str> = organ.as_deref().into_iter().chain(unit.map(|unit| unit.as_str())).collect();
    Some((start, parts.join(" ")))
}

static STATE: LazyLock<Regex> = LazyLock::new(|| {
    crate::pattern(&format!(
        r"\b(?:(?i:suspected|likely|probable|possible|believed) )?(?P<country>{})(?:[- ](?:state|government|nation)(?:[- ]state)?[- ](?:sponsored|linked|backed|nexus|affiliated|aligned)|-(?:linked|nexus|backed|aligned|sponsored)|(?: [a-z-]+)? (?:APT|threat|hacking|espionage)(?: activity)? (?:group|actor)s?)",
        country::pattern()
    ))
});

/// The countries that a sentence calls sponsors of what follows, and where the words for it stand.
pub(crate) fn sponsors(sentence: &str) -> impl Iterator<Item = (std::ops::Range<usize>, &'static str)> {
    STATE.captures_iter(sentence).filter_map(|found| {
        let country = country::named(found.name("country")?.as_str())?;
        Some((found.get(0)?.range(), country))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubt_in_a_relative_clause_is_of_whom_it_is_about() {
        let sentence = "It was conducted by Calypso and RedFoxtrot, as well as two Winnti and PlugX clusters that \
                        researchers could not connect to others.";
        let others = |sentence, name| {
            doubts_of_others(sentence, name, |part| part.contains("PlugX") || part.contains("Calypso"))
        };
        assert_eq!(others(sentence, "Calypso"), ["could not connect"]);
        assert_eq!(others(sentence, "RedFoxtrot"), ["could not connect"]);
        assert!(others(sentence, "Winnti").is_empty() && others(sentence, "PlugX").is_empty());
        // Doubt about a word for the group itself, and of a whole sentence.
        assert!(others("Calypso, a group that is likely Chinese, was seen.", "Calypso").is_empty());
        assert!(others("Calypso and PlugX may be one.", "Calypso").is_empty());
    }

    fn check_sayer(text: &str, expected: Option<&str>) {
        assert_eq!(sayer(text, |name| name == "RedFoxtrot").as_deref(), expected, "{text}");
    }

    #[test]
    fn who_says_so_is_named_before_or_behind() {
        check_sayer("It was there, according to the Insikt post published Tuesday.", Some("Insikt"));
        check_sayer(
            "Data was stolen, according to new research from Recorded Future’s Insikt Group.",
            Some("Recorded Future"),
        );
        check_sayer(
            "Threat intelligence company Recorded Future reported on Tuesday that",
            Some("Recorded Future"),
        );
        check_sayer("That is so, Example Labs researchers said.", Some("Example Labs"));
        check_sayer("RedFoxtrot found a way. The report also linked it.", None);
    }

    #[test]
    fn organs_and_units_are_told_in_full() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(organ(text).map(|(_, organ)| organ).as_deref(), expected, "{text}")
        };
        check(
            "The report also linked the RedFoxtrot to a specific unit of the People’s Liberation Army, Unit 69010 located in Ürümqi.",
            Some("PLA Unit 69010"),
        );
        check("Threat Activity Group RedFoxtrot Linked to China’s PLA Unit 69010", Some("PLA Unit 69010"));
        check("The group is attributed to the GRU.", Some("GRU"));
        check("The unit of the GRU was tied to nobody.", None);
    }

    #[test]
    fn doubt_is_kept_in_the_words_of_the_author() {
        assert_eq!(
            wording("We assess with high confidence that it likely began in at least May."),
            ["with high confidence", "likely", "at least"]
        );
        assert_eq!(
            sponsors("linked to suspected Chinese state-sponsored group Calypso")
                .map(|(_, country)| country)
                .collect::<Vec<_>>(),
            ["China"]
        );
    }
}

//! Names of groups, clusters, malware and vulnerabilities in a sentence.
//!
//! What the book knows counts wherever it stands. What it does not know is told by the field's
//! ways of naming ([`crate::naming`]) and by the words around it: `groups known as …`, `a …
//! cluster`, `the backdoor …`. A tool is no group, and a cluster that is named for a tool is nobody.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::LazyLock;

use rahdar_model::intelligence::Cluster;
use regex::Regex;

use super::country;
use crate::assertion::{Assertion, Kind, Relation};
use crate::naming;

/// Names that are known before a report is read.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// By name in lower case: as it is written, and what it is.
    known: HashMap<String, (String, Kind)>,
    /// By the first word in lower case: how many words the longest name has.
    longest: HashMap<String, usize>,
    /// Names that this report itself has told to be some, as it writes them.
    told: HashSet<String>,
}

/// Words that one known name may have.
const NAME_WORDS: usize = 5;

/// Malware that several groups share and that reports name clusters for; chosen here, from MITRE
/// ATT&CK. An imported galaxy knows thousands.
const SHARED_MALWARE: [&str; 32] = [
    "AsyncRAT",
    "BazarLoader",
    "BEACON",
    "Brute Ratel",
    "Bumblebee",
    "China Chopper",
    "Cobalt Strike",
    "DarkComet",
    "Emotet",
    "FormBook",
    "Gh0st RAT",
    "Gh0stRAT",
    "IcedID",
    "Korplug",
    "Meterpreter",
    "Mimikatz",
    "njRAT",
    "NanoCore",
    "PlugX",
    "PoisonIvy",
    "Poison Ivy",
    "QakBot",
    "QuasarRAT",
    "Quasar RAT",
    "RedLine Stealer",
    "Remcos",
    "ShadowPad",
    "Sliver",
    "SystemBC",
    "TrickBot",
    "Winnti",
    "xCaon",
];

/// Vulnerabilities with names of their own; chosen here, from the press. The text gives others.
const NAMED_VULNERABILITIES: [&str; 20] = [
    "ProxyLogon",
    "ProxyShell",
    "ProxyNotShell",
    "ProxyToken",
    "Log4Shell",
    "Spring4Shell",
    "EternalBlue",
    "BlueKeep",
    "Zerologon",
    "ZeroLogon",
    "PrintNightmare",
    "Follina",
    "Heartbleed",
    "Shellshock",
    "Citrix Bleed",
    "CitrixBleed",
    "Looney Tunables",
    "PwnKit",
    "Dirty COW",
    "Ghostcat",
];

impl Names {
    /// What the clusters of a book, and what was asserted in it, know.
    pub fn of(clusters: &[Cluster], assertions: &[Assertion]) -> Self {
        let mut names = Self::default();
        for cluster in clusters {
            if cluster.named {
                names.learn(&cluster.name, Kind::Group);
            }
            cluster.tools.iter().for_each(|tool| names.learn(tool, Kind::Malware));
        }
        let mut aliases = Vec::new();
        for assertion in assertions {
            match assertion.relation {
                Relation::Is => {
                    if let Some(kind) = Kind::from_word(&assertion.object) {
                        names.learn(&assertion.subject, kind);
                    }
                }
                Relation::Uses => names.learn(&assertion.object, Kind::Malware),
                relation if relation.is_alias() => aliases.push(assertion),
                _ => {}
            }
        }
        for alias in aliases {
            if let Some(kind) = names.kind(&alias.subject) {
                names.learn(&alias.object, kind);
            }
        }
        names
    }

    /// What a name is known to be.
    pub fn kind(&self, name: &str) -> Option<Kind> {
        let known = self.known.get(&name.to_lowercase()).map(|(_, kind)| *kind);
        let shared =
            || SHARED_MALWARE.iter().any(|tool| tool.eq_ignore_ascii_case(name)).then_some(Kind::Malware);
        let vulnerability = || NAMED_VULNERABILITIES.contains(&name).then_some(Kind::Vulnerability);
        // Winnti is a group to some and a tool to others: as the name of a cluster it is a tool.
        shared().or(known).or_else(vulnerability)
    }

    /// The same names, and those that the report tells somewhere: they count in all of it.
    pub(super) fn with_told<'a>(&self, mentions: impl IntoIterator<Item = &'a Mention>) -> Self {
        let mut names = self.clone();
        for mention in mentions {
            // A cluster that is named for a tool does not make a group of it.
            if mention.kind != Kind::Cluster && names.kind(&mention.name).is_none() {
                names.learn(&mention.name, mention.kind);
                names.told.insert(mention.name.clone());
            }
        }
        names
    }

    fn learn(&mut self, name: &str, kind: Kind) {
        let name = name.trim();
        let words = name.split(' ').count();
        if name.len() < 3 || words > NAME_WORDS || kind == Kind::Cluster {
            return;
        }
        let first = name.split(' ').next().unwrap_or_default().to_lowercase();
        let longest = self.longest.entry(first).or_default();
        *longest = words.max(*longest);
        self.known.entry(name.to_lowercase()).or_insert_with(|| (name.to_owned(), kind));
    }
}

/// A name in a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mention {
    pub(crate) at: Range<usize>,
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// The malware that a cluster is named for.
    pub(crate) tool: Option<String>,
}

const NAME: &str =
    r"[A-Z][A-Za-z0-9]*(?:[.-][A-Z0-9][A-Za-z0-9]*)?(?: (?:[A-Z][a-z]+|[A-Z]{2,}|Strike|RAT|Ivy))?";
const LIST: &str = "(?P<list>NAME(?:(?:,? and |,? or |, )NAME)*)";

/// A way to tell names of one kind: the group `list` holds one name or several.
struct Way {
    kind: Kind,
    pattern: Regex,
    /// Whether headings, where all words have capitals, would fool it.
    sentences_only: bool,
}

static WAYS: LazyLock<Vec<Way>> = LazyLock::new(|| {
    let way = |kind, sentences_only, text: &str| {
        let pattern = crate::pattern(&text.replace("LIST", LIST).replace("NAME", NAME));
        Way { kind, pattern, sentences_only }
    };
    let malware = "(?:[Mm]alware|[Bb]ackdoors?|[Tt]rojans?|RATs?|[Ll]oaders?|[Ii]mplants?|[Dd]roppers?|[Dd]ownloaders?|[Rr]ansomware|[Ss]tealers?|[Rr]ootkits?|[Ww]eb ?shells?|[Bb]otnets?)";
    let called = "(?:known(?: publicly)?|tracked|referred to|identified|named|called|dubbed|designated)(?: as| to as)?";
    let who = "(?:[Gg]roups?|[Aa]ctors?|APTs?|[Aa]dversar(?:y|ies)|[Gg]angs?|[Ii]ntrusion sets?)";
    vec![
        // two different Winnti and PlugX activity clusters; a PlugX cluster
        way(Kind::Cluster, false, r"\bLIST(?: [Aa]ctivity| [Tt]hreat| [Ii]ntrusion)? [Cc]lusters?\b"),
        // the groups known as Calypso and RedFoxtrot
        way(Kind::Group, true, &format!(r"\b{who},? {called} LIST")),
        // we track as UNC0000, tracks this activity as Example
        way(
            Kind::Group,
            true,
            r"\btrack(?:s|ed|ing)?(?: (?:this|the|it))?(?: (?:threat )?(?:activity|group|actor|cluster|intrusion set))? as LIST",
        ),
        // another named APT group, RedFoxtrot; the state-sponsored group Calypso
        way(Kind::Group, true, &format!(r"\b{who},? (?P<list>NAME)\b")),
        // Calypso Advanced Persistent Threat (APT)
        way(
            Kind::Group,
            true,
            r"\b(?P<list>NAME) (?:Advanced Persistent Threat|(?:threat )?actors?\b|intrusion set)",
        ),
        // Example (aka Sample, Specimen)
        way(
            Kind::Group,
            true,
            r"\b(?:aka|a\.k\.a\.|[Aa]lso (?:known|tracked|called|referred to|named)(?: as)?) LIST",
        ),
        way(Kind::Malware, true, &format!(r"\b{malware}(?: famil(?:y|ies))?,?(?: {called})? LIST")),
        way(Kind::Malware, true, &format!(r"\b(?P<list>NAME) {malware}\b")),
        way(Kind::Vulnerability, false, r"\b(?P<list>CVE-\d{4}-\d{4,7})\b"),
        way(
            Kind::Vulnerability,
            false,
            &format!(
                r"\b(?:vulnerabilit(?:y|ies)|flaws?|bugs?|exploits?|exploit chain|issues?)(?: that (?:is|are)| collectively)?,? {called} LIST"
            ),
        ),
        // the ProxyLogon vulnerabilities
        way(
            Kind::Vulnerability,
            false,
            r"\b(?P<list>[A-Z][a-z0-9]+[A-Z][A-Za-z0-9]+) (?:vulnerabilit(?:y|ies)|flaws?|bugs?|exploits?|exploit chain)\b",
        ),
    ]
});

/// Words that are no names, wherever they stand, beside those of [`crate::naming`].
const NO_NAMES: &str = " A According Advanced Adobe After Although American An And Android Another APT APTs Apache Apple \
    Applications Are As Asia Asian At Based Because Before Between Both But By C2 Central Chinese Cisco CVE Cyber \
    Domain During Each Early East Eastern Europe European Exchange Figure File First Five For Four From Fortinet \
    Google Government Hadoop Hash Have Here How However I If In Indicators Infrastructure Insikt Intelligence \
    Internet IP IT It Its Java Kubernetes Linux Log Many May Microsoft Middle Ministry More Most MSS New No Not \
    Note Of Office On Once One Or Other Our Outlook Over Oracle Persistent PowerShell Previously Python RAT RATs \
    Ransomware Report Research Researchers Security See Server Several She Shell Since Six So Some South Southeast \
    State Table Team Telecom That The Their Then There These They This Those Threat Three Through To Two Type Unit \
    Until US VMware We Web Western What When Where Which While Who Windows With Within You ";

fn is_no_name(name: &str) -> bool {
    let word = name.split(' ').next().unwrap_or_default();
    let month = crate::date::span(&format!("{word} 2021")).is_some();
    name.len() < 3
        || month
        || NO_NAMES.contains(&format!(" {word} "))
        || country::named(name).is_some()
        || country::named(word).is_some()
}

/// Groups of people who attack nobody: `digital rights group`.
static OTHER_GROUP: LazyLock<Regex> = LazyLock::new(|| {
    crate::pattern(
        r"(?i)\b(rights|advocacy|research|trade|lobby|industry|media|news|working|consumer|telecom|holding|parent|business|civil|militant|terrorist|ethnic|insurgent|security|intelligence|user|press|aid) (group|team)s?,? ?$",
    )
});

/// Words around a known name of one common word that show it to be one.
static CONTEXT: LazyLock<Regex> = LazyLock::new(|| {
    crate::pattern(
        r"(?i)\b(apts?|groups?|actors?|malware|backdoors?|trojan|rats?|tools?|implants?|loaders?|campaigns?|clusters?|attribut\w+|state-sponsored|espionage|c2|command and control|infrastructure|ransomware|botnet|operators?|intrusions?|target(s|ed|ing)|attackers?)\b",
    )
});

/// Names of one sentence at most; chosen here: lists of aliases are shorter.
const MENTIONS_MAX: usize = 64;

/// The names in a sentence, in order, none inside another.
pub(crate) fn mentions(sentence: &str, heading: bool, names: &Names) -> Vec<Mention> {
    let mut found: Vec<Mention> = Vec::new();
    let mut add = |at: Range<usize>, name: String, kind: Kind, tool: Option<String>| {
        let overlaps = found.iter().any(|mention| mention.at.start < at.end && at.start < mention.at.end);
        if !overlaps && found.len() < MENTIONS_MAX {
            found.push(Mention { at, name, kind, tool });
        }
    };
    for way in WAYS.iter().filter(|way| !(heading && way.sentences_only)) {
        for list in way.pattern.captures_iter(sentence).filter_map(|found| found.name("list")) {
            if way.kind == Kind::Group && OTHER_GROUP.is_match(&sentence[..list.start()]) {
                continue;
            }
            for (at, name) in listed(sentence, list.range(), names) {
                match way.kind {
                    Kind::Cluster => {
                        let tool = (names.kind(&name) == Some(Kind::Malware)).then(|| name.clone());
                        // `the UNC0000 cluster` is a group by its own name.
                        let group = tool.is_none()
                            && (names.kind(&name) == Some(Kind::Group) || naming::in_text(&name).is_some());
                        match group {
                            true => add(at, name, Kind::Group, None),
                            false => add(at, format!("{name} cluster"), Kind::Cluster, tool),
                        }
                    }
                    // What is known wins over the words around it.
                    kind => {
                        let kind = match (kind, names.kind(&name)) {
                            (Kind::Group | Kind::Malware, Some(known)) => known,
                            _ => kind,
                        };
                        add(at, name, kind, None);
                    }
                }
            }
        }
    }
    for (at, name) in naming::all_in_text(sentence) {
        if !name.to_lowercase().ends_with(" cluster") && !is_no_name(&name) {
            add(at, name, Kind::Group, None);
        }
    }
    for (at, name, kind) in known(sentence, names) {
        add(at, name, kind, None);
    }
    found.sort_by_key(|mention| mention.at.start);
    found
}

/// The names of an enumeration, each with its place.
fn listed(sentence: &str, list: Range<usize>, names: &Names) -> Vec<(Range<usize>, String)> {
    let mut parts = Vec::new();
    let mut at = list.start;
    for part in
        sentence[list].split_inclusive([',', ' ']).map(|part| (part, part.trim_end_matches([',', ' '])))
    {
        let (whole, word) = part;
        let start = at;
        at += whole.len();
        if matches!(word, "and" | "or" | "") {
            parts.push(None);
            continue;
        }
        parts.push(Some((start..start + word.len(), whole.ends_with(','))));
    }
    let mut found = Vec::new();
    let mut current: Option<Range<usize>> = None;
    let mut close = |current: &mut Option<Range<usize>>| {
        if let Some(range) = current.take() {
            let mut range = range;
            let mut name = &sentence[range.clone()];
            // `Two PlugX`: a word that is no name before one that is.
            while let Some((first, rest)) = name.split_once(' ').filter(|(first, _)| is_no_name(first)) {
                range.start += first.len() + 1;
                name = rest;
            }
            // `Calypso Advanced`: the name ends where it is known or where no name goes on.
            if let Some((first, second)) = name.split_once(' ')
                && names.kind(name).is_none()
                && (is_no_name(second) || names.kind(first).is_some())
            {
                range.end = range.start + first.len();
                name = first;
            }
            if !is_no_name(name) {
                found.push((range, name.trim_end_matches('.').to_owned()));
            }
        }
    };
    for part in parts {
        match part {
            Some((range, ends)) => {
                current = Some(current.map_or(range.clone(), |current| current.start..range.end));
                if ends {
                    close(&mut current);
                }
            }
            None => close(&mut current),
        }
    }
    close(&mut current);
    found
}

/// The known names in a sentence, the longest first at each place.
fn known(sentence: &str, names: &Names) -> Vec<(Range<usize>, String, Kind)> {
    let divides = |c: char| !(c.is_alphanumeric() || c == '-' || c == '.' || c == '_');
    let mut words: Vec<Range<usize>> = Vec::new();
    let mut at = 0;
    for word in sentence.split(divides) {
        let trimmed = word.trim_end_matches(['.', '-']);
        if !trimmed.is_empty() {
            words.push(at..at + trimmed.len());
        }
        at += word.len();
        at += sentence[at..].chars().next().map_or(0, char::len_utf8);
    }
    let context = CONTEXT.is_match(sentence);
    let mut found = Vec::new();
    let mut i = 0;
    while i < words.len() {
        let first = sentence[words[i].clone()].to_lowercase();
        let most = names.longest.get(&first).copied().unwrap_or(0).max(2).min(words.len() - i);
        let hit = (1..=most).rev().find_map(|count| {
            let at = words[i].start..words[i + count - 1].end;
            let text = &sentence[at.clone()];
            let kind = names.kind(text)?;
            let meant = names.told.contains(text) || is_written_as_name(text, context, i == 0);
            meant.then(|| (at, text.to_owned(), kind, count))
        });
        match hit {
            Some((at, text, kind, count)) => {
                found.push((at, text, kind));
                i += count;
            }
            None => i += 1,
        }
    }
    found
}

/// Whether a text that has the form of a known name is meant as one: `Tick` may be a word.
fn is_written_as_name(text: &str, context: bool, first: bool) -> bool {
    let capitals = text.chars().filter(|c| c.is_uppercase()).count();
    let odd = capitals > 1 || text.contains(|c: char| c.is_ascii_digit());
    odd || (capitals == 1 && text.starts_with(char::is_uppercase) && context && !first && !is_no_name(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(sentence: &str, expected: &[(&str, Kind)]) {
        let mut names = Names::default();
        names.learn("Tick", Kind::Group);
        names.learn("Nomad Panda", Kind::Group);
        let found = mentions(sentence, false, &names);
        let found: Vec<_> = found.iter().map(|mention| (mention.name.as_str(), mention.kind)).collect();
        assert_eq!(found, expected, "{sentence}");
    }

    #[test]
    fn groups_clusters_and_tools_are_told_apart() {
        use Kind::{Cluster, Group, Malware};
        check(
            "The attacks were conducted by the groups known as Calypso and RedFoxtrot, as well as two different Winnti and PlugX activity clusters that researchers saw.",
            &[
                ("Calypso", Group),
                ("RedFoxtrot", Group),
                ("Winnti cluster", Cluster),
                ("PlugX cluster", Cluster),
            ],
        );
        check(
            "One involved a PlugX cluster and the other involved a Winnti cluster, the latter of which grew.",
            &[("PlugX cluster", Cluster), ("Winnti cluster", Cluster)],
        );
        check(
            "It was linked to suspected Chinese state-sponsored group Calypso Advanced Persistent Threat (APT).",
            &[("Calypso", Group)],
        );
        check(
            "infrastructure of another named suspected Chinese APT group, RedFoxtrot, from March",
            &[("RedFoxtrot", Group)],
        );
        check("The UNC9999 cluster used ShadowPad.", &[("UNC9999", Group), ("ShadowPad", Malware)]);
        check("activity that we track as Example Weasel", &[("Example Weasel", Group)]);
        check(
            "It dropped a new backdoor called SnakeKeg and the TinyKeg loader.",
            &[("SnakeKeg", Malware), ("TinyKeg", Malware)],
        );
        check("Infrastructure of the group Tick was seen.", &[("Tick", Group)]);
        check("Infrastructure of Nomad Panda.", &[("Nomad Panda", Group)]);
    }

    #[test]
    fn vulnerabilities_have_numbers_and_names() {
        use Kind::Vulnerability;
        check(
            "It exploited the Microsoft Exchange vulnerabilities known as ProxyLogon.",
            &[("ProxyLogon", Vulnerability)],
        );
        check(
            "It exploited CVE-2021-26855 and the ProxyDoor flaw.",
            &[("CVE-2021-26855", Vulnerability), ("ProxyDoor", Vulnerability)],
        );
    }

    #[test]
    fn words_are_no_names() {
        check("The group The Chinese Government targets runs a Kubernetes cluster in Asia.", &[]);
        check("This threat cluster and other groups in May.", &[]);
        check("A tick of the clock.", &[]);
    }
}

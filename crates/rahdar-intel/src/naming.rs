//! Names of clusters in headings, file names and folders, by the field's ways of naming.
//!
//! A name found so is a guess about whose list it is; a reading always says where it came from.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

/// The ways of naming, each with examples. The first group is the name; the leftmost name of a
/// text wins, and of two at one place the earlier way.
const WAYS: [&str; 8] = [
    // APT41, UNC2452, TA428, FIN7, TAG-22, DEV-0537, Storm-0558, UAC-0010, APT-C-36
    r"\b((?:APT-C|APT|UNC|TA|FIN|ATK|ITG|UTA|TAG|DEV|Storm|STORM|UAC|UAT|TG|CL-[A-Z]{3})[- ]?\d{1,6})\b",
    // RedFoxtrot, BlueBravo: a colour and a letter of the radio alphabet (Recorded Future)
    r"(?i)\b((?:red|blue|green|gr[ae]y|purple|orange|yellow|dark|white)(?:alpha|bravo|charlie|delta|echo|foxtrot|golf|hotel|india|juliett?|kilo|lima|mike|november|oscar|papa|quebec|romeo|sierra|tango|uniform|victor|whiskey|xray|yankee|zulu))\b",
    // TEMP.Trident (FireEye)
    r"\b(TEMP\.[A-Z][a-z]+)\b",
    // Mustang Panda, Fancy Bear (CrowdStrike); Volt Typhoon, Seashell Blizzard (Microsoft)
    r"\b([A-Z][a-z]+ (?:Panda|Bear|Kitten|Spider|Chollima|Buffalo|Leopard|Crane|Jackal|Saiga|Typhoon|Blizzard|Sandstorm|Sleet|Tempest|Tsunami))\b",
    // BRONZE MEDLEY, IRON RITUAL (Secureworks)
    r"\b((?:BRONZE|IRON|COBALT|GOLD|NICKEL) [A-Z]{4,})\b",
    // PlugX cluster
    r"\b([A-Z][A-Za-z0-9]+ [Cc]luster)\b",
    // Calypso APT, Turla Group
    r"\b([A-Z][A-Za-z0-9]+(?: [A-Z][a-z0-9]+)?) (?:APT|[Gg]roup)\b",
    // Activity Group Calypso, Threat Actor Gamaredon
    r"\b(?:[Tt]hreat [Aa]ctor|[Aa]ctivity [Gg]roup|[Tt]hreat [Gg]roup|[Ii]ntrusion [Ss]et|APT [Gg]roup)[: ]+([A-Z][A-Za-z0-9]+)\b",
];

static PATTERNS: LazyLock<Vec<Regex>> =
    LazyLock::new(|| WAYS.iter().map(|way| crate::pattern(way)).collect());

/// Words that stand where a name would and are none.
const NO_NAMES: &str = "a activity actor advanced adversary an apt attack belarusian campaign chinese \
    criminal cyber domains east espionage group hacking indian indicators insikt intelligence iranian \
    israeli korean malware nation new north other pakistani ransomware research russian sponsored state \
    suspected teddy the this threat turkish unknown vietnamese year";

/// Octets of a text that are searched for a name; chosen here: headings are shorter.
const TEXT_MAX: usize = 1_000;

/// Words that make what stands before them a tool.
static TOOL: LazyLock<Regex> = LazyLock::new(|| {
    crate::pattern(
        r"(?i)^ (backdoor|malware|trojan|tool|loader|implant|rat|framework|ransomware|stealer|botnet)",
    )
});

/// The name of a cluster in a heading or a line of text.
pub(crate) fn in_text(text: &str) -> Option<String> {
    let text = &text[..text.floor_char_boundary(TEXT_MAX)];
    all_in_text(text).min_by_key(|(at, _)| at.start).map(|(_, name)| name)
}

/// Every name of a cluster in a text, and where it stands; those of an earlier way of naming first.
pub(crate) fn all_in_text(text: &str) -> impl Iterator<Item = (Range<usize>, String)> {
    let candidates = PATTERNS.iter().flat_map(move |pattern| pattern.captures_iter(text));
    // `the ShadowPad APT backdoor` is a tool.
    let of_a_group =
        candidates.filter(move |c| !c.get(0).is_some_and(|whole| TOOL.is_match(&text[whole.end()..])));
    let named = of_a_group.filter_map(|c| c.get(1)).filter(|name| is_name(name.as_str()));
    named.map(|name| (name.range(), tidy(name.as_str())))
}

/// The name of a cluster in the name of a file or a folder, where words hang together by `_` and
/// case is lost: `apt_calypso.txt`, `cobaltstrike_ta428.csv`.
pub(crate) fn in_file_name(name: &str) -> Option<String> {
    static LOWER: LazyLock<Regex> =
        LazyLock::new(|| crate::pattern(r"\b(apt|unc|ta|tag|fin)[- ]?(\d{1,6})\b"));
    let stem = name
        .rsplit_once('.')
        .map_or(name, |(stem, extension)| if extension.len() <= 4 { stem } else { name });
    let spaced = stem.replace('_', " ");
    if let Some(found) = in_text(&spaced) {
        return Some(found);
    }
    if let Some(parts) = LOWER.captures(&spaced) {
        return Some(tidy(&format!("{} {}", parts[1].to_uppercase(), &parts[2])));
    }
    let rest = spaced.strip_prefix("apt ")?.trim();
    let named = !rest.is_empty() && rest.starts_with(|c: char| c.is_alphabetic()) && rest != "unclassified";
    named.then(|| rest.to_owned())
}

fn is_name(name: &str) -> bool {
    // `TA0011` is a tactic of ATT&CK; COBALT STRIKE is a tool.
    let tactic = name.starts_with("TA00") && name.len() == 6;
    let numbered = name.contains(|c: char| c.is_ascii_digit());
    let words_are_names =
        name.split(' ').all(|word| !NO_NAMES.split(' ').any(|no| word.eq_ignore_ascii_case(no)));
    (numbered || words_are_names) && !tactic && !name.eq_ignore_ascii_case("cobalt strike")
}

/// One spelling for a name with a number: `APT 29` is `APT29`, `TAG 22` is `TAG-22`.
fn tidy(name: &str) -> String {
    let Some((prefix, number)) =
        name.split_once([' ', '-']).filter(|(_, n)| n.bytes().all(|b| b.is_ascii_digit()))
    else {
        return name.to_owned();
    };
    let joined = ["APT", "UNC", "TA", "FIN", "ATK", "ITG", "UTA"].contains(&prefix);
    format!("{prefix}{}{number}", if joined { "" } else { "-" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, name: Option<&str>) {
        assert_eq!(in_text(text).as_deref(), name, "{text}");
    }

    #[test]
    fn names_are_found_as_the_field_writes_them() {
        check("Threat Activity Group RedFoxtrot Linked to a Unit; Targets Countries", Some("RedFoxtrot"));
        check("Suspected Chinese Group Calypso APT Exploiting Servers", Some("Calypso"));
        check("Chinese State-Sponsored Activity Group TAG-22 Targets Telecoms", Some("TAG-22"));
        check("BlueCharlie, Previously Tracked as TAG-53, Continues", Some("BlueCharlie"));
        check("China-linked TA428 Continues to Target Companies", Some("TA428"));
        check("Turla Group", Some("Turla"));
        check("APT 29 servers", Some("APT29"));
        check("IRON RITUAL domains", Some("IRON RITUAL"));
        check("Infrastructure of Volt Typhoon", Some("Volt Typhoon"));
        check("C2 of the PlugX cluster", Some("PlugX cluster"));
        check("TEMP.Trident", Some("TEMP.Trident"));
        check("Threat Actor: Gamaredon", Some("Gamaredon"));
    }

    #[test]
    fn descriptions_and_tools_are_no_names() {
        for text in [
            "Multi-year Chinese APT Campaign Targets Academics",
            "Chinese State-Sponsored Group adopts new tools",
            "COBALT STRIKE",
            "Command and Control (TA0011)",
            "RedLine Stealer",
            "Study of the ShadowPad APT backdoor",
            "Teddy Bear",
            "C2 Domains:",
            "Insikt Group",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn file_names_lose_case_and_gain_underscores() {
        let check = |file, name: Option<&str>| assert_eq!(in_file_name(file).as_deref(), name, "{file}");
        check("apt_calypso.txt", Some("calypso"));
        check("apt_41.txt", Some("APT41"));
        check("apt_ta428.txt", Some("TA428"));
        check("cobaltstrike_luckymouse_ta428.csv", Some("TA428"));
        check("Calypso APT - March 2021", Some("Calypso"));
        check("redfoxtrot.txt", Some("redfoxtrot"));
        check("TAG-38 Indicators.csv", Some("TAG-38"));
        check("agenttesla.txt", None);
        check("Indicators", None);
    }
}

//! Lists as analysts publish them: indicators, more or less one a line, under headings.

use std::collections::HashSet;
use std::sync::LazyLock;

use rahdar_model::Window;
use rahdar_model::intelligence::{HostClass, Indicator, WindowBasis};
use regex::Regex;

use crate::benign::{Matching, lists, resolvers};
use crate::date::{self, Span};
use crate::draft::{Draft, Terms};
use crate::find::{Endpoint, Found, Names, What, find, is_of_certificate};
use crate::naming;
use crate::reading::{Format, LINE_MAX, Origin, ReadError, ReadOptions, Reading, Reason};
use crate::refang::{Refanged, refang};
use crate::source::Source;

/// Reads a list.
pub(crate) fn read(source: &Source, text: &str, options: &ReadOptions) -> Result<Reading, ReadError> {
    let draft = Draft::new(Format::List, &source.shown, options);
    let mut reader = Reader::new(source, draft, text.lines().take(DEFANG_LINES).any(defangs));
    reader.harmless = lists::class(&source.shown);
    for (i, line) in text.lines().enumerate() {
        reader.line(i + 1, line);
    }
    reader.draft.finish()
}

/// A heading and what follows from it for the lines below.
struct Section {
    level: u8,
    window: Option<Span>,
    cluster: Option<String>,
    /// The name of a tool, if the heading is nothing but a name.
    tool: Option<String>,
    /// Whether it heads references, whose names are of publishers.
    references: bool,
    /// Whether hashes under it are of certificates.
    certificates: bool,
}

/// The level of the first line of a file, if other headings follow it at once.
const TITLE: u8 = 0;
/// The level of `C2 domains:`.
const COLON: u8 = 7;
/// The level of `PlugX`.
const PLAIN: u8 = 8;
/// The lines before the first indicator that are searched for a name.
const LINES_ABOVE: usize = 12;
/// The longest plain heading, in words and in octets; longer lines are prose.
const HEADING_WORDS: usize = 14;
const HEADING_OCTETS: usize = 160;
/// The longest note beside an indicator that is searched for a date, in octets.
const NOTE_OCTETS: usize = 100;

/// Lines searched for defanged names, to learn whether the author defangs what is hostile.
const DEFANG_LINES: usize = 10_000;

/// Hosts that a report refers to, or that are known to everyone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct References {
    /// Registrable domains.
    domains: HashSet<String>,
}

/// Registrable domains that reports name and that are known to be harmless unless an author defangs
/// them; chosen here.
const WELL_KNOWN: &str = " facebook.com twitter.com x.com t.co linkedin.com youtube.com youtu.be instagram.com reddit.com \
    medium.com google.com googleapis.com gstatic.com goo.gl microsoft.com windows.com live.com office.com \
    windowsupdate.com apple.com icloud.com amazon.com cloudflare.com github.com githubusercontent.com gitlab.com \
    wikipedia.org archive.org w3.org schema.org mitre.org nist.gov cisa.gov cert.org first.org virustotal.com \
    urlscan.io shodan.io censys.io abuse.ch malpedia.fraunhofer.de any.run hybrid-analysis.com joesandbox.com \
    alienvault.com exploit-db.com mozilla.org gravatar.com wordpress.com wordpress.org googletagmanager.com \
    doubleclick.net hubspot.com mailchimp.com onetrust.com cookielaw.org creativecommons.org adobe.com ";

impl References {
    /// The domains of these hosts.
    pub(crate) fn of(hosts: &[String]) -> Self {
        Self { domains: hosts.iter().map(|host| registrable(host)).collect() }
    }

    fn hold(&self, endpoint: &Endpoint) -> bool {
        let host = match &endpoint.indicator {
            Indicator::Domain(domain) => domain.clone(),
            Indicator::Url(url) => crate::name::url_host(url).unwrap_or_default(),
            Indicator::Network(network) => {
                return network.is_host() && resolvers::fact(network.first()).is_some();
            }
            Indicator::Hash(..) | Indicator::Certificate(_) => return false,
        };
        let domain = registrable(&host);
        WELL_KNOWN.contains(&format!(" {domain} ")) || self.domains.contains(&domain)
    }
}

/// The registrable domain of a host; the host itself if it has none.
fn registrable(host: &str) -> String {
    psl::domain_str(host).unwrap_or(host).to_owned()
}

/// What stood on the line before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    /// Nothing, or anything without consequence.
    Nothing,
    /// A comment, which the next comment continues.
    Comment,
    /// Prose, which the next line continues.
    Prose,
    /// A header of a mail, which an indented line continues.
    MailHeader,
}

/// The lines of a list, or the parts of a report, one after the other.
pub(crate) struct Reader<'a> {
    source: &'a Source,
    /// What was read so far.
    pub(crate) draft: Draft<'a>,
    sections: Vec<Section>,
    published: Option<Window>,
    /// The name that stands above, wherever it stood.
    named_above: Option<(String, Origin)>,
    lines_above: usize,
    begun: bool,
    before: Before,
    /// Whether the author defangs: what is not defanged is then no hostile URL.
    defangs: bool,
    /// Hosts that are no indicators unless they are defanged.
    references: Option<&'a References>,
    /// The window that the sentence gives.
    said: Option<Window>,
    /// What the addresses are, if the list is of harmless hosts.
    harmless: Option<HostClass>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(source: &'a Source, draft: Draft<'a>, defangs: bool) -> Self {
        Self {
            source,
            draft,
            sections: Vec::new(),
            published: None,
            named_above: None,
            lines_above: 0,
            begun: false,
            before: Before::Nothing,
            defangs,
            references: None,
            said: None,
            harmless: None,
        }
    }

    /// The parts of a report that was published then; these hosts are references.
    pub(crate) fn of_report(
        source: &'a Source,
        draft: Draft<'a>,
        published: Option<Window>,
        defangs: bool,
        references: &'a References,
    ) -> Self {
        Self { published, references: Some(references), ..Self::new(source, draft, defangs) }
    }

    /// A heading of a report.
    pub(crate) fn heading(&mut self, level: u8, text: &str) {
        self.begun = true;
        self.open(level, text);
    }

    /// A sentence, a cell or an item of a report. `about`: whose it is, by the text around it;
    /// `said`: when, by the same; `running`: it is text, in which a bare name is no indicator.
    pub(crate) fn part(
        &mut self,
        place: &str,
        text: &str,
        about: Option<&str>,
        said: Option<Window>,
        running: bool,
    ) {
        self.named_above = about.map(|name| (name.to_owned(), Origin::Sentence));
        self.said = said;
        let content = refang(text);
        let found = find(&content, Names::Known);
        if !found.is_empty() {
            let alone = outside(&content, &found).all(|text| !text.contains(|c: char| c.is_alphabetic()));
            let alone = alone && found.len() == 1;
            self.indicators(place, text, &content, found, alone, running);
        }
    }

    fn line(&mut self, number: usize, line: &str) {
        let place = format!("line {number}");
        if line.len() > LINE_MAX {
            return self.draft.refuse(&place, &line[..line.floor_char_boundary(80)], Reason::LongLine);
        }
        let indented = line.starts_with([' ', '\t']);
        let line = line.trim();
        let before = std::mem::replace(&mut self.before, Before::Nothing);
        if line.is_empty() {
            return;
        }
        if let Some((level, text)) = marked_heading(line) {
            self.before = Before::Comment;
            return self.comment(level, text, before == Before::Comment);
        }
        if MAIL_HEADER.is_match(line) || (indented && before == Before::MailHeader) {
            // Relays carry the mail of everyone: they are no infrastructure of anyone.
            self.before = Before::MailHeader;
            return self.draft.set_aside("mail header");
        }
        let content = refang(without_comment(line));
        let found = find(&content, Names::Known);
        let sole = outside(&content, &found).all(|text| !text.contains(|c: char| c.is_alphabetic()));
        let speaks = |found: &Found| !matches!(found.what, What::Doubtful(_)) || sole;
        if !found.iter().any(speaks) {
            return self.text(line);
        }
        let alone = sole && found.len() == 1;
        self.indicators(&place, line, &content, found, alone, before == Before::Prose);
    }

    /// A line that a sign marks as a heading or a comment.
    fn comment(&mut self, level: u8, text: &str, continues: bool) {
        let refanged = refang(text);
        let named = find(&refanged, Names::Known);
        if named.iter().any(|found| !matches!(found.what, What::Doubtful(_))) {
            // A reference, or an indicator that someone took out: neither heads anything.
            return self.look_above(text);
        }
        let top = self.sections.last().filter(|top| continues && top.level == level);
        let above = top.map(|top| (top.window, top.cluster.clone(), top.certificates));
        self.open(level, text);
        if let (Some((window, cluster, certificates)), Some(top)) = (above, self.sections.last_mut()) {
            top.certificates |= certificates;
            top.window = top.window.or(window);
            top.cluster = top.cluster.take().or(cluster);
        }
    }

    /// A line without indicators: a heading, or prose.
    fn text(&mut self, line: &str) {
        let heading = line.trim_matches(['*', '_', '-', '=', '~', ' ', '"']);
        let level = if heading.ends_with(':') { COLON } else { PLAIN };
        let title = self.sections.is_empty() && !self.begun;
        if is_bullet(line) || !is_heading(heading, title) {
            self.before = if line.ends_with(':') { Before::Nothing } else { Before::Prose };
            return self.look_above(line);
        }
        self.open(level, heading);
        if let Some(name) = self.sections.last().and_then(|section| section.cluster.clone()) {
            // Plain headings have no levels: a name stands until another is named.
            self.named_above = Some((name, Origin::Heading));
        }
    }

    fn look_above(&mut self, text: &str) {
        self.lines_above += 1;
        if !self.begun && self.lines_above <= LINES_ABOVE && self.named_above.is_none() {
            self.named_above = naming::in_text(text).map(|name| (name, Origin::FirstLines));
        }
    }

    /// A heading that others follow before any indicator is the title of all below. One date in a
    /// title says when the list was published.
    fn entitle(&mut self, level: u8) {
        let [only] = self.sections.as_mut_slice() else { return };
        if self.begun || (only.level < COLON && level <= only.level) {
            return;
        }
        if only.level >= COLON {
            only.level = TITLE;
        }
        if only.window.is_some_and(|span| span.single) {
            self.published = self.published.or(only.window.take().map(|span| span.window));
        }
    }

    fn open(&mut self, level: u8, text: &str) {
        self.entitle(level);
        let dated = !COPYRIGHT.is_match(text);
        let span = date::span(text).filter(|_| dated);
        let mut section = Section {
            level,
            window: span,
            cluster: naming::in_text(text),
            tool: tool_name(level, text),
            references: REFERENCES.is_match(text),
            certificates: is_of_certificate(text),
        };
        if PUBLICATION.is_match(text)
            && let Some(span) = section.window.take()
        {
            self.published = self.published.or(Some(span.window));
        }
        self.sections.retain(|above| above.level < level);
        self.sections.push(section);
    }

    /// A line with indicators. `alone`: nothing else stands on it; `continued`: it goes on with
    /// the prose before it.
    fn indicators(
        &mut self,
        place: &str,
        line: &str,
        content: &Refanged,
        found: Vec<Found>,
        alone: bool,
        continued: bool,
    ) {
        self.begun = true;
        let references = self.sections.iter().any(|section| section.references);
        let mut entry = !references && !continued && is_entry(&content.text[..found[0].start]);
        let first_is_entry = entry;
        let mut terms = self.terms(place);
        let noted = note_window(content, &found).filter(|_| first_is_entry);
        if let Some(window) = noted.or(self.said) {
            terms.window = Some((window, WindowBasis::Stated));
        }
        let mut last_end = 0;
        for (i, found) in found.into_iter().enumerate() {
            let gap = content.text.get(last_end..found.start).unwrap_or_default();
            entry &= i == 0 || joins(gap);
            last_end = found.end;
            match found.what {
                What::Endpoint(endpoint) => {
                    let is_hash = matches!(endpoint.indicator, Indicator::Hash(..));
                    let url = matches!(endpoint.indicator, Indicator::Url(_));
                    let bare = bare_name(&endpoint) && (!entry || url && self.defangs);
                    let reference = self.references.is_some_and(|references| references.hold(&endpoint));
                    if !found.defanged && (bare || reference) {
                        continue;
                    }
                    self.claim(endpoint, &terms);
                    // What follows a hash on its line is the name of the file.
                    entry &= !is_hash;
                }
                What::Wrong(reason) => {
                    self.draft.refuse(place, &content.text[found.start..found.end], reason)
                }
                What::Doubtful(reason) if alone => self.draft.refuse(place, line, reason),
                What::Doubtful(_) => {}
                What::Aside(kind) => self.draft.set_aside(kind),
            }
        }
    }

    fn claim(&mut self, endpoint: Endpoint, terms: &Terms) {
        if let Some(class) = self.harmless {
            return match endpoint.indicator {
                Indicator::Network(network) => self.draft.fact(network, class, terms),
                Indicator::Domain(name) => self.draft.note(Matching::Above(name), terms),
                _ => self.draft.set_aside("entry of a list of harmless hosts"),
            };
        }
        let endpoint = match &endpoint.indicator {
            Indicator::Hash(_, digits)
                if self.sections.last().is_some_and(|section| section.certificates) =>
            {
                match Indicator::certificate(digits) {
                    Some(indicator) => Endpoint { indicator, ..endpoint },
                    None => return self.draft.set_aside("other hash of a certificate"),
                }
            }
            _ => endpoint,
        };
        let tool = self.sections.last().and_then(|section| section.tool.clone());
        match tool.filter(|_| matches!(endpoint.indicator, Indicator::Hash(..))) {
            Some(tool) => self.draft.claim(endpoint, &Terms { tools: vec![tool], ..terms.clone() }),
            None => self.draft.claim(endpoint, terms),
        }
    }

    /// What the headings above and the name of the file say.
    fn terms(&self, place: &str) -> Terms {
        let window = self.sections.iter().rev().find_map(|section| section.window);
        let below_title = self.sections.iter().rev().filter(|section| section.level != TITLE);
        let heading = below_title.filter_map(|section| section.cluster.clone()).next();
        let cluster = heading
            .map(|name| (name, Origin::Heading))
            .or_else(|| self.named_above.clone())
            .or_else(|| self.source.cluster.clone());
        Terms {
            place: place.to_owned(),
            window: window.map(|span| (span.window, WindowBasis::Heading)),
            published: self.published.or(self.source.published),
            cluster,
            ..Terms::default()
        }
    }
}

/// Headings that speak of the file's own date.
static PUBLICATION: LazyLock<Regex> = LazyLock::new(|| {
    crate::pattern(
        r"(?i)\b(generated|updated?|modified|published|created|released|retrieved|list version|drop list|as of)\b",
    )
});
/// Headings whose years are no window.
static COPYRIGHT: LazyLock<Regex> =
    LazyLock::new(|| crate::pattern(r"(?i)copyright|©|\(c\)|licen[cs]e|\bCVE-|rights reserved|expires"));
/// Headings of references.
static REFERENCES: LazyLock<Regex> = LazyLock::new(|| {
    crate::pattern(
        r"(?i)^\W*(references?|sources?|further reading|read more|credits?|see also|related (reports?|links?))\W*$|\bread more\b|\bblog ?posts?\b",
    )
});
/// Words of headings that name no tool.
static NO_TOOL: LazyLock<Regex> = LazyLock::new(|| {
    crate::pattern(
        r"(?i)\b(c2s?|c&c|cnc|ips?|ipv[46]|addresse?s?|domains?|host(name)?s?|servers?|urls?|indicators?|iocs?|hash(es)?|md5|sha-?\d*|samples?|files?|network|infrastructure|e-?mails?|traffic|activity|malware|certificates?|yara|rules?|notes?|references?|descriptions?|links?|scripts?|payloads?|documents?|lures?|other|recent|active|all|examples?|linked|related|appendix|table|type|value|name)\b",
    )
});
/// Labels whose names are of publishers and victims.
static NO_LABEL: LazyLock<Regex> = LazyLock::new(|| {
    crate::pattern(
        r"(?i)^\W*(references?|ref|sources?|via|credits?|from|to|cc|received|subject|message-id|reply-to|note|report|blog|read more|twitter|website|url of report)\W*$",
    )
});
/// Lines of the header of a mail.
static MAIL_HEADER: LazyLock<Regex> = LazyLock::new(|| {
    crate::pattern(
        r"(?i)^[-*• ]*(received|return-path|delivered-to|message-id|reply-to|authentication-results|x-[a-z-]+|mime-version|dkim-signature)\s*:\s",
    )
});
/// Words of a note that date what stands beside it.
static SEEN: LazyLock<Regex> = LazyLock::new(|| crate::pattern(r"(?i)\b(seen|since|active|observed)\b"));

/// Whether a line holds a defanged name or URL.
pub(crate) fn defangs(line: &str) -> bool {
    if !line.contains(['[', ']', '(', '{', '\\']) && !line.contains("xxp") && !line.contains("XXp") {
        return false;
    }
    let content = refang(without_comment(line.trim()));
    let named = |found: &Found| matches!(&found.what, What::Endpoint(endpoint) if bare_name(endpoint));
    find(&content, Names::Known).iter().any(|found| found.defanged && named(found))
}

/// A heading or comment by its sign: the level, and the text.
fn marked_heading(line: &str) -> Option<(u8, &str)> {
    let sign = line.chars().next()?;
    let level = line.chars().take_while(|c| *c == sign).count();
    let text = line[level * sign.len_utf8()..].trim_end_matches(['#', '=', ' ']);
    let marked = match sign {
        '#' | ';' => true,
        '=' => text.starts_with(' '),
        '*' => level >= 2 && text.starts_with(' '),
        '/' => level == 2 && !text.starts_with(|c: char| c.is_alphanumeric()),
        '!' | '%' => text.starts_with(' '),
        _ => false,
    };
    marked.then(|| (level.min(6) as u8, text.trim_start_matches(['+', ':', ' ', '\t'])))
}

/// The line up to a comment that ends it.
fn without_comment(line: &str) -> &str {
    let end = [" #", "\t#", " //", "\t//", " ;", "\t;"].iter().filter_map(|sign| line.find(sign)).min();
    &line[..end.unwrap_or(line.len())]
}

pub(crate) fn is_bullet(line: &str) -> bool {
    line.strip_prefix(['-', '*', '•', '+', '–', '>', '·']).is_some_and(|rest| rest.starts_with([' ', '\t']))
}

pub(crate) fn is_heading(text: &str, title: bool) -> bool {
    let words = text.split_whitespace().count();
    let ends_as_prose = text.ends_with(['.', ',', ';', '!', '?']);
    // `The report is available at`: the next line goes on.
    let last = text.rsplit(' ').next().unwrap_or_default();
    let goes_on = matches!(
        last,
        "at" | "on" | "in" | "see" | "here" | "is" | "are" | "from" | "by" | "to" | "of" | "and" | "the"
    );
    let one_odd_word =
        words == 1 && text.trim_end_matches(':').contains(['.', '\\', '/', '@', '_', '=', ':']);
    let pair = !title && text.trim_end_matches(':').contains(": ");
    let has_letters = text.contains(|c: char| c.is_alphabetic());
    has_letters
        && words <= HEADING_WORDS
        && text.len() <= HEADING_OCTETS
        && !(ends_as_prose || goes_on || one_odd_word || pair || text.contains(['\\', '{', '<']))
}

/// The name of a tool, if a plain heading holds nothing else: `PlugX`, `Royal Road RTF`.
fn tool_name(level: u8, text: &str) -> Option<String> {
    let text = text.trim_matches([':', ' ', '*']);
    let short = (1..=4).contains(&text.split_whitespace().count());
    let named = text.starts_with(|c: char| c.is_alphanumeric()) && !NO_TOOL.is_match(text);
    let is_cluster = naming::in_text(text).is_some() || date::span(text).is_some();
    (level == PLAIN && short && named && !is_cluster).then(|| text.to_owned())
}

/// Whether an indicator that comes after this text is the subject of its line: nothing stands
/// before it but signs, or a label such as `C2:`.
fn is_entry(before: &str) -> bool {
    let before = before.trim();
    let Some(label) = before.trim_end_matches(['"', '\'', '<', '(', '[', '`', ' ']).strip_suffix([':', '='])
    else {
        return !before.contains(|c: char| c.is_alphabetic());
    };
    label.split_whitespace().count() <= 4 && !label.contains(':') && !NO_LABEL.is_match(label)
}

/// Whether only signs, or `and`, stand between two indicators.
fn joins(gap: &str) -> bool {
    gap.split(|c: char| !c.is_alphanumeric()).all(|word| matches!(word, "" | "and" | "or"))
}

/// Whether what was found is a name rather than an address or a hash.
fn bare_name(endpoint: &Endpoint) -> bool {
    match &endpoint.indicator {
        Indicator::Domain(_) => true,
        // A URL of an address is as plain as the address.
        Indicator::Url(url) => crate::name::url_authority(url)
            .is_none_or(|(host, _)| host.parse::<rahdar_model::Address>().is_err()),
        Indicator::Network(_) | Indicator::Hash(..) | Indicator::Certificate(_) => false,
    }
}

/// The texts between and around what was found.
fn outside<'a>(line: &'a Refanged, found: &'a [Found]) -> impl Iterator<Item = &'a str> {
    let starts = std::iter::once(0).chain(found.iter().map(|found| found.end));
    let ends = found.iter().map(|found| found.start).chain(std::iter::once(line.text.len()));
    starts.zip(ends).map(|(start, end)| line.text.get(start..end).unwrap_or_default())
}

/// The window that a note beside the indicator gives: `(May 2021)`, `first seen …, last seen …`.
fn note_window(line: &Refanged, found: &[Found]) -> Option<Window> {
    let note = outside(line, found).collect::<Vec<_>>().join(" ");
    let dated = note.len() <= NOTE_OCTETS && (SEEN.is_match(&note) || date::is_only_date(&note));
    if dated { date::hull(&note) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(path: &str, text: &str) -> Reading {
        read(&Source::of_path(path), text, &ReadOptions::default()).unwrap()
    }

    fn check(text: &str, claims: &[&str]) {
        let reading = reading("a.txt", text);
        assert_eq!(reading.claims.iter().map(crate::tests::shown).collect::<Vec<_>>(), claims, "{text}");
        assert_eq!(reading.refused, [], "{text}");
    }

    fn check_refused(text: &str, refused: &[&str]) {
        let reading = reading("a.txt", text);
        assert_eq!(reading.refused.iter().map(ToString::to_string).collect::<Vec<_>>(), refused, "{text}");
    }

    const EVER: &str = "[the beginning, the end) undated";

    #[test]
    fn a_date_in_a_heading_is_the_window_of_what_stands_below_it() {
        check(
            "C2 Domains:\n\nc2[.]example.org\n\nC2 IP Addresses (May-June 2021):\n\n192.0.2[.]1\n\nVultr\n\n192.0.2[.]2\n\nMalware Samples:\n\n192.0.2[.]3\n",
            &[
                &format!("c2.example.org {EVER} line 3"),
                "192.0.2.1 [2021-05-01, 2021-07-01) heading line 7",
                "192.0.2.2 [2021-05-01, 2021-07-01) heading line 11",
                &format!("192.0.2.3 {EVER} line 15"),
            ],
        );
        check(
            "# C2, since 3 May 2021\n## Domains\nc2.example.org\n# Other\n192.0.2.1\n",
            &["c2.example.org [2021-05-03, the end) heading line 3", &format!("192.0.2.1 {EVER} line 5")],
        );
        check(
            "# C2 servers\n# 2021-05-03\n192.0.2.1\n",
            &["192.0.2.1 [2021-05-03, 2021-05-04) heading line 3"],
        );
    }

    #[test]
    fn one_date_in_a_title_is_that_of_publication() {
        let claim = "192.0.2.1 [2021-03-18, 2021-06-17) published line 5";
        check("2021-06-16 (WEDNESDAY) - ACTIVITY\n\nC2 TRAFFIC:\n\n192.0.2.1\n", &[claim]);
        check("# Indicators, 16 June 2021\n\n## C2\n\n192.0.2.1\n", &[claim]);
        check("# a feed\n# updated 2021-06-16 10:00\n# copyright 2014-2026\n\n192.0.2.1\n", &[claim]);
    }

    #[test]
    fn a_note_beside_an_indicator_dates_it() {
        check(
            "192.0.2.1 (May 2021)\n192.0.2.2 - first seen 2021-05-03, last seen 2021-06-01\n192.0.2.3 | 2021 was a year\n",
            &[
                "192.0.2.1 [2021-05-01, 2021-06-01) stated line 1",
                "192.0.2.2 [2021-05-03, 2021-06-02) stated line 2",
                &format!("192.0.2.3 {EVER} line 3"),
            ],
        );
    }

    #[test]
    fn a_cluster_is_named_by_the_nearest_heading_the_first_lines_the_file_or_the_folder() {
        let check = |path: &str, text: &str, expected: &[(&str, Origin)]| {
            let reading = reading(path, text);
            let named: Vec<_> =
                reading.namings.iter().map(|naming| (&*naming.cluster.0, naming.origin)).collect();
            assert_eq!(named, expected, "{path}: {text}");
        };
        let two = "TAG-16 Activity\n\nC2 IPs\n192.0.2.1\n\nTAG-33 Campaign\n\nC2 IPs\n192.0.2.2\n";
        check("a", two, &[("tag-16", Origin::Heading), ("tag-33", Origin::Heading)]);
        check(
            "a",
            "This list is of TAG-28 and of nobody else, as we wrote.\n\n192.0.2.1\n",
            &[("tag-28", Origin::FirstLines)],
        );
        check("x/RedFoxtrot.txt", "192.0.2.1\n", &[("redfoxtrot", Origin::FileName)]);
        check("Group RedFoxtrot Linked to x/Indicators", "192.0.2.1\n", &[("redfoxtrot", Origin::Folder)]);
        check("Group RedFoxtrot/Indicators", "Calypso:\n192.0.2.1\n", &[("redfoxtrot", Origin::Folder)]);
        check("a", "192.0.2.1\n", &[]);
    }

    #[test]
    fn names_of_publishers_and_files_are_no_indicators() {
        let one = [&*format!("192.0.2.1 {EVER} line 1")];
        for rest in [
            "REFERENCES:\n\n- https://example.org/report\n",
            "Read more in this blog post:\n* https://example.org/report\n",
            "It was reported at example.org and in [a note](https://example.org/b).\n",
            "The report is on our pages and nowhere else at\nhttps://example.org/report\n",
            "# Reference: https://example.org/192.0.2.9\n",
            "From: <someone@example.org>\n",
            "schedule.zip\nvcruntime140.dll\n",
        ] {
            check(&format!("192.0.2.1\n\n{rest}"), &one);
        }
        check(
            &format!("192.0.2[.]1\n{}  setup.example.org\n", "a".repeat(64)),
            &[one[0], &format!("{} {EVER} line 2", "a".repeat(64))],
        );
    }

    #[test]
    fn who_defangs_what_is_hostile_links_to_the_rest() {
        let text = "- hxxp://c2.example[.]org/a\n- https://example.net/report\nwww.example.org\n";
        check(
            text,
            &[
                &format!("http://c2.example.org/a :80 /6 {EVER} line 1"),
                &format!("www.example.org {EVER} line 3"),
            ],
        );
    }

    #[test]
    fn relays_in_the_header_of_a_mail_are_set_aside() {
        let text = "192.0.2.1\nReceived: from x (192.0.2.9)\n\tby y (192.0.2.8)\nX-Sender: 192.0.2.7\n";
        check(text, &[&format!("192.0.2.1 {EVER} line 1")]);
        assert_eq!(reading("a", text).set_aside["mail header"], 3);
    }

    #[test]
    fn a_plain_heading_above_hashes_names_the_malware() {
        let md5 = "0".repeat(32);
        check(
            &format!("C2 IPs\n192.0.2.1\n\nPoison Ivy\n{md5} (C2: c2[.]example[.]org)\n"),
            &[
                &format!("192.0.2.1 {EVER} line 2"),
                &format!("{md5} {EVER} Poison Ivy line 5"),
                &format!("c2.example.org {EVER} line 5"),
            ],
        );
    }

    #[test]
    fn typing_errors_are_refused_by_name_and_prose_is_not() {
        let nowhere = "the address is unspecified, loopback, link-local, multicast or reserved";
        check_refused(
            "192.0.2.1.\n1.2.3\n1.2.3.256\n 300.1.1.1,\n192..2.1\n127.0.0.1\n192.0.2.0/33\n192.0.2.1:99999\n10.0.0.0/8\n",
            &[
                "line 2: `1.2.3`: not an IP address",
                "line 3: `1.2.3.256`: not an IP address",
                "line 4: `300.1.1.1`: not an IP address",
                "line 5: `192..2.1`: not an IP address",
                &format!("line 6: `127.0.0.1`: {nowhere}"),
                "line 7: `192.0.2.0/33`: the prefix length is out of range",
                "line 8: `192.0.2.1:99999`: the port is out of range",
                "line 9: `10.0.0.0/8`: the network is too broad to accuse: IPv4 /16 and IPv6 /32 are the broadest",
            ],
        );
        check_refused(
            "192.0.2.1\nWe used version 1.2.3 of the tool.\nChapter 1.2.3\n| 3.2.1 | x |\n4.0\n",
            &[],
        );
    }

    #[test]
    fn a_list_of_harmless_hosts_accuses_nobody() {
        let text = "# a company\n192.0.2.1\n198.51.100.0/24\nns1.example.org\nhttp://example.org/x\n";
        let told = |path| {
            let reading = reading(path, text);
            let classes: Vec<_> = reading.facts.iter().map(|fact| fact.class.word()).collect();
            (reading.claims.len(), classes, reading.notes.len(), reading.set_aside.len())
        };
        assert_eq!(told("static/sinkhole_abuse.txt"), (0, vec!["sinkhole"; 2], 1, 1));
        assert_eq!(told("mass_scanner_cidr.txt"), (0, vec!["scanner"; 2], 1, 1));
        assert_eq!(told("webshell_scanner.txt"), (4, vec![], 0, 0));
    }

    #[test]
    fn one_line_may_hold_many() {
        check(
            "192.0.2.1, 192.0.2.2:443; c2.example.org and www.example.org\r\n\"192.0.2.3\",\n",
            &[
                &format!("192.0.2.1 {EVER} line 1"),
                &format!("192.0.2.2 :443 {EVER} line 1"),
                &format!("c2.example.org {EVER} line 1"),
                &format!("www.example.org {EVER} line 1"),
                &format!("192.0.2.3 {EVER} line 2"),
            ],
        );
    }
}

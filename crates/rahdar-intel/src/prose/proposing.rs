//! Sentences become proposals.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

use rahdar_model::Window;
use rahdar_model::intelligence::Claim;
use regex::Regex;

use super::ITEM_WORDS;
use super::document::{Block, BlockKind, Document};
use super::names::{Mention, Names, mentions};
use super::saying::{doubts_of_others, organ, sayer, sponsors, wording};
use super::sentence::sentences;
use super::victim::victims;
use super::when::{Period, periods};
use crate::assertion::{Assertion, Kind, Proposal, Relation, Statement};
use crate::book::Identity;
use crate::date;
use crate::draft::Draft;
use crate::list::{self, References};
use crate::reading::{Format, ReadError, ReadOptions, Reading};
use crate::source::Source;

/// Proposals of one report at most; chosen here: nobody reads more.
const PROPOSALS_MAX: usize = 50_000;
/// Who acts where a sentence names nobody.
const UNNAMED: &str = "the activity reported";
/// Groups of one sentence that what it says is said of; longer lists are surveys.
const GROUPS_MAX: usize = 6;
/// Octets between the words for a sponsor and the group they are of.
const NEAR: usize = 80;

/// Reads a report.
pub(super) fn read(
    source: &Source,
    mut document: Document,
    options: &ReadOptions,
    names: &Names,
) -> Result<Reading, ReadError> {
    document.read_top();
    let published = options.published.map(|at| at.day().window()).or(document.published).or(source.published);
    // What is told to be a name in one sentence is one in all.
    let told: Vec<Mention> = document.blocks.iter().flat_map(|block| told(block, names)).collect();
    let names = &names.with_told(&told);
    let defangs = document.blocks.iter().any(|block| list::defangs(&block.text));
    let references = References::of(&document.hosts);
    let draft = Draft::new(Format::Report, &source.shown, options);
    let title_groups =
        document.title.iter().flat_map(|title| groups_of(&mentions(title, true, names))).collect();
    let mut reader = Reader {
        names,
        options,
        published,
        source: options.source.as_deref().or(document.publisher.as_deref()).unwrap_or(&source.shown).into(),
        lines: list::Reader::of_report(source, draft, published, defangs, &references),
        proposals: Vec::new(),
        seen: HashSet::new(),
        title_groups,
        researchers: document
            .blocks
            .iter()
            .find_map(|block| sayer(&block.text, |name| names.kind(name).is_some())),
        sayer: None,
        before: Before::default(),
        header: Vec::new(),
        noise: None,
    };
    for block in &document.blocks {
        reader.block(block);
    }
    reader.finish()
}

/// The names that the sentences of a block tell.
fn told(block: &Block, names: &Names) -> Vec<Mention> {
    match block.kind {
        BlockKind::Paragraph => {
            sentences(&block.text).iter().flat_map(|text| mentions(text, false, names)).collect()
        }
        _ => mentions(&block.text, true, names),
    }
}

/// What the sentence before said, for those that go on with `That intrusion …`.
#[derive(Debug, Clone, Default)]
struct Before {
    sentence: String,
    groups: Vec<String>,
    victims: Vec<String>,
}

struct Reader<'a> {
    names: &'a Names,
    options: &'a ReadOptions,
    published: Option<Window>,
    source: Arc<str>,
    lines: list::Reader<'a>,
    proposals: Vec<Proposal>,
    seen: HashSet<Identity>,
    title_groups: Vec<String>,
    /// Whom the report first names as one who says something: `the researchers`, `the report`.
    researchers: Option<String>,
    /// Whom the block names as the one who says so.
    sayer: Option<String>,
    before: Before,
    /// The first row of the table.
    header: Vec<String>,
    /// The level of a heading whose text is not the report's.
    noise: Option<u8>,
}

/// Headings of what is not the report's own text.
static NOISE: LazyLock<Regex> = LazyLock::new(|| {
    crate::pattern(
        r"(?i)^\W*(tags?|references?|sources?|further reading|read more|see also|related\b.*|about (the )?(author|us|company)s?.*|leave a reply|comments?|share( this)?.*|subscribe.*|previous columns.*|you may also like.*|recommended.*|don.t forget to share|more from .*|newsletter.*|disclaimer|credits?|footnotes|endnotes|bibliography|table of contents|contents)\W*$",
    )
});
/// Lines that lead away from the report.
static AWAY: LazyLock<Regex> = LazyLock::new(|| {
    crate::pattern(r"(?i)^\W*(related|read more|see also|also read|more on|recommended)\s*:")
});
/// Sentences that go on with what the one before was about.
static GOES_ON: LazyLock<Regex> = LazyLock::new(|| {
    crate::pattern(
        r"^(?:(?:That|This|The|These|Those|Such) (?:same |latter )?(?:threat |observed |second |first )?(?:intrusions?|activity|campaigns?|groups?|clusters?|operations?|actors?|attacks?|infiltrations?|compromises?)|It|They|Its|Their)\b",
    )
});
/// Words for those whom the report named before.
static RESEARCHERS: LazyLock<Regex> = LazyLock::new(|| {
    crate::pattern(
        r"(?i)\b(the|these|its) (researchers|analysts|research team|report|cybersecurity firm|security firm|blog post|new research)\b",
    )
});
/// Words behind a date that make it one of publication: `In 2019, Example described …`.
static PUBLISHED: LazyLock<Regex> = LazyLock::new(|| {
    crate::pattern(
        r"^,? [A-Za-z’' ]{0,60}\b(described|reported|published|released|disclosed|wrote|warned|said|detailed|documented|presented)\b",
    )
});
/// Sentences whose subject is the group of the one before.
static SUBJECT: LazyLock<Regex> = LazyLock::new(|| {
    crate::pattern(
        r"^(?:(?:The|This|That) (?:same |latter )?(?:threat |activity )?(?:group|actor|cluster|adversary)|It|They)\b",
    )
});
/// Words for what was done to victims that the sentence before names.
static THE_ATTACKS: LazyLock<Regex> = LazyLock::new(|| {
    crate::pattern(
        r"\b(?:[Tt]he|[Tt]hese|[Tt]hose|[Tt]hat|[Tt]his) (?:four |two |three )?(?:attacks?|intrusions?|infiltrations?|compromises?|activity|campaign)\b",
    )
});
/// Words before a date that make it one of publication.
static PUBLISHING: LazyLock<Regex> = LazyLock::new(|| {
    crate::pattern(
        r"(?i)\b(releas\w+|publish\w+|disclos\w+|report(?:ed|s)?|posted|announc\w+|said|warned|documented|patched|described|presented|wrote|blog(?:ged)?|updated|detailed|registered)(?: \w+)?[ ,]*$",
    )
});
static USES: LazyLock<Regex> = LazyLock::new(|| {
    crate::pattern(
        r"(?i)\b(us(?:es?|ed|ing)|deploy(?:s|ed|ing)?|deliver(?:s|ed|ing)?|leverag(?:es?|ed|ing)|employ(?:s|ed|ing)?|install(?:s|ed|ing)?|dropp(?:ed|ing)|drops|execut(?:es?|ed|ing)|rel(?:y|ies|ied|ying) on|load(?:s|ed|ing)|operat(?:es|ed|ing)|spread(?:s|ing)?|tools?|toolset|arsenal|customised|customized)\b",
    )
});
static EXPLOITS: LazyLock<Regex> = LazyLock::new(|| {
    crate::pattern(
        r"(?i)\b(exploit(?:s|ed|ing|ation)?|target(?:s|ed|ing)?|leverag(?:es?|ed|ing)|abus(?:es?|ed|ing)|us(?:es?|ed|ing)|weaponi[sz]\w+)\b",
    )
});

impl Reader<'_> {
    fn block(&mut self, block: &Block) {
        if let BlockKind::Heading(level) = block.kind {
            self.header.clear();
            if self.noise.is_none_or(|noise| level <= noise) {
                self.noise = NOISE.is_match(&block.text).then_some(level);
            }
            if self.noise.is_none() {
                self.sayer = None;
                self.before = Before::default();
                self.lines.heading(level, &block.text);
                self.sentence(&block.text, &block.place, true);
            }
            return;
        }
        if NOISE.is_match(&block.text) && block.kind != BlockKind::Row {
            // Headings of plain text are often no headings: what follows is not the report's.
            self.noise = Some(u8::MAX);
        }
        if self.noise.is_some() || AWAY.is_match(&block.text) {
            return;
        }
        self.sayer = sayer(&block.text, |name| self.names.kind(name).is_some());
        if self.sayer.is_none() && RESEARCHERS.is_match(&block.text) {
            self.sayer.clone_from(&self.researchers);
        }
        match block.kind {
            BlockKind::Row => self.row(block),
            BlockKind::Item if block.text.split_whitespace().count() <= ITEM_WORDS => self.item(block),
            _ => {
                self.header.clear();
                for sentence in sentences(&block.text) {
                    self.sentence(sentence, &block.place, false);
                }
            }
        }
    }

    /// A row: each cell for itself, dated by the cells beside it.
    fn row(&mut self, block: &Block) {
        let cells: Vec<&str> = block.text.split(" | ").collect();
        if self.header.is_empty() {
            self.header = cells.iter().map(|cell| cell.to_lowercase()).collect();
        }
        let seen = |cell: usize| {
            let header = self.header.get(cell).map_or("", String::as_str);
            ["seen", "first", "last", "active", "observed", "since", "until", "start", "end"]
                .iter()
                .any(|word| header.contains(word))
        };
        let dates: Vec<&str> = (0..)
            .zip(&cells)
            .filter(|(i, cell)| seen(*i) && date::is_only_date(cell))
            .map(|(_, cell)| *cell)
            .collect();
        let window = date::hull(&dates.join(" ; "));
        let about = groups_of(&mentions(&block.text, true, self.names));
        let about = self.one(&about);
        for cell in &cells {
            let running = cell.split_whitespace().count() > ITEM_WORDS;
            self.indicators(&block.place, cell, &block.text, about.as_deref(), window, running);
        }
    }

    fn item(&mut self, block: &Block) {
        let about = groups_of(&mentions(&block.text, true, self.names));
        let about = self.one(&about);
        self.indicators(&block.place, &block.text, &block.text, about.as_deref(), None, false);
        self.sentence_names(&block.text, &block.place);
    }

    /// The one group that something is about, else that of the title.
    fn one(&self, groups: &[String]) -> Option<String> {
        match (groups, self.title_groups.as_slice()) {
            ([one], _) | ([], [one]) => Some(one.clone()),
            _ => None,
        }
    }

    /// Indicators of a part of a report, each with the sentence that it stands in.
    fn indicators(
        &mut self,
        place: &str,
        text: &str,
        sentence: &str,
        about: Option<&str>,
        window: Option<Window>,
        running: bool,
    ) {
        self.lines.part(place, text, about, window, running);
        for claim in self.lines.draft.take_claims() {
            self.propose(Statement::Claim(claim), sentence, place, wording(sentence).join(", "));
        }
    }

    fn sentence_names(&mut self, text: &str, place: &str) {
        for mention in mentions(text, true, self.names) {
            self.is(&mention, text, place);
        }
    }

    fn is(&mut self, mention: &Mention, sentence: &str, place: &str) {
        let said = Said { sentence, place, wording: wording(sentence).join(", ") };
        self.assert(&mention.name, Relation::Is, mention.kind.word(), None, &said);
        if let Some(tool) = &mention.tool {
            self.assert(&mention.name, Relation::Uses, tool, None, &said);
        }
    }

    fn sentence(&mut self, sentence: &str, place: &str, heading: bool) {
        let mentions = mentions(sentence, heading, self.names);
        let mut groups = groups_of(&mentions);
        let is_name = |name: &str| {
            mentions.iter().any(|mention| mention.name == name) || self.names.kind(name).is_some()
        };
        let mut victims = victims(sentence, !groups.is_empty(), is_name);
        let who = self.sayer.clone();
        victims.retain(|victim| Some(victim) != who.as_ref());
        for mention in &mentions {
            self.is(mention, sentence, place);
        }
        // What goes on with the sentence before is proposed with both.
        let mut named = mentions.clone();
        let mut ground = sentence.to_owned();
        let subject = SUBJECT.find(sentence).or_else(|| GOES_ON.find(sentence).filter(|_| groups.is_empty()));
        let goes_on = match (subject, self.before.groups.as_slice()) {
            (Some(subject), [group]) => {
                let at = subject.range();
                named.insert(0, Mention { at, name: group.clone(), kind: Kind::Group, tool: None });
                groups.clone_from(&self.before.groups);
                true
            }
            _ => false,
        };
        let same_victims = victims.is_empty()
            && !self.before.victims.is_empty()
            && !groups.is_empty()
            && THE_ATTACKS.is_match(sentence);
        if same_victims {
            victims.clone_from(&self.before.victims);
        }
        if goes_on || same_victims {
            ground = format!("{} {sentence}", self.before.sentence);
        }
        let hedges = wording(sentence).join(", ");
        let said = Said { sentence: &ground, place, wording: hedges };
        let periods = self.dated(sentence);
        if groups.len() <= GROUPS_MAX {
            self.aliases(sentence, &named, &said);
            self.uses(sentence, &named, &said);
            self.ties(sentence, &named, &said);
            self.victims(sentence, &groups, &victims, &periods, &said);
        }
        if !heading {
            let about = self.one(&groups);
            let window = if let [only] = periods.as_slice() { Some(only.window) } else { None };
            self.indicators(place, sentence, sentence, about.as_deref(), window, true);
        }
        if !groups.is_empty() || !victims.is_empty() {
            self.before = Before { sentence: sentence.to_owned(), groups, victims };
        }
    }

    /// The periods of a sentence in which something happened, not those in which it was told.
    fn dated(&self, sentence: &str) -> Vec<Period> {
        let mut periods = periods(sentence, self.published);
        periods.retain(|period| {
            let told = PUBLISHED.is_match(&sentence[period.words.end..]);
            !told && !PUBLISHING.is_match(&sentence[..period.words.start])
        });
        periods
    }

    fn victims(
        &mut self,
        sentence: &str,
        groups: &[String],
        victims: &[String],
        periods: &[Period],
        said: &Said<'_>,
    ) {
        let nobody = [UNNAMED.to_owned()];
        let unnamed = groups.is_empty();
        let actors = if unnamed { &nobody[..] } else { groups };
        let first = periods.first();
        for actor in actors {
            for victim in victims {
                let window = first.map(|period| period.window);
                self.assert(actor, Relation::Targets, victim, window, &said.dated(sentence, first));
            }
            let acts = !unnamed || ACTS.is_match(sentence);
            let others = if victims.is_empty() { periods } else { periods.get(1..).unwrap_or_default() };
            for period in others.iter().filter(|_| acts) {
                self.assert(
                    actor,
                    Relation::Active,
                    "",
                    Some(period.window),
                    &said.dated(sentence, Some(period)),
                );
            }
        }
    }

    /// Names that the sentence puts beside each other, by the words between them.
    fn aliases(&mut self, sentence: &str, mentions: &[Mention], said: &Said<'_>) {
        let mut chain: Option<(usize, Relation)> = None;
        for (i, pair) in mentions.windows(2).enumerate() {
            let [first, second] = pair else { continue };
            let between = &sentence[first.at.end..second.at.start];
            let alike = |kind: Kind| matches!(kind, Kind::Group | Kind::Cluster);
            if !(first.kind == second.kind || alike(first.kind) && alike(second.kind)) {
                chain = None;
                continue;
            }
            let told =
                BETWEEN.iter().find(|(words, _)| words.is_match(between)).map(|(_, relation)| *relation);
            chain = match (told, chain) {
                (Some(relation), _) => Some((i, relation)),
                (None, Some(chain))
                    if matches!(between.trim(), "," | "and" | "or" | ", and" | ", or" | "/") =>
                {
                    Some(chain)
                }
                _ => None,
            };
            if let Some((of, relation)) = chain {
                let by = BY.captures(&sentence[second.at.end..]).map(|by| by[1].to_owned());
                let said = Said { wording: said.wording.clone(), ..*said };
                let assertion = self.assertion(&mentions[of].name, relation, &second.name, None);
                let asserted_by = by.or(assertion.asserted_by);
                self.put(Assertion { asserted_by, ..assertion }, &said);
            }
        }
    }

    fn uses(&mut self, sentence: &str, mentions: &[Mention], said: &Said<'_>) {
        let actors = |at: &Range<usize>| -> Vec<&Mention> {
            let before =
                mentions.iter().filter(|mention| matches!(mention.kind, Kind::Group | Kind::Cluster));
            before.filter(|mention| mention.at.end <= at.start).collect()
        };
        for mention in mentions {
            let (relation, verb) = match mention.kind {
                Kind::Malware => (Relation::Uses, &*USES),
                Kind::Vulnerability => (Relation::Exploits, &*EXPLOITS),
                _ => continue,
            };
            for actor in actors(&mention.at) {
                if verb.is_match(&sentence[actor.at.end..mention.at.start]) {
                    self.assert(&actor.name, relation, &mention.name, None, said);
                }
            }
        }
    }

    /// For whom groups are said to work. Never a fact: always with who says so.
    fn ties(&mut self, sentence: &str, mentions: &[Mention], said: &Said<'_>) {
        if let Some((at, organ)) = organ(sentence) {
            for group in
                mentions.iter().filter(|mention| mention.kind == Kind::Group && mention.at.start < at)
            {
                self.assert(&group.name, Relation::AttributedTo, &organ, None, said);
            }
        }
        for (at, country) in sponsors(sentence) {
            let near = |mention: &&Mention| {
                mention.kind == Kind::Group && (at.end..at.end + NEAR).contains(&mention.at.start)
            };
            if let Some(group) = mentions.iter().find(near) {
                let said = Said { wording: sentence[at].to_owned(), ..*said };
                self.assert(&group.name, Relation::AttributedTo, country, None, &said);
            }
        }
    }

    fn assertion(
        &self,
        subject: &str,
        relation: Relation,
        object: &str,
        window: Option<Window>,
    ) -> Assertion {
        Assertion {
            subject: subject.to_owned(),
            relation,
            object: object.to_owned(),
            window,
            asserted_by: self.sayer.clone().filter(|who| **who != *self.source),
            source: self.source.clone(),
            published: self.published.map(|published| published.from),
            confidence: None,
            tlp: self.options.tlp,
        }
    }

    fn assert(
        &mut self,
        subject: &str,
        relation: Relation,
        object: &str,
        window: Option<Window>,
        said: &Said<'_>,
    ) {
        let assertion = self.assertion(subject, relation, object, window);
        self.put(assertion, said);
    }

    fn put(&mut self, assertion: Assertion, said: &Said<'_>) {
        if assertion.subject != assertion.object {
            let is_naming = |part: &str| !mentions(part, false, self.names).is_empty();
            let others = doubts_of_others(said.sentence, &assertion.subject, is_naming);
            let is_own = |words: &&str| !words.is_empty() && !others.contains(words);
            let wording: Vec<&str> = said.wording.split(", ").filter(is_own).collect();
            let wording = wording.join(", ");
            self.propose(Statement::Assertion(assertion), said.sentence, said.place, wording);
        }
    }

    /// Adds a proposal, with the first sentence that makes it.
    fn propose(&mut self, statement: Statement, sentence: &str, place: &str, wording: String) {
        // Who says so may change from sentence to sentence: what is said is the same.
        let alike = match &statement {
            Statement::Assertion(assertion) => {
                Statement::Assertion(Assertion { asserted_by: None, ..assertion.clone() })
            }
            claim => claim.clone(),
        };
        let alike = Proposal {
            statement: alike,
            wording: String::new(),
            sentence: String::new(),
            place: String::new(),
        };
        if self.proposals.len() < PROPOSALS_MAX && self.seen.insert(alike.identity()) {
            let (sentence, place) = (sentence.to_owned(), place.to_owned());
            self.proposals.push(Proposal { statement, wording, sentence, place });
        }
    }

    fn finish(self) -> Result<Reading, ReadError> {
        let source = self.source;
        let claimed = |claim: Claim| Claim { source: source.clone(), ..claim };
        let proposals = self.proposals.into_iter().map(|proposal| match proposal.statement {
            Statement::Claim(claim) => Proposal { statement: Statement::Claim(claimed(claim)), ..proposal },
            Statement::Assertion(_) => proposal,
        });
        self.lines.draft.finish_report(proposals.collect())
    }
}

/// Words for what groups do.
static ACTS: LazyLock<Regex> = LazyLock::new(|| {
    crate::pattern(
        r"(?i)\b(attacks?|intrusions?|activity|exfiltrat\w+|infiltrat\w+|campaigns?|compromis\w+|beacon\w+|communicat\w+)\b",
    )
});

/// A sentence, where it stands, and how sure it is.
#[derive(Debug, Clone)]
struct Said<'a> {
    sentence: &'a str,
    place: &'a str,
    wording: String,
}

impl Said<'_> {
    /// The same, with the author's words for when.
    fn dated(&self, sentence: &str, period: Option<&Period>) -> Self {
        let words = period.map(|period| sentence[period.words.clone()].to_owned());
        let parts = words.into_iter().chain(Some(self.wording.clone()).filter(|wording| !wording.is_empty()));
        Self { wording: parts.collect::<Vec<_>>().join(", "), ..self.clone() }
    }
}

/// Words between two names, and how they relate them (`methods.md` §7.2).
static BETWEEN: LazyLock<Vec<(Regex, Relation)>> = LazyLock::new(|| {
    let way = |text: &str, relation| (crate::pattern(text), relation);
    vec![
        way(
            r"(?i)\b(?:possibly|likely|may be|could be|potentially|suspected|probably)\b[a-z ]*\b(?:linked|associated|the same|related|connected|tied|part|overlap\w*)\b",
            Relation::Suspected,
        ),
        way(
            r"(?i)\b(?:overlap(?:s|ped|ping)?|shares? (?:infrastructure|tools|tooling|code|similarities))\b[a-z -]{0,40}\bwith\b",
            Relation::Overlaps,
        ),
        way(r"(?i)\b(?:sub-?(?:group|set|cluster)s? (?:of|within)|part of)\b", Relation::PartOf),
        way(
            r"(?i)^[\s,(“]*(?:(?:which is |who are |is |are )?(?:also |publicly |otherwise |previously )*(?:known|tracked|referred to|reported|called|named)\b[a-z ,’'A-Z]{0,40}(?:\bas\b)?|aka|a\.k\.a\.|alias(?:es)?:?|or)[\s:“]*$",
            Relation::SameAs,
        ),
        way(r"(?i)\b(?:is|are) (?:the same as|identical (?:to|with)|synonymous with)\b", Relation::SameAs),
        way(
            r"(?i)\b(?:linked to|associated with|related to|connected to|tied to|similar to)\b",
            Relation::Suspected,
        ),
    ]
});
/// Who calls it so: `by Example`, `(Example)`.
static BY: LazyLock<Regex> =
    LazyLock::new(|| crate::pattern(r"^ (?:by |\()([A-Z][A-Za-z]+(?: [A-Z][A-Za-z0-9]+)?)"));

/// The groups and clusters among names, each once.
fn groups_of(mentions: &[Mention]) -> Vec<String> {
    let mut groups = Vec::new();
    for mention in mentions.iter().filter(|mention| matches!(mention.kind, Kind::Group | Kind::Cluster)) {
        if !groups.contains(&mention.name) {
            groups.push(mention.name.clone());
        }
    }
    groups
}

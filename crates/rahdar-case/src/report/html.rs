//! The report: one HTML file that needs nothing else, on screen and on paper.
//!
//! No script, no font, no image, no link out; a content-security policy forbids them too. All
//! text passes `askama`'s escaping, foreign text is made legible before. The only markup that is
//! not escaped is what this crate and `rahdar-figure` draw.
//!
//! Its size is bounded whatever the hunt holds: what a limit leaves out is counted in the
//! report, and is in the JSON form.

use std::collections::HashMap;

use askama::Template;
use askama::filters::HtmlSafe;
use rahdar_figure::octets::{self, Whole};
use rahdar_figure::table::{Column, ColumnKind};
use rahdar_figure::{Bars, Figure, Lane, Lanes, Table, Validity, ink, legible};
use rahdar_model::coverage::ExporterCoverage;
use rahdar_model::finding::{Finding, Hunt, Reason, Victim};
use rahdar_model::intelligence::{ClusterId, Event, Tlp};
use rahdar_model::time::{CLOCK_PLAUSIBLE, DAY_US, HOUR_US, SECOND_US};
use rahdar_model::{Estimate, Timestamp, Window};

use super::blind::{blind, hours};
use super::marking;
use super::words::account;
use super::words::finding as sentence;
use super::words::hunt::{Summary, findings_on, observed, summary, victims_of};
use super::words::{self, CANNOT_SHOW, sight};

/// What a report holds beside the hunt.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// What the report is called.
    pub title: &'a str,
    /// How far it may travel at most; not as far where a claim that it rests on is marked more strictly.
    pub tlp: Tlp,
    /// Events registered before the hunt, drawn into the figures.
    pub events: &'a [Event],
    /// When the report was made.
    pub generated: Timestamp,
    /// The version of rahdar that made it.
    pub version: &'a str,
    /// The line for a shell that computes the same numbers again.
    pub rerun: &'a str,
}

/// Findings with sentences and figures of their own; the others have a row each. Chosen here:
/// with contact on each of 454 days one takes some 200 kB (measured 2026-11).
const MOST_IN_FULL: usize = 25;
/// Rows of any table.
const MOST_ROWS: usize = 1_000;
/// Rows of a table of endpoints.
const MOST_ENDPOINTS: usize = 100;
/// Rows of the table of events.
const MOST_EVENTS: usize = 100;
/// Rows of one group of discounted matches.
const MOST_DISCOUNTED: usize = 50;
/// Pairs of clusters of one victim that have a sentence: all of seven. Chosen here.
const MOST_COMPANIES: usize = 21;
/// Silent spells of an exporter that are listed; all are counted.
const MOST_SPELLS: usize = 5;

/// Writes the report of `hunt`. The same hunt and context give the same octets.
pub fn html(hunt: &Hunt, context: &Context<'_>) -> String {
    let page = Page {
        title: legible::sentence(context.title),
        tlp: marking::tlp(&hunt.marking, context.tlp).word(),
        marking: marking::sentence(&hunt.marking, context.tlp).unwrap_or_default(),
        style: Markup(ink::style()),
        generated: Timestamp::from_seconds(context.generated.micros().div_euclid(SECOND_US)).to_string(),
        summary: summary(hunt),
        overview: overview(hunt),
        victims: victims(hunt, context),
        discounted: discounted(hunt),
        cannot_show: &CANNOT_SHOW,
        coverage: coverage(hunt),
        events: events(context.events),
        versions: versions(hunt, context),
    };
    page.render().expect("no template calls a filter that fails, and a String takes all that is written")
}

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    title: String,
    tlp: &'static str,
    /// Who made it stricter than it need be; empty where nobody did.
    marking: String,
    style: Markup,
    generated: String,
    summary: Summary<'a>,
    overview: TableView,
    victims: Vec<VictimView>,
    discounted: Vec<Discounted>,
    cannot_show: &'a [&'a str],
    coverage: CoverageView,
    events: TableView,
    versions: Vec<(&'static str, String)>,
}

struct VictimView {
    heading: String,
    facts: Vec<(&'static str, String)>,
    /// None where no clock tells when any of it was.
    lanes: Option<FigureView>,
    findings: Vec<FindingView>,
    /// What each two of its clusters have in common, and how many pairs are left out.
    company: Vec<String>,
    /// How many findings on it have a row in the overview alone.
    left_out: String,
}

struct FindingView {
    anchor: String,
    heading: String,
    verdict: &'static str,
    sentence: String,
    meaning: String,
    judgement: Vec<String>,
    changes: Vec<String>,
    facts: Vec<(&'static str, String)>,
    bars: Option<FigureView>,
    validity: FigureView,
    reasons: TableView,
}

struct Discounted {
    heading: String,
    count: String,
    table: TableView,
}

struct CoverageView {
    sentence: String,
    table: TableView,
}

/// Markup of our own making.
struct Markup(String);

impl std::fmt::Display for Markup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl HtmlSafe for Markup {}

/// A figure over its table, which opens on demand.
#[derive(Template)]
#[template(path = "figure.html")]
struct FigureView {
    /// None where no axis of time holds it.
    svg: Option<Markup>,
    table: TableView,
}

impl HtmlSafe for FigureView {}

/// A table, cut at a limit that is stated.
#[derive(Template)]
#[template(path = "table.html")]
struct TableView {
    caption: String,
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
    left_out: String,
}

impl HtmlSafe for TableView {}

impl TableView {
    /// The first `most` rows of `table`.
    fn cut(table: Table, most: usize) -> Self {
        Self::new(&table.caption, table.columns, table.rows.into_iter(), most)
    }

    /// The first `most` of `rows`; the others are counted, not made.
    fn new(
        caption: &str,
        columns: Vec<Column>,
        rows: impl ExactSizeIterator<Item = Vec<String>>,
        most: usize,
    ) -> Self {
        let left_out = match rows.len().saturating_sub(most) {
            0 => String::new(),
            1 => "1 more row is in the JSON form alone.".to_owned(),
            rest => format!("{} more rows are in the JSON form alone.", octets::count(rest as u64)),
        };
        Self { caption: caption.to_owned(), columns, rows: rows.take(most).collect(), left_out }
    }

    /// The class of a column's cells; empty for most, which keeps long tables small.
    fn class(&self, place: &usize) -> Markup {
        let class = match self.columns.get(*place).map(|column| column.kind) {
            Some(ColumnKind::Number) => " class=\"number\"",
            Some(ColumnKind::Word) => " class=\"word\"",
            Some(ColumnKind::Text) | None => "",
        };
        Markup(class.to_owned())
    }
}

impl FigureView {
    /// The figure, with the first `most` rows of its table.
    fn cut(figure: Figure, most: usize) -> Self {
        Self { svg: Some(Markup(figure.svg)), table: TableView::cut(figure.table, most) }
    }

    /// The same, or its table alone.
    fn drawn(self, is_drawn: bool) -> Self {
        Self { svg: self.svg.filter(|_| is_drawn), ..self }
    }
}

fn overview(hunt: &Hunt) -> TableView {
    let row = |finding: &Finding| {
        let out = Whole::from(&finding.octets_out);
        let verdict = finding.verdict.word().to_owned();
        let mut row = vec![
            finding.victim.address.to_string(),
            legible::name(&finding.victim.org),
            legible::name(&finding.cluster.name),
            verdict,
        ];
        row.extend(span(finding));
        row.extend([octets::low(out.low), octets::point(out.point), octets::high(out.high)]);
        row
    };
    let columns = vec![
        Column::word("Victim"),
        Column::text("Network of"),
        Column::text("Cluster"),
        Column::word("Verdict"),
        Column::word("First contact (UTC)"),
        Column::word("Last contact (UTC)"),
        Column::number("Days"),
        Column::number("Out, at least"),
        Column::number("Out, estimate"),
        Column::number("Out, at most"),
    ];
    TableView::new("All findings", columns, hunt.findings.iter().map(row), MOST_ROWS)
}

/// First contact, last contact, days.
fn span(finding: &Finding) -> [String; 3] {
    let at_least = if finding.at_least { "at least " } else { "" };
    let unknown = || "not known".to_owned();
    [
        finding.first_seen.map_or_else(unknown, |at| format!("{at_least}{}", at.day())),
        finding.last_seen.map_or_else(unknown, |at| format!("{at_least}{}", at.day())),
        format!("{at_least}{}", octets::count(u64::from(finding.days_active))),
    ]
}

/// The victims of the first [`MOST_IN_FULL`] findings, each with those findings.
fn victims(hunt: &Hunt, context: &Context<'_>) -> Vec<VictimView> {
    let full = &hunt.findings[..hunt.findings.len().min(MOST_IN_FULL)];
    let series = Series::of(hunt);
    let mut anchor = 0;
    let mut views = Vec::new();
    for victim in victims_of(hunt) {
        if !full.iter().any(|finding| finding.victim.address == victim.address) {
            continue;
        }
        let all = findings_on(hunt, victim.address);
        let window = around(&all);
        let gaps = blind(&hunt.coverage, window);
        let mut lanes: Vec<Lane<'_>> =
            all.iter().filter_map(|finding| Lane::of(finding, series.get(finding))).collect();
        lanes.sort_by_key(|lane| (lane.first_seen, lane.label));
        let is_dated = !lanes.is_empty();
        let title = format!("Clusters on {}, by day", victim.address);
        let lanes =
            Lanes { title: &title, window, lanes: &lanes, events: context.events, gaps: &gaps }.draw();
        let mut findings = Vec::new();
        for finding in &all {
            if !full.iter().any(|full| full.id == finding.id) {
                continue;
            }
            anchor += 1;
            let scene = Scene {
                window,
                series: series.get(finding),
                gaps: &gaps,
                events: context.events,
                least: context.tlp,
            };
            findings.push(finding_view(finding, hunt, scene, anchor));
        }
        views.push(VictimView {
            heading: words::victim(victim),
            facts: victim_facts(hunt, victim),
            lanes: is_dated.then(|| FigureView::cut(lanes, MOST_ROWS)),
            company: company(hunt, victim),
            left_out: in_overview_alone(all.len() - findings.len()),
            findings,
        });
    }
    views
}

fn company(hunt: &Hunt, victim: &Victim) -> Vec<String> {
    let mut own = hunt.companies.iter().filter(|company| company.victim == victim.address);
    let told = own.by_ref().take(MOST_COMPANIES).map(|company| account::company(hunt, company));
    let mut sentences: Vec<String> = told.collect();
    match own.count() {
        0 => {}
        1 => sentences.push("1 more pair is in the JSON form alone.".to_owned()),
        more => sentences.push(format!("{more} more pairs are in the JSON form alone.")),
    }
    sentences
}

fn in_overview_alone(count: usize) -> String {
    match count {
        0 => String::new(),
        1 => "1 more finding on this host has a row in the table of findings alone.".to_owned(),
        n => format!("{n} more findings on this host have a row in the table of findings alone."),
    }
}

/// Which series colour each cluster has: the same in every figure.
struct Series<'a>(HashMap<&'a ClusterId, usize>);

impl<'a> Series<'a> {
    /// Colours in the order of the findings.
    fn of(hunt: &'a Hunt) -> Self {
        let mut series = HashMap::new();
        for finding in &hunt.findings {
            let next = series.len();
            series.entry(&finding.cluster.id).or_insert(next);
        }
        Self(series)
    }

    fn get(&self, finding: &Finding) -> usize {
        self.0.get(&finding.cluster.id).copied().unwrap_or_default()
    }
}

/// What the figures of one finding need beside it.
#[derive(Clone, Copy)]
struct Scene<'a> {
    window: Window,
    series: usize,
    gaps: &'a [Window],
    events: &'a [Event],
    least: Tlp,
}

fn finding_view(finding: &Finding, hunt: &Hunt, scene: Scene<'_>, anchor: usize) -> FindingView {
    let Scene { window, series, gaps, events, least } = scene;
    let is_dated = finding.first_seen.is_some();
    let (cluster, victim) = (legible::name(&finding.cluster.name), finding.victim.address);
    let bars = Bars {
        title: &format!("{cluster}: octets out of {victim}, by day"),
        window,
        daily: &finding.daily,
        series,
        events,
        gaps,
    };
    let validity = Validity {
        title: &format!("{cluster}: infrastructure met by {victim}"),
        window,
        infrastructure: &finding.infrastructure,
        series,
        gaps,
    };
    let mut judgement = vec![
        sentence::likelihood(finding),
        sentence::analytic_confidence(finding, &hunt.coverage),
        account::rival(finding),
        sentence::attribution(finding),
    ];
    judgement.extend(account::behind(hunt, &finding.cluster.id));
    judgement.extend(sentence::tools(finding));
    judgement.extend(account::touched(hunt, &finding.cluster.id));
    let mut changes = account::upload(finding);
    changes.extend(account::chronology(finding));
    changes.extend(sentence::changes(finding));
    changes.push(sentence::rhythm(finding));
    changes.extend(sight::detection(finding));
    FindingView {
        anchor: format!("finding-{anchor}"),
        heading: cluster,
        verdict: finding.verdict.word(),
        sentence: words::headline(finding),
        meaning: sentence::verdict_means(finding),
        judgement,
        changes,
        facts: finding_facts(finding, least),
        bars: is_dated.then(|| FigureView::cut(bars.draw(), MOST_ROWS)),
        validity: FigureView::cut(validity.draw(), MOST_ENDPOINTS).drawn(is_dated),
        reasons: reasons(finding),
    }
}

fn finding_facts(finding: &Finding, least: Tlp) -> Vec<(&'static str, String)> {
    let [first, last, days] = span(finding);
    let mut facts = vec![
        ("First contact", first),
        ("Last contact", last),
        ("Days with contact", days),
        ("Flow records", octets::count(finding.flows)),
        ("Octets out", interval(&finding.octets_out)),
        ("Octets in", interval(&finding.octets_in)),
        ("STIX confidence", finding.confidence.to_string()),
        ("Finding", legible::name(&finding.id)),
    ];
    facts.extend(marking::sentence(&finding.marking, least).map(|sentence| ("Marking", sentence)));
    facts
}

/// The bounds of an estimate, in words.
fn interval(estimate: &Estimate) -> String {
    let Whole { low, point, high, .. } = estimate.into();
    if high == Some(low) {
        return format!("{}, all of it recorded", octets::low(low));
    }
    let most = match high {
        Some(_) => format!("at most {}", octets::high(high)),
        None => "no upper bound is known".to_owned(),
    };
    format!("at least {}, estimate {}, {most}", octets::low(low), octets::point(point))
}

fn victim_facts(hunt: &Hunt, victim: &Victim) -> Vec<(&'static str, String)> {
    let roles: Vec<String> = victim.roles.iter().take(MOST_ROLES).map(|role| legible::name(role)).collect();
    let mut facts = vec![
        ("Network of", legible::name(&victim.org)),
        ("Origin AS", victim.asn.map_or_else(String::new, |asn| format!("AS{asn}"))),
        ("Sector", legible::name(&victim.sector)),
        ("Country", legible::name(&victim.country)),
        ("Roles", roles.join(", ")),
    ];
    facts.retain(|(_, value)| !value.is_empty());
    // What sources say in full goes before what is told of it in short.
    let stated = words::profile::facts(victim);
    facts.retain(|(name, _)| stated.iter().all(|(other, _)| other != name));
    facts.extend(stated);
    if let Some(total) = hunt.victims.iter().find(|total| total.address == victim.address) {
        facts.push(("Octets out, all clusters together", interval(&total.octets_out)));
    }
    facts
}

/// Roles of one victim that are listed. Chosen here: no host has more worth a line.
const MOST_ROLES: usize = 8;

fn reasons(finding: &Finding) -> TableView {
    let row = |reason: &Reason| {
        let speaks = match reason.weight {
            weight if weight > 0.0 => "for",
            weight if weight < 0.0 => "against",
            _ => "note",
        };
        vec![
            speaks.to_owned(),
            weight(reason.weight),
            kind_in_words(reason.kind),
            legible::sentence(&reason.text),
        ]
    };
    let columns = vec![
        Column::word("Speaks"),
        Column::number("Weight (dB)"),
        Column::text("Kind"),
        Column::text("Evidence"),
    ];
    let caption = format!("Why it is {}: evidence for and against", finding.verdict.word());
    TableView::new(&caption, columns, finding.reasons.iter().map(row), MOST_ROWS)
}

/// `+12.0`, `−2.5`; nothing for what has no weight.
fn weight(decibans: f64) -> String {
    if decibans == 0.0 { String::new() } else { format!("{decibans:+.1}").replace('-', "−") }
}

fn kind_in_words(kind: &str) -> String {
    kind.replace('_', " ")
}

/// What was not believed, grouped by what spoke against it, in the order of the hunt.
fn discounted(hunt: &Hunt) -> Vec<Discounted> {
    let mut groups: Vec<(&str, Vec<&Finding>)> = Vec::new();
    for finding in &hunt.discounted {
        let kind = sentence::objection(finding).map_or("weak", |reason| reason.kind);
        match groups.iter_mut().find(|(group, _)| *group == kind) {
            Some((_, findings)) => findings.push(finding),
            None => groups.push((kind, vec![finding])),
        }
    }
    groups.into_iter().map(|(kind, findings)| discounted_group(kind, &findings)).collect()
}

fn discounted_group(kind: &str, findings: &[&Finding]) -> Discounted {
    let row = |finding: &&Finding| {
        let why = sentence::objection(finding).map_or_else(
            || "Nothing speaks against it; what speaks for it is too little.".to_owned(),
            |reason| legible::sentence(&reason.text),
        );
        vec![
            finding.victim.address.to_string(),
            legible::name(&finding.cluster.name),
            words::day(finding.first_seen),
            words::day(finding.last_seen),
            octets::count(finding.flows),
            why,
        ]
    };
    let columns = vec![
        Column::word("Host"),
        Column::text("Cluster"),
        Column::word("First match (UTC)"),
        Column::word("Last match (UTC)"),
        Column::number("Flow records"),
        Column::text("Why it is not believed"),
    ];
    let heading = kind_in_words(kind);
    let caption = format!("Not believed: {heading}");
    Discounted {
        heading,
        count: octets::count(findings.len() as u64),
        table: TableView::new(&caption, columns, findings.iter().map(row), MOST_DISCOUNTED),
    }
}

fn coverage(hunt: &Hunt) -> CoverageView {
    let row = |exporter: &ExporterCoverage| {
        let both_ways = match exporter.tcp_flows {
            0 => "no TCP".to_owned(),
            all => format!("{} %", u128::from(exporter.tcp_flows_two_way) * 100 / u128::from(all)),
        };
        let last = exporter.window.until.plus_micros(-1);
        let is_dated = CLOCK_PLAUSIBLE.contains(exporter.window.from);
        let told = |at: Timestamp| words::day(is_dated.then_some(at));
        vec![
            legible::name(&exporter.exporter),
            exporter.observation_domain.to_string(),
            told(exporter.window.from),
            told(last),
            octets::count(exporter.flows),
            sampling(exporter),
            both_ways,
            octets::count(exporter.marked),
            octets::count(hours(&exporter.silent)),
            spells(exporter),
            lost(exporter),
        ]
    };
    let columns = vec![
        Column::text("Exporter"),
        Column::number("Domain"),
        Column::word("First packet (UTC)"),
        Column::word("Last packet (UTC)"),
        Column::number("Flow records"),
        Column::text("Sampling"),
        Column::number("TCP seen both ways"),
        Column::number("Doubtful records"),
        Column::number("Silent hours"),
        Column::text("Longest silences (UTC)"),
        Column::text("Known to be lost"),
    ];
    let dark = observed(hunt).map(|observed| hours(&blind(&hunt.coverage, observed)));
    let sentence = match dark {
        None => "No exporter is known: nothing can be said of what the telemetry could see.".to_owned(),
        Some(0) => "Some exporter saw traffic in every hour.".to_owned(),
        Some(1) => "In 1 hour no exporter saw anything.".to_owned(),
        Some(dark) => format!("In {} hours no exporter saw anything.", octets::count(dark)),
    };
    let table =
        TableView::new("What each exporter could see", columns, hunt.coverage.iter().map(row), MOST_ROWS);
    CoverageView { sentence, table }
}

/// `1:512, 1:1000, unknown`.
fn sampling(exporter: &ExporterCoverage) -> String {
    let rates = exporter.sampling.iter().take(MOST_RATES).map(|rate| match rate {
        None => "unknown".to_owned(),
        Some(1) => "none".to_owned(),
        Some(n) => format!("1:{n}"),
    });
    let rest = exporter.sampling.len().saturating_sub(MOST_RATES);
    let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    rates.collect::<Vec<_>>().join(", ") + &more
}

/// `1 200 datagrams (sequence)`, per cause.
fn lost(exporter: &ExporterCoverage) -> String {
    let words = exporter
        .lost
        .iter()
        .map(|lost| format!("{} {} ({})", octets::count(lost.count), lost.unit, lost.cause));
    words.collect::<Vec<_>>().join(", ")
}

/// Sampling intervals of one exporter that are listed. Chosen here.
const MOST_RATES: usize = 8;

/// The longest silences, in the order of time.
fn spells(exporter: &ExporterCoverage) -> String {
    let mut longest: Vec<Window> = exporter.silent.clone();
    longest.sort_by_key(|spell| (std::cmp::Reverse(spell.until.since(spell.from)), spell.from));
    longest.truncate(MOST_SPELLS);
    longest.sort_by_key(|spell| spell.from);
    let words = longest.iter().map(|spell| {
        let hours = hours(std::slice::from_ref(spell));
        let hour = spell.from.micros().rem_euclid(DAY_US) / HOUR_US;
        format!("{} {hour:02}:00 ({} h)", spell.from.day(), octets::count(hours))
    });
    words.collect::<Vec<_>>().join(", ")
}

fn events(events: &[Event]) -> TableView {
    let row = |event: &Event| vec![event.at.day().to_string(), legible::name(&event.label)];
    let columns = vec![Column::word("Day (UTC)"), Column::text("Event")];
    TableView::new("Registered events", columns, events.iter().map(row), MOST_EVENTS)
}

fn versions(hunt: &Hunt, context: &Context<'_>) -> Vec<(&'static str, String)> {
    let Window { from, until } = hunt.window;
    let window = match (from == Timestamp::MIN, until == Timestamp::MAX) {
        (true, true) => "all of history".to_owned(),
        (true, false) => format!("until {until}"),
        (false, true) => format!("from {from}"),
        (false, false) => format!("{from} until {until}"),
    };
    vec![
        ("Intelligence", format!("version {} of the book", hunt.intelligence_version)),
        ("Flows", format!("version {} of the table", hunt.table_version)),
        ("Swept", format!("{window}, {} flow records", octets::count(hunt.flows_swept))),
        ("rahdar", legible::name(context.version)),
        ("Compute again", command(context.rerun)),
    ]
}

/// Characters of a command that are shown: beyond it some shells take no line (POSIX: `_POSIX_ARG_MAX`).
const COMMAND_CHARS: usize = 4_096;

/// A command that can be copied: the page isolates it, so that it needs no marks of direction.
fn command(text: &str) -> String {
    legible::clip(text, COMMAND_CHARS).replace(['\u{2068}', '\u{2069}'], "")
}

/// The time of all these findings and a little around it, so that what lies before the first
/// contact and after the last is seen to be empty, or unseen.
fn around(findings: &[&Finding]) -> Window {
    let first = findings.iter().filter_map(|finding| finding.first_seen).min().unwrap_or_default();
    let last = findings.iter().filter_map(|finding| finding.last_seen).max().unwrap_or_default();
    let margin = (last.since(first) / 20).max(DAY_US);
    Window::new(first.plus_micros(-margin), last.plus_micros(margin))
}

//! Who is said to be behind a cluster: read from a table, and gathered from all that is said of names.
//!
//! A line of `cluster,actor,relation[,source,published,confidence]` is one statement of one source.
//! Nothing follows from it but itself: names are kept apart, whatever stands to what (`methods.md` §7.2).

use std::collections::{BTreeMap, BTreeSet};

use rahdar_model::account::Attribution;
use rahdar_model::intelligence::ClusterId;

use crate::assertion::{Assertion, Kind, Relation};
use crate::date::{NumberOrder, instant};
use crate::draft::{Draft, tidy_name};
use crate::reading::{Format, ReadError, ReadOptions, Reading, Reason};
use crate::rows::{Delimiter, Row, rows};
use crate::source::Source;

/// Columns that make a table one of attributions.
const REQUIRED: [&str; 3] = ["cluster", "actor", "relation"];
/// Lines that are taken; chosen here: there are a few thousand names of groups.
const LINES_MAX: usize = 100_000;

/// The header of a text that is such a table.
fn header(text: &str) -> Option<(Delimiter, Vec<String>)> {
    let first = text.lines().map(str::trim).find(|line| !is_remark(line))?;
    let delimiter = [',', ';', '\t'].into_iter().max_by_key(|delimiter| first.matches(*delimiter).count())?;
    let columns: Vec<String> = first.split(delimiter).map(|cell| cell.trim().to_ascii_lowercase()).collect();
    REQUIRED
        .iter()
        .all(|name| columns.iter().any(|column| column == name))
        .then_some((Delimiter::Char(delimiter), columns))
}

fn is_remark(line: &str) -> bool {
    line.is_empty() || line.starts_with('#')
}

/// Whether the text is a table of attributions.
pub(crate) fn is(text: &str) -> bool {
    header(text).is_some()
}

/// Reads the table.
pub(crate) fn read(source: &Source, text: &str, options: &ReadOptions) -> Result<Reading, ReadError> {
    let mut draft = Draft::new(Format::Attributions, &source.shown, options);
    let Some((delimiter, columns)) = header(text) else { return Err(ReadError::Nothing) };
    let lines = rows(text, delimiter).filter(|row| !is_remark(&row.cells[0])).skip(1);
    for row in lines.take(LINES_MAX) {
        match assertion(&columns, &row, &draft, options) {
            Ok(said) => draft.assertion(said),
            Err(reason) => draft.refuse(&format!("line {}", row.line), &row.cells.join(","), reason),
        }
    }
    draft.finish()
}

fn assertion(
    columns: &[String],
    row: &Row,
    draft: &Draft<'_>,
    options: &ReadOptions,
) -> Result<Assertion, Reason> {
    let cell = |name: &str| {
        let at = columns.iter().position(|column| column == name);
        at.and_then(|at| row.cells.get(at)).map_or("", |cell| cell.trim())
    };
    let (subject, object) = (tidy_name(cell("cluster")), tidy_name(cell("actor")));
    let is_none = |name: &str| ClusterId::of_name(name).0.is_empty();
    let (Some(relation), false, false) = (relation(cell("relation")), is_none(&subject), is_none(&object))
    else {
        return Err(Reason::Attribution);
    };
    let published = match cell("published") {
        "" => options.published,
        date => Some(instant(date, NumberOrder::Untold).ok_or(Reason::Attribution)?.at),
    };
    let confidence = match cell("confidence") {
        "" => options.confidence,
        number => Some(number.parse::<u8>().ok().filter(|n| *n <= 100).ok_or(Reason::Attribution)?),
    };
    let source = match (&options.source, tidy_name(cell("source"))) {
        (None, source) if !source.is_empty() => source.into(),
        _ => draft.source(),
    };
    let tlp = options.tlp;
    Ok(Assertion {
        subject,
        relation,
        object,
        window: None,
        asserted_by: None,
        source,
        published,
        confidence,
        tlp,
    })
}

/// The relation of a cell: its own words, or those of the specification.
fn relation(cell: &str) -> Option<Relation> {
    match cell.to_ascii_lowercase().as_str() {
        "same" => Some(Relation::SameAs),
        "subset" => Some(Relation::PartOf),
        word => Relation::from_word(word).filter(|relation| relation.behind().is_some()),
    }
}

/// What accepted assertions say of who is behind clusters, by cluster, in their order.
///
/// A source that says of a name that it is malware or a vulnerability names nobody by it. Who is
/// named as the one who says so is the source; else the document is.
pub(crate) fn of(assertions: &[Assertion]) -> BTreeMap<ClusterId, Vec<Attribution>> {
    let is_nobody = |said: &&Assertion| {
        said.relation == Relation::Is
            && matches!(Kind::from_word(&said.object), Some(Kind::Malware | Kind::Vulnerability))
    };
    let nobody: BTreeSet<(&str, &str)> =
        assertions.iter().filter(is_nobody).map(|said| (&*said.source, said.subject.as_str())).collect();
    let mut attributions: BTreeMap<ClusterId, Vec<Attribution>> = BTreeMap::new();
    for said in assertions {
        let Some(relation) = said.relation.behind() else { continue };
        if nobody.contains(&(&*said.source, said.subject.as_str())) {
            continue;
        }
        let mut add = |cluster: &str, actor: &str| {
            let cluster = ClusterId::of_name(cluster);
            if cluster == ClusterId::of_name(actor) {
                return;
            }
            attributions.entry(cluster.clone()).or_default().push(Attribution {
                cluster,
                actor: actor.to_owned(),
                relation,
                source: said.asserted_by.as_deref().map_or_else(|| said.source.clone(), Into::into),
                published: said.published,
                confidence: said.confidence,
                tlp: said.tlp,
            });
        };
        add(&said.subject, &said.object);
        if said.relation.is_mutual() {
            add(&said.object, &said.subject);
        }
    }
    attributions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_read_and_bad_lines_named() {
        let text = "Cluster,Actor,Relation,Source,Published,Confidence\n\
            RedFoxtrot,Nomad Panda,overlaps,Example Lab,2021-06-16,60\n\
            RedFoxtrot,Nomad Panda,identical,Example Lab,2021-06-16,60\n\
            RedFoxtrot,,same,,,\n\
            RedFoxtrot,X,same,,soon,\n\
            RedFoxtrot,X,same,,,101\n\
            RedFoxtrot,X,suspected,,,\n\
            RedFoxtrot,PLA Unit 00000,attributed to,Example Lab,,\n\
            RedFoxtrot,PlugX,uses,Example Lab,,\n";
        assert!(is(text) && !is("cluster,ip\nA,192.0.2.1\n"));
        let source = Source::of_path("names.csv");
        let reading = read(&source, text, &ReadOptions::default()).unwrap();
        let said: Vec<String> = reading
            .assertions
            .iter()
            .map(|said| {
                let date = said.published.map_or_else(String::new, |at| at.day().to_string());
                let (subject, relation, object) = (&said.subject, said.relation.word(), &said.object);
                format!("{subject} {relation} {object} {} {date} {:?}", said.source, said.confidence)
            })
            .collect();
        assert_eq!(
            said,
            [
                "RedFoxtrot overlaps Nomad Panda Example Lab 2021-06-16 Some(60)",
                "RedFoxtrot suspected X names.csv  None",
                "RedFoxtrot attributed to PLA Unit 00000 Example Lab  None",
            ]
        );
        let places: Vec<&str> = reading.refused.iter().map(|refusal| &*refusal.place).collect();
        assert_eq!(places, ["line 3", "line 4", "line 5", "line 6", "line 9"]);
    }

    #[test]
    fn who_is_behind_a_cluster_follows_from_all_that_is_said_of_it() {
        let said = |subject: &str, relation, object: &str, by: Option<&str>| Assertion {
            subject: subject.to_owned(),
            relation,
            object: object.to_owned(),
            window: None,
            asserted_by: by.map(str::to_owned),
            source: "a report".into(),
            published: None,
            confidence: None,
            tlp: None,
        };
        let assertions = [
            said("RedFoxtrot", Relation::Is, "group", None),
            said("RedFoxtrot", Relation::SameAs, "Nomad Panda", Some("a lab")),
            said("RedFoxtrot", Relation::AttributedTo, "PLA Unit 00000", None),
            said("RedFoxtrot", Relation::PartOf, "Larger Set", None),
            said("RedFoxtrot", Relation::Uses, "PlugX", None),
            said("PlugX", Relation::Is, "malware", None),
            said("PlugX", Relation::SameAs, "Korplug", None),
        ];
        let all: Vec<String> = of(&assertions)
            .values()
            .flatten()
            .map(|one| format!("{}: {} {}, {}", one.cluster, one.relation.word(), one.actor, one.source))
            .collect();
        assert_eq!(
            all,
            [
                "nomad-panda: same RedFoxtrot, a lab",
                "redfoxtrot: same Nomad Panda, a lab",
                "redfoxtrot: attributed to PLA Unit 00000, a report",
                "redfoxtrot: subset Larger Set, a report",
            ]
        );
    }
}

//! Who may be behind a cluster, and on whose word (`methods.md` §7.1, §7.2).
//!
//! A cluster is an id, not an actor. Statements that it is, or may be, somebody's stand beside one
//! another, each with its source and date; names are never merged, and a vendor's "overlaps" stays
//! one. Every name is a hypothesis, and so is somebody whom nobody names:
//!
//! belief in a name, in decibans = min(cap, Σ over sources of weight(relation)·q); of nobody named: 0
//!
//! weight = 10^(belief/10) / Σ 10^(belief/10)
//!
//! | relation | dB of one source |
//! |---|---|
//! | same | +10 |
//! | subset | +6 |
//! | overlaps | +5 |
//! | suspected | +3 |
//! | attributed to | +5 |
//!
//! q is the source's own confidence, 1 where it gives none. A source speaks once for a name, by its
//! strongest statement. The cap ([`MOST_DB`]) is there because reports copy one another: ten of them
//! are not ten observations. All values are chosen here; they order hypotheses and are no
//! probabilities that anybody measured. Malware weighs nothing: groups share it.
//!
//! Whom a group is said to work for is no name of it, and stands among the names all the same: both may
//! be true, and the shares say only how much was stated.
//!
//! No hunt tests an attribution; it tests traffic. Wrong where sources that seem apart draw on one
//! report, and where a name means different sets to different vendors.
//!
//! ```
//! use rahdar_hunt::attribution::hypotheses;
//! use rahdar_model::account::{Attribution, Relation};
//! use rahdar_model::intelligence::ClusterId;
//!
//! let says = |actor: &str, relation, source: &str| Attribution {
//!     cluster: ClusterId::of_name("cluster A"),
//!     actor: actor.to_owned(),
//!     relation,
//!     source: source.into(),
//!     published: None,
//!     confidence: None,
//!     tlp: None,
//! };
//! let statements =
//!     [says("Calypso", Relation::Same, "one lab"), says("RedFoxtrot", Relation::Overlaps, "another lab")];
//! let told: Vec<(Option<String>, f64)> =
//!     hypotheses(&statements).into_iter().map(|one| (one.actor, one.weight)).collect();
//! assert_eq!(told[0], (Some("Calypso".to_owned()), 0.706));
//! assert_eq!(told[1], (Some("RedFoxtrot".to_owned()), 0.223));
//! assert_eq!(told[2], (None, 0.071));
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rahdar_intel::index::Snapshot;
use rahdar_model::account::{Attribution, ClusterAccount, Hypothesis, Relation, Touched};
use rahdar_model::finding::{Finding, Verdict};
use rahdar_model::intelligence::{Claim, ClusterId, Indicator};

/// What all statements for one name count to, in decibans.
pub const MOST_DB: f64 = 15.0;

/// Decibans of one source's statement.
pub const fn weight(relation: Relation) -> f64 {
    match relation {
        Relation::Same => 10.0,
        Relation::Subset => 6.0,
        Relation::Overlaps => 5.0,
        Relation::Suspected => 3.0,
        Relation::AttributedTo => 5.0,
    }
}

fn decibans(statement: &Attribution) -> f64 {
    weight(statement.relation)
        * statement.confidence.map_or(1.0, |percent| f64::from(percent.min(100)) / 100.0)
}

/// The hypotheses that these statements about one cluster make, the likeliest first; somebody whom
/// nobody names among them, behind equals.
pub fn hypotheses(statements: &[Attribution]) -> Vec<Hypothesis> {
    let mut actors: BTreeMap<&str, Vec<&Attribution>> = BTreeMap::new();
    for statement in statements {
        actors.entry(&statement.actor).or_default().push(statement);
    }
    let mut all: Vec<(f64, Option<String>, Vec<Attribution>)> = Vec::new();
    for (actor, statements) in actors {
        let mut sources: BTreeMap<&Arc<str>, f64> = BTreeMap::new();
        for statement in &statements {
            let said = sources.entry(&statement.source).or_default();
            *said = said.max(decibans(statement));
        }
        let belief = sources.values().sum::<f64>().min(MOST_DB);
        let mut statements: Vec<Attribution> = statements.into_iter().cloned().collect();
        statements
            .sort_by(|a, b| (&a.source, a.published, a.relation).cmp(&(&b.source, b.published, b.relation)));
        statements.dedup();
        all.push((belief, Some(actor.to_owned()), statements));
    }
    all.push((0.0, None, Vec::new()));
    // Stable: of equals by name, nobody last.
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    let odds = |belief: f64| 10_f64.powf(belief / 10.0);
    let whole: f64 = all.iter().map(|(belief, ..)| odds(*belief)).sum();
    all.into_iter()
        .map(|(belief, actor, statements)| Hypothesis {
            actor,
            weight: (odds(belief) / whole * 1_000.0).round() / 1_000.0,
            statements,
        })
        .collect()
}

/// The statements of the book about a cluster. That a source tells a cluster by the name of a group
/// is a statement too: its own.
fn statements(book: &Snapshot, id: &ClusterId) -> Vec<Attribution> {
    let mut all: Vec<Attribution> = book.attributions(id).cloned().collect();
    if let Some(cluster) = book.cluster(id).filter(|cluster| cluster.named) {
        let mut sources: BTreeMap<&Arc<str>, Attribution> = BTreeMap::new();
        for claim in book.claims().iter().filter(|claim| claim.cluster.as_ref() == Some(id) && !claim.revoked)
        {
            let statement = sources.entry(&claim.source).or_insert_with(|| Attribution {
                cluster: id.clone(),
                actor: cluster.name.clone(),
                relation: Relation::Same,
                source: claim.source.clone(),
                published: claim.published,
                // A source's confidence in an address is none in a name.
                confidence: None,
                tlp: None,
            });
            statement.tlp = statement.tlp.max(claim.tlp);
            statement.published = [statement.published, claim.published].into_iter().flatten().min();
        }
        all.extend(sources.into_values());
    }
    all
}

/// What is known of each cluster with a believed finding, over all victims, in the order of ids.
/// `findings` are believed, `discounted` are not.
pub(crate) fn accounts(findings: &[Finding], discounted: &[Finding], book: &Snapshot) -> Vec<ClusterAccount> {
    let mut clusters: BTreeMap<&ClusterId, (&Finding, Vec<Touched>, BTreeSet<&str>)> = BTreeMap::new();
    for finding in findings {
        clusters.entry(&finding.cluster.id).or_insert((finding, Vec::new(), BTreeSet::new()));
    }
    for finding in findings.iter().chain(discounted) {
        let Some((_, touched, met)) = clusters.get_mut(&finding.cluster.id) else { continue };
        touched.push(Touched {
            address: finding.victim.address,
            verdict: finding.verdict,
            first_seen: finding.first_seen,
            last_seen: finding.last_seen,
        });
        if finding.verdict > Verdict::Discounted {
            met.extend(finding.infrastructure.iter().map(|endpoint| endpoint.indicator.as_str()));
        }
    }
    let account =
        |(id, (finding, mut touched, met)): (&ClusterId, (&Finding, Vec<Touched>, BTreeSet<&str>))| {
            touched.sort();
            let claimed = claimed(book, id);
            ClusterAccount {
                id: id.clone(),
                name: finding.cluster.name.clone(),
                hypotheses: hypotheses(&statements(book, id)),
                touched,
                endpoints_met: met.len().min(claimed),
                endpoints_claimed: claimed,
            }
        };
    clusters.into_iter().map(account).collect()
}

/// Networks and addresses claimed for a cluster, each once.
fn claimed(book: &Snapshot, id: &ClusterId) -> usize {
    let is_own = |claim: &&Claim| claim.cluster.as_ref() == Some(id) && !claim.revoked;
    let networks = book.claims().iter().filter(is_own).filter_map(|claim| match claim.indicator {
        Indicator::Network(prefix) => Some(prefix),
        _ => None,
    });
    networks.collect::<BTreeSet<_>>().len()
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    fn says(actor: &str, relation: Relation, source: &str, confidence: Option<u8>) -> Attribution {
        Attribution {
            cluster: ClusterId::of_name("a"),
            actor: actor.to_owned(),
            relation,
            source: source.into(),
            published: None,
            confidence,
            tlp: None,
        }
    }

    fn check(statements: &[Attribution], expected: &[(Option<&str>, f64)]) {
        let told = hypotheses(statements);
        let told: Vec<(Option<&str>, f64)> =
            told.iter().map(|one| (one.actor.as_deref(), one.weight)).collect();
        assert_eq!(told, expected);
    }

    #[test]
    fn without_a_statement_nobody_is_named() {
        check(&[], &[(None, 1.0)]);
    }

    #[test]
    fn a_source_speaks_once_for_a_name() {
        let once = says("A", Relation::Same, "lab", None);
        check(std::slice::from_ref(&once), &[(Some("A"), 0.909), (None, 0.091)]);
        check(
            &[once.clone(), says("A", Relation::Suspected, "lab", None)],
            &[(Some("A"), 0.909), (None, 0.091)],
        );
        let many: Vec<Attribution> =
            (0..50).map(|n| says("A", Relation::Same, &format!("copy {n}"), None)).collect();
        check(&many, &[(Some("A"), 0.969), (None, 0.031)]);
    }

    #[test]
    fn doubt_of_the_source_counts() {
        check(&[says("A", Relation::Suspected, "lab", Some(0))], &[(Some("A"), 0.5), (None, 0.5)]);
    }

    #[test]
    fn names_are_not_merged() {
        let statements = [
            says("RedFoxtrot", Relation::Same, "lab", None),
            says("Nomad Panda", Relation::Overlaps, "lab", None),
        ];
        assert_eq!(hypotheses(&statements).len(), 3);
    }

    proptest! {
        #[test]
        fn beliefs_add_up_to_one_and_order_does_not_matter(
            said in vec((select(vec!["A", "B", "C"]), select(Relation::ALL.to_vec()), 0_u8..4), 0..12),
        ) {
            let mut statements: Vec<Attribution> = said
                .into_iter()
                .map(|(actor, relation, source)| says(actor, relation, &source.to_string(), None))
                .collect();
            let told = hypotheses(&statements);
            let sum: f64 = told.iter().map(|one| one.weight).sum();
            prop_assert!((sum - 1.0).abs() < 0.003, "{sum}");
            statements.reverse();
            prop_assert_eq!(told, hypotheses(&statements));
        }
    }
}

//! Sentences that stand up to a denial: what else could explain it, what left, what came first, who
//! may be behind it, who else was there.

use rahdar_figure::legible;
use rahdar_figure::octets::{self, Whole};
use rahdar_model::Estimate;
use rahdar_model::account::{
    Chronology, ClusterAccount, Company, CompanyKind, Hypothesis, Order, Relation, UploadClaim,
};
use rahdar_model::finding::{Finding, Hunt, Verdict};
use rahdar_model::intelligence::ClusterId;

use super::phrase;

/// What flow data cannot show of an order in time.
const NO_CAUSE: &str = "An order in time is no cause: flow data cannot show how a host was first entered, what \
                        was exchanged, or where it went from there.";

/// The best explanation other than command traffic, and how much speaks for either.
pub fn rival(finding: &Finding) -> String {
    let clients = finding.reasons.iter().find(|reason| reason.kind == "clients");
    let clients = clients.map(|reason| {
        format!(
            "Another explanation is open, which no evidence here weighs: {}.",
            legible::sentence(&reason.text)
        )
    });
    let Some(rival) = &finding.rival else {
        let none = || "No piece of the evidence speaks for another explanation.".to_owned();
        return clients.unwrap_or_else(none);
    };
    let evidence =
        finding.reasons.iter().filter(|reason| !matches!(reason.kind, "calibration" | "base_rate"));
    let for_contact: f64 = evidence.map(|reason| reason.weight.max(0.0)).sum();
    let strongest = format!(
        "The strongest other explanation is that {}: {:.0} dB of evidence speak for it, {for_contact:.0} dB for \
         contact.",
        legible::sentence(&rival.text),
        rival.weight
    );
    [Some(strongest), clients].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// What may be said of octets that left; nothing of what is not believed.
pub fn upload(finding: &Finding) -> Vec<String> {
    let upload = &finding.upload;
    if finding.verdict == Verdict::Discounted {
        return Vec::new();
    }
    let why = legible::sentence(&upload.why);
    let mut sentences = vec![match upload.claim {
        UploadClaim::Exfiltration => format!("The volume has the pattern of exfiltration: {why}."),
        UploadClaim::Volume if finding.octets_out.observed == 0 => {
            format!("Nothing was seen to leave for it, and no exfiltration is claimed: {why}.")
        }
        UploadClaim::Volume => {
            format!("This is traffic of some volume, and no exfiltration is claimed: {why}.")
        }
    }];
    let payload = Whole::from(&Estimate::new(0, upload.payload_low, upload.payload_low, None)).low;
    if payload > 0 {
        let least = octets::in_prose(payload);
        sentences.push(format!("At least {least} of it was payload; what that held is not known."));
    }
    if upload.is_shared {
        sentences.push(
            "Part of it went to addresses that are claimed for another cluster too: the lower bound counts none \
             of that part, the upper bound all of it."
                .to_owned(),
        );
    }
    if let Some(unseen) = upload.unseen {
        let days = phrase::counted(unseen.days as usize, "day", "days");
        let most = match unseen.high {
            Some(high) => {
                let high = Whole::from(&Estimate::new(0, high, high, Some(high)));
                format!("up to {} may have left on each without a record", octets::high(high.high))
            }
            None => "nothing bounds what may have left then".to_owned(),
        };
        sentences.push(format!("{} in between left no record; {most}.", phrase::capital(&days)));
    }
    sentences
}

/// What came first: contact, or the registered events next to it.
pub fn chronology(finding: &Finding) -> Vec<String> {
    let mut sentences = Vec::new();
    let first = match finding.verdict {
        Verdict::Confirmed => "The first validated contact",
        _ => "The first traffic of this finding",
    };
    let with = |order: Order| finding.chronology.iter().filter(move |one| one.order == order);
    // The nearest event on either side: farther ones say less, and stand in the JSON form.
    let after = with(Order::After).min_by_key(|one| one.days);
    let same = with(Order::SameDay).next();
    let before = with(Order::Before).max_by_key(|one| one.days);
    let days = |one: &Chronology| phrase::counted(one.days.unsigned_abs() as usize, "day", "days");
    let mut parts = Vec::new();
    parts.extend(after.map(|one| format!("{} after {}", days(one), dated(one))));
    parts.extend(same.map(|one| format!("on the day of {}", dated(one))));
    parts.extend(before.map(|one| format!("{} before {}", days(one), dated(one))));
    if !parts.is_empty() {
        let doubt = after.map_or("", |one| one.why.as_str());
        let doubt = if doubt.is_empty() { String::new() } else { format!("; {}", legible::sentence(doubt)) };
        sentences.push(format!("{first} came {}{doubt}.", phrase::clauses(&parts)));
    }
    if let Some(one) = with(Order::NotCovered).min_by_key(|one| one.days) {
        sentences.push(format!(
            "Whether contact began before or after {} is not known: {}.",
            dated(one),
            legible::sentence(&one.why)
        ));
    }
    if after.is_some() || same.is_some() {
        sentences.push(NO_CAUSE.to_owned());
    }
    sentences
}

/// `“ProxyLogon disclosed” (2021-03-02)`.
fn dated(one: &Chronology) -> String {
    format!("“{}” ({})", legible::name(&one.event), one.at.day())
}

/// Who may be behind a cluster, by whose word; none where nobody said more than its name.
pub fn behind(hunt: &Hunt, id: &ClusterId) -> Option<String> {
    let account = account(hunt, id)?;
    let is_another = |one: &Hypothesis| one.actor.as_ref().is_some_and(|actor| *actor != account.name);
    if !account.hypotheses.iter().any(is_another) {
        return None;
    }
    let (first, others) = account.hypotheses.split_at(account.hypotheses.len().min(MOST_HYPOTHESES));
    let mut told: Vec<String> = first.iter().map(hypothesis).collect();
    if !others.is_empty() {
        let weight: f64 = others.iter().map(|one| one.weight).sum();
        told.push(format!("{} more, {weight:.2} together", phrase::number(others.len())));
    }
    Some(format!(
        "Who is behind {}, as weights of what others state: {}. Traffic decides none of them.",
        legible::name(&account.name),
        told.join("; ")
    ))
}

/// Hypotheses in one sentence. Chosen here; all are in the JSON form.
const MOST_HYPOTHESES: usize = 4;
/// Statements of one hypothesis in a sentence.
const MOST_STATEMENTS: usize = 3;

/// `Calypso 0.71 (the same: Example Lab, 2021-03-15)`.
fn hypothesis(one: &Hypothesis) -> String {
    let Some(actor) = &one.actor else {
        return format!("somebody whom no source names {:.2}", one.weight);
    };
    let mut statements: Vec<String> = one
        .statements
        .iter()
        .take(MOST_STATEMENTS)
        .map(|said| {
            let date = said.published.map_or_else(String::new, |at| format!(", {}", at.day()));
            format!("{}: {}{date}", relation(said.relation), legible::name(&said.source))
        })
        .collect();
    if one.statements.len() > MOST_STATEMENTS {
        statements.push(format!("{} more", one.statements.len() - MOST_STATEMENTS));
    }
    format!("{} {:.2} ({})", legible::name(actor), one.weight, statements.join("; "))
}

const fn relation(relation: Relation) -> &'static str {
    match relation {
        Relation::Same => "the same",
        Relation::Subset => "part of it",
        Relation::Overlaps => "overlaps",
        Relation::Suspected => "suspected",
        Relation::AttributedTo => "attributed to it",
    }
}

/// What else a cluster touched.
pub fn touched(hunt: &Hunt, id: &ClusterId) -> Option<String> {
    let account = account(hunt, id)?;
    let of = |least: Verdict, most: Verdict| {
        account.touched.iter().filter(|one| one.verdict >= least && one.verdict <= most).count()
    };
    let believed = of(Verdict::Likely, Verdict::Confirmed);
    let weak = of(Verdict::Possible, Verdict::Possible);
    let matched = of(Verdict::Discounted, Verdict::Discounted);
    let mut beside = String::new();
    if weak > 0 {
        let hosts = phrase::counted(weak, "host", "hosts");
        beside.push_str(&format!("; on {hosts} the evidence is weak"));
    }
    beside.push_str(&match matched {
        0 => String::new(),
        1 => "; one more matched and is not believed".to_owned(),
        n => format!("; {} more matched and are not believed", phrase::number(n)),
    });
    Some(format!(
        "In all, contact of {} with infrastructure of {} is believed{beside}. Of its {}, {} contacted.",
        if believed == 0 { "no host".to_owned() } else { phrase::counted(believed, "host", "hosts") },
        legible::name(&account.name),
        phrase::counted(
            account.endpoints_claimed,
            "claimed address or network",
            "claimed addresses and networks"
        ),
        match account.endpoints_met {
            1 => "one was".to_owned(),
            n => format!("{} were", phrase::number(n)),
        }
    ))
}

/// What two clusters on one victim have in common.
pub fn company(hunt: &Hunt, company: &Company) -> String {
    let [a, b] = company.clusters.each_ref().map(|id| match account(hunt, id) {
        Some(account) => legible::name(&account.name),
        None => legible::name(&id.0),
    });
    let relation = match company.relation {
        CompanyKind::SharedInfrastructure => "shared infrastructure",
        CompanyKind::SharedTiming => "shared timing",
        CompanyKind::SharedTool => "a shared tool",
        CompanyKind::Coincidence => "coincidence",
    };
    format!("{a} and {b}: consistent with {relation}; {}.", legible::sentence(&company.why))
}

fn account<'a>(hunt: &'a Hunt, id: &ClusterId) -> Option<&'a ClusterAccount> {
    hunt.clusters.binary_search_by(|account| account.id.cmp(id)).ok().map(|place| &hunt.clusters[place])
}

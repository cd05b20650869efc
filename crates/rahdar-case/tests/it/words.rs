//! The sentences, reviewed as prose.

use rahdar_case::report::words::{self, CANNOT_SHOW};
use rahdar_case::report::{Context, html};
use rahdar_model::Estimate;
use rahdar_model::coverage::Lost;
use rahdar_model::fact::{Loss, Unit};
use rahdar_model::finding::{Finding, Hunt, Reason, Verdict};

use crate::fixture::{context, empty, estimate, events, finding, group, mail_server, roshan};

/// The summary of a hunt as lines.
fn lines(hunt: &Hunt) -> String {
    let summary = words::summary(hunt);
    let mut lines = summary.opening;
    for victim in summary.victims {
        lines.push(String::new());
        lines.extend(victim.sentences);
        lines.extend(victim.clusters.into_iter().map(|line| format!("- {line}")));
    }
    lines.join("\n").replace('\u{202f}', " ")
}

fn one() -> Finding {
    finding(&mail_server(), &group("Calypso"), "2021-08-14", "2021-08-16", 3, 3)
}

#[test]
fn a_hunt_in_sentences() {
    insta::assert_snapshot!(lines(&roshan()));
}

#[test]
fn sources_of_the_victims_network_that_differ_are_told() {
    let mut hunt = roshan();
    let profile = &mut hunt.findings[0].victim.profile;
    profile.countries.registered[0].value = "AE".to_owned();
    let mut later = profile.origins[0].clone();
    later.value.asns = vec![64_502, 64_503];
    later.as_of = Some(crate::fixture::time("2021-09-01").day());
    profile.origins.push(later);
    let text = lines(&hunt);
    for sentence in [
        "Where its network is, sources differ: operating in AF (the operator); registered in AE (delegated, ripencc, 2020-07-01).",
        "Several announced 203.0.113.0/24: AS64502, AS64503 (CAIDA pfx2as, IPv4, 2021-09-01).",
        "Its prefix moved while contact lasted: 203.0.113.0/24 of AS64500 (CAIDA pfx2as, IPv4, 2020-07-01), then \
         203.0.113.0/24 of AS64502 and AS64503 (CAIDA pfx2as, IPv4, 2021-09-01).",
        "communicated with one mail server (203.0.113.25, telecom, AF).",
    ] {
        assert!(text.contains(sentence), "{sentence}\n{text}");
    }
}

#[test]
fn each_finding_in_one_sentence() {
    let hunt = roshan();
    let headlines: Vec<_> = hunt.findings.iter().map(words::headline).collect();
    insta::assert_snapshot!(headlines.join("\n"));
}

#[test]
fn a_verdict_picks_the_verb() {
    let mut finding = one();
    let mut headlines = Vec::new();
    for verdict in [Verdict::Confirmed, Verdict::Likely, Verdict::Possible, Verdict::Discounted] {
        finding.verdict = verdict;
        headlines.push(words::headline(&finding));
    }
    finding.verdict = Verdict::Likely;
    finding.reasons.push(Reason { kind: "c2_silent", weight: 4.0, text: String::new() });
    headlines.push(words::headline(&finding));
    insta::assert_snapshot!(headlines.join("\n"));
}

#[test]
fn what_is_said_of_one_finding() {
    let hunt = roshan();
    let mut sentences = Vec::new();
    for finding in &hunt.findings[..3] {
        sentences.push(format!("# {}", finding.cluster.name));
        sentences.push(words::finding::likelihood(finding));
        sentences.push(words::finding::analytic_confidence(finding, &hunt.coverage));
        sentences.push(words::finding::attribution(finding));
        sentences.extend(words::finding::tools(finding));
        sentences.extend(words::finding::changes(finding));
        sentences.push(words::finding::rhythm(finding));
    }
    insta::assert_snapshot!(sentences.join("\n"));
}

/// Every sentence of an account of one finding.
fn account(hunt: &Hunt, finding: &Finding) -> Vec<String> {
    let mut sentences = vec![words::account::rival(finding)];
    sentences.extend(words::account::upload(finding));
    sentences.extend(words::account::chronology(finding));
    sentences.extend(words::account::behind(hunt, &finding.cluster.id));
    sentences.extend(words::account::touched(hunt, &finding.cluster.id));
    sentences
}

#[test]
fn what_stands_up_to_a_denial() {
    let hunt = roshan();
    let mut sentences: Vec<String> =
        hunt.findings[..4].iter().flat_map(|finding| account(&hunt, finding)).collect();
    sentences.extend(hunt.companies.iter().map(|company| words::account::company(&hunt, company)));
    insta::assert_snapshot!(sentences.join("\n").replace('\u{202f}', " "));
}

#[test]
fn what_is_not_believed_has_no_volume() {
    let mut finding = one();
    finding.verdict = Verdict::Discounted;
    assert!(words::account::upload(&finding).is_empty());
}

#[test]
fn at_least_is_the_lower_bound_rounded_down() {
    let left = |low: f64, point: f64| {
        let mut finding = one();
        finding.octets_out = estimate(low, point, None);
        let headline = words::headline(&finding);
        headline.split("; ").last().unwrap().trim_end_matches('.').to_owned()
    };
    assert_eq!(left(1_999_999_999.0, 3e9), "at least 1 GB left for it");
    assert_eq!(left(999_999.9, 3e9), "at least 900 kB left for it");
    assert_eq!(left(0.4, 3e9), "what left for it has no lower bound");
    assert_eq!(left(0.0, 0.0), "nothing was seen to leave for it");
}

#[test]
fn dates_are_at_least_only_where_coverage_ends_there() {
    let mut finding = one();
    assert!(words::headline(&finding).contains("between at least 2021-08-14 and at least 2021-08-16"));
    finding.at_least = false;
    assert!(words::headline(&finding).contains("on 3 days between 2021-08-14 and 2021-08-16"));
    finding.last_seen = finding.first_seen;
    finding.days_active = 1;
    assert!(words::headline(&finding).contains("Calypso on 2021-08-14; "));
}

#[test]
fn the_truth_may_be_higher_only_where_something_was_not_seen() {
    let mut hunt = roshan();
    let closed = Estimate::new(1, 1e9, 2e9, Some(3e9));
    let check = |hunt: &Hunt, estimate: &Estimate, expected: Option<&str>| {
        assert_eq!(words::hunt::may_be_higher(hunt, estimate).as_deref(), expected);
    };
    let dark = "The true figure may be much higher: for 2 hours no exporter saw anything.";
    check(&hunt, &closed, Some(dark));
    hunt.coverage[0].silent.clear();
    check(&hunt, &closed, None);
    let open =
        "The true figure may be much higher: what share of the traffic the exporters saw is not known.";
    check(&hunt, &estimate(1e9, 2e9, None), Some(open));
    let mut hunt = roshan();
    hunt.coverage[0].lost = vec![Lost { cause: Loss::Sequence, unit: Unit::Records, count: 7 }];
    let all = "The true figure may be much higher: what share of the traffic the exporters saw is not known, \
               for 2 hours no exporter saw anything, and part of what one exporter sent was lost.";
    check(&hunt, &estimate(1e9, 2e9, None), Some(all));
}

#[test]
fn a_hunt_that_finds_nothing_says_so() {
    let sentence = "In 0 flow records, no contact with claimed infrastructure is believed.";
    assert_eq!(lines(&empty()), sentence);
}

#[test]
fn lesser_verdicts_are_not_counted_as_communication() {
    let mut hunt = roshan();
    hunt.findings[1].verdict = Verdict::Possible;
    hunt.findings[2].verdict = Verdict::Likely;
    hunt.findings[4].verdict = Verdict::Possible;
    insta::assert_snapshot!(lines(&hunt));
}

#[test]
fn names_that_hide_are_made_legible() {
    let mut finding = one();
    finding.cluster.name = format!("a\u{202e}b\u{1b}[2J{}", "x".repeat(10_000));
    finding.victim.org = "\u{200b}".to_owned();
    let headline = words::headline(&finding);
    assert!(headline.contains("a⟨U+202E⟩b⟨U+001B⟩[2Jxx") && headline.len() < 600, "{headline}");
}

/// ICD-203: likelihood and confidence never in one sentence. Nothing is stolen, nobody guilty.
#[test]
fn no_sentence_mixes_likelihood_with_confidence_or_accuses() {
    let mut hunt = roshan();
    let mut sentences: Vec<String> = CANNOT_SHOW.map(str::to_owned).to_vec();
    for confidence in 1..=99 {
        for verdict in [Verdict::Possible, Verdict::Likely, Verdict::Confirmed] {
            for finding in &mut hunt.findings {
                finding.confidence = confidence;
                finding.verdict = verdict;
                sentences.push(words::headline(finding));
                sentences.push(words::finding::likelihood(finding));
                sentences.push(words::finding::analytic_confidence(finding, &[]));
                sentences.push(words::finding::attribution(finding));
                sentences.push(words::finding::verdict_means(verdict).to_owned());
            }
            for finding in &hunt.findings {
                sentences.extend(account(&hunt, finding));
            }
        }
        sentences.push(lines(&hunt));
    }
    let events = events();
    let page = html(&hunt, &Context { ..context(&events) });
    let body = &page[page.find("<body>").unwrap()..];
    sentences
        .extend(body.split('<').filter_map(|part| part.split_once('>')).map(|(_, text)| text.to_owned()));

    let likelihood = ["likely", "almost", "roughly even", "probab", "chance"];
    for sentence in sentences.iter().flat_map(|text| text.split(['.', '\n'])) {
        let lower = sentence.to_lowercase();
        let mixes = lower.contains("confidence") && likelihood.iter().any(|word| lower.contains(word));
        assert!(!mixes, "{sentence}");
        for accusation in ["stole", "theft", "hacked", "guilty", "perpetrator"] {
            assert!(!lower.contains(accusation), "{sentence}");
        }
    }
}

//! The sentences, reviewed as prose.

use rahdar_case::report::words::{self, CANNOT_SHOW};
use rahdar_case::report::{Context, html};
use rahdar_model::account::{Hypothesis, Relation};
use rahdar_model::finding::{Finding, Hunt, Reason, Verdict};
use rahdar_model::sight::{Hole, NotSeen};
use rahdar_model::{Day, Estimate};
use rahdar_testkit::prose::{mixed, text_of_html};

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
fn clusters_that_cannot_be_told_apart_are_counted_as_a_range() {
    let mut hunt = roshan();
    hunt.findings[..2].iter_mut().for_each(|finding| finding.is_distinct = false);
    let text = lines(&hunt);
    assert!(text.contains("Two to four activity clusters ("), "{text}");
    assert!(text.contains("Some cannot be told apart"), "{text}");
}

#[test]
fn a_test_that_could_hardly_show_an_increase_is_not_assessable_also_in_short() {
    let mut hunt = roshan();
    let plugx = hunt.findings.iter_mut().find(|finding| finding.cluster.name == "PlugX cluster").unwrap();
    let test = &mut plugx.event_tests[0];
    (test.assessed, test.why) = (false, "twice as much would have been found in 34 of 100 cases".to_owned());
    let sentences = words::finding::changes(plugx);
    assert!(sentences[0].contains("is not assessable: twice as much"), "{sentences:?}");
    let open = "- PlugX cluster: from 2020-11 until 2021-09; whether activity increased after 2021-08-01 is not assessable.";
    assert!(lines(&hunt).contains(open));

    let plugx = hunt.findings.iter_mut().find(|finding| finding.cluster.name == "PlugX cluster").unwrap();
    let mut other = plugx.event_tests[0].clone();
    (other.assessed, other.at) = (true, "2021-07-02".parse::<Day>().unwrap().start());
    plugx.event_tests.insert(0, other);
    let mixed =
        "; no increase shown after 2021-07-02; whether there was one after 2021-08-01 is not assessable.";
    assert!(lines(&hunt).contains(mixed));
}

#[test]
fn octets_of_contact_that_is_merely_likely_are_told_apart() {
    let mut hunt = roshan();
    hunt.victims[1].octets_out_confirmed = estimate(1_000_000_000.0, 2e9, None);
    let text = lines(&hunt);
    let expected =
        "Of that, at least 1 GB left in confirmed contact; the rest is merely likely to be such contact.";
    assert!(text.contains(expected), "{text}");
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
fn a_country_that_changed_is_told_as_a_move() {
    let mut hunt = roshan();
    let countries = &mut hunt.findings[0].victim.profile.countries;
    let mut later = countries.registered[0].clone();
    countries.operating.clear();
    countries.geolocated.clear();
    (later.value, later.as_of) = ("PK".to_owned(), Some(crate::fixture::time("2021-09-01").day()));
    countries.registered.push(later);
    let text = lines(&hunt);
    let sentence = "Where its network is changed while contact lasted: registered in AF (delegated, ripencc, \
                    2020-07-01), then PK (delegated, ripencc, 2021-09-01).";
    assert!(text.contains(sentence), "{text}");
    assert!(!text.contains("sources differ"), "{text}");
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
fn what_was_not_seen_is_said_with_what_would_have_been() {
    let check = |row: &NotSeen, expected: &str| {
        assert_eq!(words::sight::not_seen(row).replace('\u{202f}', " "), expected);
    };
    let mut row = roshan().not_seen.remove(0);
    check(
        &row,
        "No contact with Quiet cluster was seen. Its claims held for 4 344 hours, of which 4 340 were recorded; \
         contact of 12 460 packets or more (18.7 MB, if full) would then have left a record with a chance of 95 %.",
    );
    row.sight.least_packets = Some(1);
    row.indicator = Some("192.0.2.77".to_owned());
    check(
        &row,
        "No contact with 192.0.2.77 (Quiet cluster) was seen. Its claims held for 4 344 hours, of which 4 340 were \
         recorded; any contact would then have left a record with a chance of 95 %.",
    );
    row.sight.least_packets = None;
    row.sight.why = "no exporter recorded then".to_owned();
    check(
        &row,
        "No contact with 192.0.2.77 (Quiet cluster) was seen; whether it would have been is not assessable: no \
         exporter recorded then.",
    );
}

#[test]
fn the_chance_of_a_record_is_rounded_down() {
    let check = |chance: Option<f64>, expected: &str| {
        let mut finding = one();
        finding.witness.detection = chance;
        finding.witness.why = "nothing tells".to_owned();
        assert_eq!(words::sight::detection(&finding).unwrap(), expected);
    };
    check(Some(0.829), "A contact like these (some 900 packets) leaves a record in 82 of 100 cases.");
    check(
        Some(0.004),
        "A contact like these (some 900 packets) leaves a record in fewer than one of 100 cases.",
    );
    check(None, "How many contacts like these left no record is not assessable: nothing tells.");
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
    let check = |hunt: &Hunt, findings: &[Finding], estimate: &Estimate, expected: Option<&str>| {
        let findings: Vec<&Finding> = findings.iter().collect();
        assert_eq!(words::hunt::may_be_higher(hunt, &findings, estimate).as_deref(), expected);
    };
    let (closed, open) = (Estimate::new(1, 1e9, 2e9, Some(3e9)), estimate(1e9, 2e9, None));
    let mut hunt = roshan();
    let long = [hunt.findings[0].clone()];
    check(&hunt, &long, &closed, None);
    let dark = "The true figure may be much higher: what share of the traffic the exporters saw is not known, \
                and the exporters concerned recorded nothing for 2 hours";
    check(&hunt, &long, &open, Some(&format!("{dark}, as they often do at such times.")));
    let mut long = long;
    let window = hunt.coverage[0].silent[0];
    let hole = Hole {
        window,
        exporter: "border-1".into(),
        observation_domain: 0,
        usual_flows: 900,
        lost: Vec::new(),
    };
    long[0].witness.holes.push(hole);
    check(&hunt, &long, &open, Some(&format!("{dark}.")));
    hunt.coverage[0].gaps = vec![crate::fixture::span("2021-08-01", "2021-08-02")];
    let all = "The true figure may be much higher: what share of the traffic the exporters saw is not known, \
               the exporters concerned recorded nothing for 2 hours, and part of what one exporter sent \
               meanwhile was lost.";
    check(&hunt, &long, &open, Some(all));
    // What the exporters missed at other times, or others missed, is no matter of this finding.
    let share =
        "The true figure may be much higher: what share of the traffic the exporters saw is not known.";
    check(&hunt, &[hunt.findings[3].clone()], &open, Some(share));
    let mut elsewhere = hunt.findings[0].clone();
    elsewhere.exporters = vec!["border-2".into()];
    hunt.coverage[1].silent.clear();
    check(&hunt, &[elsewhere], &open, Some(share));
}

#[test]
fn what_other_exporters_do_not_know_is_no_matter_of_a_finding() {
    let mut hunt = roshan();
    let mut stranger = hunt.coverage[0].clone();
    (stranger.exporter, stranger.sampling) = ("elsewhere".into(), vec![None]);
    hunt.coverage.push(stranger);
    let of = |hunt: &Hunt| words::finding::analytic_confidence(&hunt.findings[0], &hunt.coverage);
    assert!(of(&hunt).starts_with("Analytic confidence is high"), "{}", of(&hunt));
    hunt.coverage[0].sampling = vec![None];
    assert!(of(&hunt).ends_with("some sampling rates unknown."), "{}", of(&hunt));
}

#[test]
fn confidence_in_what_is_unlikely_follows_the_evidence_against_it() {
    let hunt = roshan();
    let mut finding = hunt.findings[0].clone();
    finding.confidence = 30;
    let of = |finding: &Finding| words::finding::analytic_confidence(finding, &hunt.coverage);
    assert_eq!(of(&finding), "Analytic confidence is low: no independent kinds of evidence against it.");
    for kind in ["scanner", "cdn", "outside_window"] {
        finding.reasons.push(Reason { kind, weight: -12.0, text: String::new() });
    }
    assert_eq!(of(&finding), "Analytic confidence is high: three independent kinds of evidence against it.");
    finding.confidence = 50;
    assert!(of(&finding).starts_with("Analytic confidence is low: "), "{}", of(&finding));
}

#[test]
fn what_a_finding_lacks_is_named() {
    let mut finding = one();
    finding.verdict = Verdict::Likely;
    let text = "to be validated it lacks an exchange of data on two days or in three sessions".to_owned();
    finding.reasons.push(Reason { kind: "requirement", weight: 0.0, text });
    assert_eq!(
        words::finding::verdict_means(&finding),
        "The traffic fits such communication, and is not validated. To be validated it lacks an exchange of \
         data on two days or in three sessions."
    );
}

#[test]
fn clients_behind_a_resolver_are_an_explanation_that_is_told() {
    let mut finding = one();
    finding.rival = None;
    let none = "No piece of the evidence speaks for another explanation.";
    assert_eq!(words::account::rival(&finding), none);
    finding.reasons.push(Reason { kind: "clients", weight: 0.0, text: "clients may have asked".to_owned() });
    let open = "Another explanation is open, which no evidence here weighs: clients may have asked.";
    assert_eq!(words::account::rival(&finding), open);
    let rival = roshan().findings.into_iter().find_map(|finding| finding.rival);
    finding.rival = Some(rival.unwrap());
    let both = words::account::rival(&finding);
    assert!(both.starts_with("The strongest other") && both.ends_with(&format!(". {open}")), "{both}");
}

#[test]
fn who_may_be_behind_a_cluster_is_told_to_the_last() {
    let mut hunt = roshan();
    let account = &mut hunt.clusters[0];
    let mut other = account.hypotheses[0].clone();
    other.statements[0].relation = Relation::AttributedTo;
    for (actor, weight) in [("Unit 00000", 0.04), ("B", 0.03), ("C", 0.02), ("D", 0.01)] {
        account.hypotheses.push(Hypothesis { actor: Some(actor.to_owned()), weight, ..other.clone() });
    }
    assert_eq!(
        words::account::behind(&hunt, &hunt.clusters[0].id).unwrap(),
        "Who is behind Calypso, as weights of what others state: Calypso 0.91 (the same: Example Lab, 2021-03-15); \
         somebody whom no source names 0.09; Unit 00000 0.04 (attributed to it: Example Lab, 2021-03-15); \
         B 0.03 (attributed to it: Example Lab, 2021-03-15); two more, 0.03 together. Traffic decides none of them."
    );
}

#[test]
fn weak_findings_are_not_counted_as_believed() {
    let mut hunt = roshan();
    hunt.clusters[0].touched[0].verdict = Verdict::Possible;
    let touched = words::account::touched(&hunt, &hunt.clusters[0].id).unwrap();
    assert!(
        touched.starts_with(
            "In all, contact of no host with infrastructure of Calypso is believed; on one host the evidence is \
             weak; one more matched and is not believed."
        ),
        "{touched}"
    );
}

#[test]
fn times_that_no_clock_tells_are_not_told() {
    let mut hunt = roshan();
    for finding in &mut hunt.findings {
        (finding.first_seen, finding.last_seen) = (None, None);
        finding.daily.clear();
        finding.days_active = 0;
        finding.infrastructure.iter_mut().for_each(|one| (one.first_seen, one.last_seen) = (None, None));
    }
    let mut relative = hunt.coverage[0].clone();
    relative.window = crate::fixture::span("1970-01-01", "1970-01-03");
    hunt.coverage = vec![relative];
    let headline = words::headline(&hunt.findings[0]);
    assert!(headline.contains("attributed to Calypso at times that no clock tells; "), "{headline}");
    let text = lines(&hunt);
    assert!(text.contains("- Calypso: at times that no clock tells;"), "{text}");
    let page = html(&hunt, &context(&[]));
    for text in [text.as_str(), &page[page.find("<main").unwrap()..page.find("id=\"versions\"").unwrap()]] {
        assert!(!text.contains("1970"), "{text}");
    }
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
                sentences.push(words::finding::verdict_means(finding));
            }
            for finding in &hunt.findings {
                sentences.extend(account(&hunt, finding));
            }
        }
        sentences.push(lines(&hunt));
    }
    let events = events();
    let page = html(&hunt, &Context { ..context(&events) });
    sentences.push(text_of_html(&page[page.find("<body>").unwrap()..]));
    for text in &sentences {
        assert_eq!(mixed(text), None);
        let lower = text.to_lowercase();
        for accusation in ["stole", "theft", "hacked", "guilty", "perpetrator"] {
            assert!(!lower.contains(accusation), "{text}");
        }
    }
}

#[test]
fn where_the_data_place_an_increase_is_told_beside_the_event() {
    let mut finding = roshan().findings.remove(0);
    let event = finding.surges[0].window.from.day();
    let mut told = |days: i32| {
        finding.surges[0].since = rahdar_model::Day(event.0 + days);
        words::finding::changes(&finding).remove(0)
    };
    let (before, soon, late) = (told(-9), told(14), told(71));
    assert!(before.starts_with("More activity after 2021-08-01 than before (registered event “"), "{before}");
    let placed = "); the data place the change at about 2021-07-23, before that event.";
    assert!(before.ends_with(placed), "{before}");
    assert!(soon.ends_with("; by the data since about 2021-08-15)."), "{soon}");
    assert!(late.starts_with("Activity increased after 2021-08-01 (registered event “"), "{late}");
    let placed = "); the data place the change at about 2021-10-11, 71 days after it.";
    assert!(late.ends_with(placed), "{late}");
}

#[test]
fn a_ratio_without_an_interval_is_told_without_one() {
    let mut finding = roshan().findings.remove(0);
    let surge = &mut finding.surges[0];
    (surge.ratio_low, surge.ratio_high) = (0.0, f64::INFINITY);
    let told = words::finding::changes(&finding).remove(0);
    assert!(told.contains("; ratio 5.2, without an interval; "), "{told}");
}

//! The report: well formed, self-contained, bounded, and safe with hostile text.

use std::collections::HashSet;

use quick_xml::Reader;
use quick_xml::events::Event as Xml;
use rahdar_case::report::{Context, html};
use rahdar_model::account::Company;
use rahdar_model::finding::Hunt;
use rahdar_model::intelligence::{Event, Tlp};
use rahdar_model::marking::Marking;
use rahdar_model::{Day, Timestamp, Window};

use crate::fixture::{context, empty, events, finding, group, mail_server, roshan};

/// What a reader of the report meets.
struct Read {
    elements: Vec<String>,
    text: String,
}

impl Read {
    fn count(&self, element: &str) -> usize {
        self.elements.iter().filter(|name| *name == element).count()
    }
}

/// Reads the report as strict XML and checks what holds for every report.
fn read(page: &str) -> Read {
    let mut reader = Reader::from_str(page);
    let mut read = Read { elements: Vec::new(), text: String::new() };
    let (mut ids, mut links) = (HashSet::new(), Vec::new());
    let mut in_style = false;
    loop {
        match reader.read_event().unwrap() {
            Xml::Start(tag) | Xml::Empty(tag) => {
                for attribute in tag.attributes() {
                    let attribute = attribute.unwrap();
                    let value = String::from_utf8(attribute.value.into_owned()).unwrap();
                    match attribute.key.as_ref() {
                        b"id" => assert!(ids.insert(value.clone()), "id {value} twice"),
                        b"href" => links.push(value),
                        b"src" | b"srcset" | b"style" | b"action" => panic!("{value}"),
                        key => assert!(!key.starts_with(b"on"), "{key:?}"),
                    }
                }
                let name = String::from_utf8_lossy(tag.name().as_ref()).into_owned();
                in_style = name == "style";
                read.elements.push(name);
            }
            Xml::Text(part) if !in_style => read.text.push_str(&part.decode().unwrap()),
            Xml::GeneralRef(name) => read.text.push_str(match name.decode().unwrap().as_ref() {
                "lt" | "#60" => "<",
                "gt" | "#62" => ">",
                "amp" | "#38" => "&",
                "quot" | "#34" => "\"",
                "#39" => "'",
                other => panic!("unknown entity {other}"),
            }),
            Xml::End(_) => in_style = false,
            Xml::Text(_) | Xml::DocType(_) => {}
            Xml::Eof => break,
            other => panic!("unexpected {other:?}"),
        }
    }
    for link in links {
        let target = link.strip_prefix('#').expect("a link leads inside");
        assert!(ids.contains(target), "nothing has the id {target}");
    }
    for forbidden in ["script", "iframe", "object", "embed", "form", "link", "img", "base"] {
        assert_eq!(read.count(forbidden), 0, "{forbidden}");
    }
    assert_eq!(read.count("h1"), 1);
    assert_eq!(read.count("table"), read.count("caption"));
    assert_eq!(read.count("main"), 1);
    assert!(!page.contains("url(") && !page.contains("@import"));
    read
}

fn write(hunt: &Hunt) -> String {
    let events = events();
    html(hunt, &context(&events))
}

#[test]
fn the_report_tells_the_story() {
    let page = write(&roshan());
    let read = read(&page);
    assert_eq!(read.count("svg"), 2 + 2 * 5);
    for words in [
        "Four activity clusters (2 attributed with caveats: Calypso, RedFoxtrot; 2 unattributed: PlugX cluster, \
         Winnti cluster) communicated with one mail server (203.0.113.25, telecom, AF).",
        "At least 4 GB left the server in total across the four clusters (95 % lower bound 4.31 GB).",
        "The true figure may be much higher:",
        "2021-08-15 government falls",
        "indicator scans: 3 matches",
        "cdn: 1 match",
        "They cannot show how a host was first entered",
        "version 17 of the book",
        "version 42 of the table",
        "rahdar hunt --from 2020-07-01 --until 2021-09-28",
        "192[.]0[.]2[.]11 443/tcp",
        "+12.0",
        "−2.5",
    ] {
        assert!(read.text.contains(words), "{words}");
    }
    assert_eq!(read.text.matches("TLP:AMBER").count(), 3, "title, top and bottom");
    assert!(page.contains("default-src 'none'; style-src 'unsafe-inline'"));
    assert!(!read.text.contains("192.0.2."), "an indicator that a mail client may link");
}

#[test]
fn the_same_hunt_gives_the_same_octets() {
    assert_eq!(write(&roshan()), write(&roshan()));
}

#[test]
fn a_hunt_over_nothing_is_a_report_too() {
    let read = read(&write(&empty()));
    assert!(read.text.contains("no contact with claimed infrastructure is believed"));
    assert!(read.text.contains("Nothing was discounted."));
    assert!(read.text.contains("No exporter is known"));
}

#[test]
fn what_rests_on_stricter_claims_is_as_strict_and_says_by_whom() {
    let red = Marking { tlp: Some(Tlp::Red), sources: vec!["CERT X".into()] };
    let mut hunt = roshan();
    hunt.findings[0].marking = red.clone();
    hunt.marking = red;
    let page = read(&html(&hunt, &context(&[])));
    let sentence = "TLP:RED, as CERT X marked claims that this rests on.";
    assert_eq!(page.text.matches(sentence).count(), 2, "at the top, and at the finding");
    assert_eq!(page.text.matches("TLP:RED").count(), 5, "title, top and bottom too");
    assert!(!page.text.contains("TLP:AMBER"));
    // A claim that may go further opens nothing.
    hunt.marking = Marking { tlp: Some(Tlp::Clear), sources: vec!["a lab".into()] };
    hunt.findings[0].marking = hunt.marking.clone();
    let open = read(&html(&hunt, &context(&[])));
    assert!(!open.text.contains("CLEAR") && !open.text.contains("a lab"));
}

#[test]
fn every_mark_of_tlp_is_shown() {
    for tlp in [Tlp::Clear, Tlp::Green, Tlp::Amber, Tlp::AmberStrict, Tlp::Red] {
        let page = html(&empty(), &Context { tlp, ..context(&[]) });
        assert_eq!(read(&page).text.matches(&format!("TLP:{}", tlp.word())).count(), 3, "{tlp:?}");
    }
}

/// Puts `text` wherever foreign text may stand.
fn poison(hunt: &mut Hunt, text: &str) {
    for finding in hunt.findings.iter_mut().chain(&mut hunt.discounted) {
        finding.id.push_str(text);
        finding.cluster.name = text.to_owned();
        finding.cluster.tools = vec![text.to_owned()];
        finding.victim.org = text.to_owned();
        finding.victim.sector = text.to_owned();
        finding.victim.country = text.to_owned();
        finding.victim.roles = vec![text.to_owned(); 3];
        let profile = &mut finding.victim.profile;
        for said in
            profile.orgs.iter_mut().chain(&mut profile.sectors).chain(&mut profile.countries.registered)
        {
            (said.value, said.source) = (text.to_owned(), text.into());
        }
        finding.rhythm.why = text.to_owned();
        for reason in &mut finding.reasons {
            reason.text = text.to_owned();
        }
        for surge in &mut finding.surges {
            surge.event = Some(text.to_owned());
        }
        for endpoint in &mut finding.infrastructure {
            endpoint.indicator = text.to_owned();
            endpoint.source = text.into();
        }
    }
    for exporter in &mut hunt.coverage {
        exporter.exporter = text.into();
    }
}

#[test]
fn hostile_text_stays_text() {
    let long = "a very long name ".repeat(10_000);
    for text in [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "'><svg/onload=alert(1)>",
        "</style></title><base href=//example.org>",
        "abc\u{202e}gpj.exe\u{2066}\u{7}\u{1b}[2J\u{0}",
        "{{ 7 * 7 }} {% include \"x\" %}",
        &long,
    ] {
        let mut hunt = roshan();
        poison(&mut hunt, text);
        let events = vec![Event::new(Timestamp::from_seconds(1_629_000_000), text)];
        let context = Context { title: text, version: text, rerun: text, ..context(&events) };
        let page = html(&hunt, &context);
        read(&page);
        assert!(page.len() < 2_000_000, "{} octets", page.len());
        let hides = |c: &char| c.is_control() && *c != '\n' || ('\u{202a}'..='\u{2069}').contains(c);
        let hidden: Vec<char> = page.chars().filter(|c| hides(c) && *c != '\u{202f}').collect();
        assert!(hidden.is_empty(), "{hidden:?}");
    }
}

#[test]
fn clocks_that_lie_do_not_break_a_report() {
    let mut hunt = roshan();
    hunt.findings[0].first_seen = Some(Timestamp::MIN);
    hunt.findings[0].last_seen = Some(Timestamp::MAX);
    hunt.findings[0].daily[0].day = Day(i32::MIN);
    hunt.coverage[0].window = Window::ALL;
    hunt.window = Window::ALL;
    read(&write(&hunt));
}

#[test]
fn a_sweep_with_one_open_end_says_which() {
    let mut hunt = roshan();
    let mut told = |from, until| {
        hunt.window = Window::new(from, until);
        let text = read(&write(&hunt)).text;
        let swept = text.split("Swept").nth(1).unwrap();
        swept.split(',').next().unwrap().to_owned()
    };
    let [first, last] = ["2021-05-01", "2021-06-01"].map(|day| day.parse().unwrap());
    assert_eq!(told(Timestamp::MIN, Timestamp::MAX), "all of history");
    assert_eq!(told(first, Timestamp::MAX), "from 2021-05-01T00:00:00Z");
    assert_eq!(told(Timestamp::MIN, last), "until 2021-06-01T00:00:00Z");
    assert_eq!(told(first, last), "2021-05-01T00:00:00Z until 2021-06-01T00:00:00Z");
}

#[test]
fn the_command_can_be_copied_whatever_its_length_and_letters() {
    for name in ["کلستر", &"192.0.2.0/24 ".repeat(100)] {
        let rerun = format!("rahdar hunt --cluster='{name}'");
        let page = read(&html(&roshan(), &Context { rerun: &rerun, ..context(&[]) }));
        assert!(page.text.contains(&format!("Compute again{rerun}")), "{}", page.text);
    }
}

#[test]
fn five_hundred_findings_stay_small_and_what_is_left_out_is_counted() {
    let mut hunt = roshan();
    let mut victim = mail_server();
    hunt.findings.clear();
    for n in 0..500u32 {
        if n % 5 == 0 {
            victim.address = format!("203.0.113.{}", n / 5).parse().unwrap();
        }
        let cluster = group(&format!("cluster {n}"));
        hunt.findings.push(finding(&victim, &cluster, "2020-07-01", "2021-09-27", 5, 454));
    }
    let scan = hunt.discounted[0].clone();
    hunt.discounted = vec![scan; 500];
    let page = write(&hunt);
    let read = read(&page);
    assert!(page.len() < 6_000_000, "{} octets", page.len());
    assert_eq!(read.count("h3"), 25);
    assert!(read.text.contains("cluster 499"), "every finding has its row");
    assert!(read.text.contains("450 more rows are in the JSON form alone."));
    assert!(read.text.contains("75 hosts are in the table alone."));
}

#[test]
fn five_hundred_clusters_on_one_host_stay_small_too() {
    let mut hunt = roshan();
    let victim = mail_server();
    let one = |n| finding(&victim, &group(&format!("cluster {n}")), "2020-07-01", "2021-09-27", 5, 454);
    hunt.findings = (0..500).map(one).collect();
    let pair = Company { victim: victim.address, ..hunt.companies[0].clone() };
    hunt.companies = vec![pair; 190];
    let page = write(&hunt);
    let read = read(&page);
    assert!(page.len() < 6_000_000, "{} octets", page.len());
    assert_eq!(read.count("h3"), 25);
    assert!(read.text.contains("475 more clusters are in the table alone."));
    assert_eq!(read.text.matches("consistent with").count(), 21);
    assert!(read.text.contains("169 more pairs are in the JSON form alone."));
    assert!(read.text.contains("475 more findings on this host have a row in the table of findings alone."));
    assert!(read.text.contains("484 more clusters are in the table alone"), "lanes");
}

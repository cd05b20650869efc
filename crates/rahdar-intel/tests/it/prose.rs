//! Reports: what is proposed of them, and what is not.

use rahdar_intel::assertion::{Proposal, Statement};
use rahdar_intel::reading::Format;
use rahdar_intel::{Names, ReadOptions, read, read_knowing};

use crate::corpus;

/// A proposal in one line.
fn shown(proposal: &Proposal) -> String {
    let window = |window: rahdar_model::Window| format!(" {window:?}").replace("T00:00:00Z", "");
    match &proposal.statement {
        Statement::Claim(claim) => {
            let cluster = claim.cluster.as_ref().map(|id| format!(" of {id}")).unwrap_or_default();
            let port = claim.port.map(|port| format!(" :{port}")).unwrap_or_default();
            format!("{}{port}{cluster}{} {}", claim.indicator, window(claim.validity), claim.basis.word())
        }
        Statement::Assertion(said) => {
            let held = said.window.map(window).unwrap_or_default();
            let by = said.asserted_by.as_ref().map(|who| format!(" says {who}")).unwrap_or_default();
            format!("{} {} {}{held}{by}", said.subject, said.relation.word(), said.object)
        }
    }
}

fn proposals(name: &str, bytes: &[u8]) -> Vec<Proposal> {
    let reading = read(name, bytes, &ReadOptions::default()).unwrap();
    assert_eq!((reading.format, reading.claims.len()), (Format::Report, 0));
    reading.proposals
}

/// What of each line must be among the proposals, as the beginning of one, and what must not.
fn check(name: &str, bytes: &[u8], expected: &[&str], never: &[&str]) {
    let proposals: Vec<String> = proposals(name, bytes).iter().map(shown).collect();
    for line in expected {
        assert!(
            proposals.iter().any(|it| it.starts_with(line)),
            "`{line}` is not in\n{}",
            proposals.join("\n")
        );
    }
    for part in never {
        assert!(!proposals.iter().any(|it| it.contains(part)), "`{part}` is in\n{}", proposals.join("\n"));
    }
}

#[test]
fn the_two_articles_yield_who_what_whom_and_when() {
    let Some(folder) = corpus::folder() else { return };
    let article = |name: &str| std::fs::read(folder.join("../articles").join(name)).unwrap();
    let both = [
        "Calypso is group",
        "RedFoxtrot is group",
        "Winnti cluster is unattributed cluster",
        "Winnti cluster uses Winnti",
        "PlugX cluster is unattributed cluster",
        "PlugX cluster uses PlugX",
    ];
    let never = [
        "Winnti is group",
        "PlugX is group",
        "roshan.af",
        "recordedfuture.com",
        "therecord.media",
        "United States",
    ];
    let name = "articles/securityweek-2021-09-28.txt";
    check(name, &article(name.split_once('/').unwrap().1), &both, &never);
    check(
        name,
        &article("securityweek-2021-09-28.txt"),
        &[
            "Calypso targets Roshan [2020-07-01, 2021-09-29)",
            "Calypso exploits ProxyLogon",
            "ProxyLogon is vulnerability",
            "the activity reported targets Afghanistan",
            "the activity reported active  [2021-08-01, 2021-10-01)",
        ],
        &[],
    );
    let name = "articles/the-record-2021-09-28.md";
    check(name, &article("the-record-2021-09-28.md"), &both, &never);
    check(
        name,
        &article("the-record-2021-09-28.md"),
        &[
            "Calypso targets Roshan [2020-07-01, 2021-10-01)",
            "RedFoxtrot targets Roshan [2021-03-01, 2021-06-01)",
            "RedFoxtrot targets Afghanistan",
            "RedFoxtrot attributed to PLA Unit 69010 says Insikt",
        ],
        &[],
    );
    let unit = proposals(name, &article("the-record-2021-09-28.md"));
    let unit = unit.iter().find(|proposal| shown(proposal).contains("69010")).unwrap();
    assert!(unit.sentence.contains("Unit 69010 located in") && unit.place.starts_with("line "), "{unit:?}");
    let Statement::Assertion(said) = &unit.statement else { panic!("a unit is never a claim") };
    assert_eq!(&*said.source, "The Record");
}

const PAGE: &str = r#"<!DOCTYPE html><html><head><title>Grey Weasel goes on | Example Labs</title>
<link rel="canonical" href="https://labs.example.net/weasel"><meta property="og:site_name" content="Example Labs">
<meta name="date" content="2022-02-10"></head><body class="has-sidebar">
<header><a href="https://labs.example.net/">labs.example.net</a></header>
<nav><ul><li><a href="https://social.example.com">social.example.com</a></li><li>203.0.113.77</li></ul></nav>
<div id="cookie-consent"><p>We use cookies of tracker.example.com and 203.0.113.78. Accept all.</p></div>
<article><h1>UNC9999 goes on</h1><p>By A. Writer</p>
<p>We assess with moderate confidence that UNC9999 has targeted the Ministry of Examples of Mongolia from March to May 2021.
The group overlaps with TAG-99, and vendor.example.org wrote of it. It called evil&#8203;-host[.]example[.]org in April 2021.</p>
<p>Its servers answered 8.8.8.8 and 192.0.2.9 too, and <a href="https://docs.example.com/x">docs.example.com</a> explains how.</p>
<h2>Indicators of Compromise</h2>
<table><tr><th>Indicator</th><th>Type</th><th>First seen</th><th>Last seen</th></tr>
<tr><td>198[.]51[.]100[.]7:8443</td><td>C2</td><td>2021-04-02</td><td>2021-04-20</td></tr>
<tr><td>hxxps://c2[.]example[.]net/gate</td><td>URL</td><td></td><td></td></tr>
<tr><td>d41d8cd98f00b204e9800998ecf8427e</td><td>MD5</td><td></td><td></td></tr></table>
<h2>References</h2><ul><li>https://other.example.net/turla-group</li><li>Turla Group returns, 192.0.2.250</li></ul>
</article><footer>Example Labs, labs.example.net, 203.0.113.79</footer></body></html>"#;

#[test]
fn a_page_yields_its_indicators_and_none_of_what_surrounds_it() {
    check(
        "page.html",
        PAGE.as_bytes(),
        &[
            "UNC9999 is group",
            "UNC9999 targets Ministry of Examples of Mongolia [2021-03-01, 2021-06-01)",
            "UNC9999 overlaps TAG-99",
            "evil-host.example.org of unc9999 [2021-04-01, 2021-05-01) stated",
            "192.0.2.9 of unc9999 [2021-11-12, 2022-02-11) published",
            "198.51.100.7 :8443 of unc9999 [2021-04-02, 2021-04-21) stated",
            "https://c2.example.net/gate",
            "d41d8cd98f00b204e9800998ecf8427e",
        ],
        &[
            "labs.example.net",
            "social",
            "tracker",
            "203.0.113",
            "vendor.example.org",
            "docs.example.com",
            "8.8.8.8",
            "other.example.net",
            "Turla",
            "192.0.2.250",
        ],
    );
    let found = proposals("page.html", PAGE.as_bytes());
    let targets = found.iter().find(|it| shown(it).contains(" targets ")).unwrap();
    assert!(
        targets.wording.contains("with moderate confidence")
            && targets.wording.contains("from March to May 2021")
    );
}

#[test]
fn what_the_operator_says_of_publication_wins() {
    let options = ReadOptions { published: Some("2023-01-01".parse().unwrap()), ..ReadOptions::default() };
    let reading = read("page.html", PAGE.as_bytes(), &options).unwrap();
    let lines: Vec<String> = reading.proposals.iter().map(shown).collect();
    assert!(
        lines.iter().any(|line| line.starts_with("192.0.2.9 of unc9999 [2022-10-03, 2023-01-02)")),
        "{lines:#?}"
    );
}

#[test]
fn a_list_below_a_note_is_a_list() {
    let text = "Servers of the kit. We saw them in May.\n\nc2[.]example[.]org\n192.0.2.1\n198.51.100.1\n";
    assert_eq!(read("list.txt", text.as_bytes(), &ReadOptions::default()).unwrap().format, Format::List);
}

#[test]
fn a_title_that_says_indicators_heads_a_list() {
    let told =
        "We saw it in the morning on a host. It was gone by noon of that day. Nobody asked for it again.";
    let page = |title: &str| format!(":toc:\n\n= {title}\n\n{told}\n\n192.0.2.1\n");
    let claims = |title: &str| {
        let reading =
            rahdar_intel::read("page.adoc", page(title).as_bytes(), &ReadOptions::default()).unwrap();
        (reading.claims.len(), reading.proposals.len())
    };
    assert_eq!(claims("Operation Example: Indicators of Compromise"), (1, 0));
    assert_eq!(claims("Operation Example"), (0, 1));
}

#[test]
fn names_of_a_galaxy_are_known_and_never_made_one() {
    let galaxy = r#"{"type":"threat-actor","uuid":"5a0d5cac-2ef4-4bae-baa4-4a91950d210f","values":[
        {"value":"Wobble","meta":{"synonyms":["BRONZE WOBBLE","Jelly"],"origin:BRONZE WOBBLE":"Example"}}]}"#;
    let galaxy = read("galaxy.json", galaxy.as_bytes(), &ReadOptions::default()).unwrap();
    let names = Names::of(&galaxy.clusters, &galaxy.assertions);
    let report = "A report\n\nThe group behind it, which we know as Wobble, attacked Example Net. Jelly was seen elsewhere by another group.\
        It used its tools again. That was all that was seen.\n";
    let reading = read_knowing("report.txt", report.as_bytes(), &ReadOptions::default(), &names).unwrap();
    let lines: Vec<String> = reading.proposals.iter().map(shown).collect();
    assert!(lines.iter().any(|line| line.starts_with("Wobble targets Example Net")), "{lines:#?}");
    assert_eq!(galaxy.clusters.len(), 1, "synonyms are relations");
    assert!(
        galaxy
            .assertions
            .iter()
            .any(|said| said.object == "BRONZE WOBBLE" && said.asserted_by.as_deref() == Some("Example"))
    );
}

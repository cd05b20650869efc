//! Ten thousand damaged inputs: never a panic, and an error names its place.

use rahdar_intel::scan::rule::Rules;
use rahdar_intel::{ReadError, ReadOptions, read};

const EVENT: &str = r#"{"Event":{"info":"x","date":"2021-06-16","Orgc":{"name":"Example CERT"},"Tag":[{"name":"misp-galaxy:threat-actor=\"RedFoxtrot\""}],
 "Attribute":[{"uuid":"5a0d5cac-2ef4-4bae-baa4-4a91950d210f","type":"ip-dst|port","value":"192.0.2.1|443","to_ids":true,"first_seen":"2021-05-01",
  "timestamp":"1623801600","Sighting":[{"type":"0","date_sighting":"1625745600"}]}],
 "Object":[{"name":"ip-port","Attribute":[{"type":"ip-dst","object_relation":"ip","value":"192.0.2.2"}]}]}}"#;
const RECORDS: &str = r#"{"rrname":"c2.example.org.","rrtype":"A","rdata":"192.0.2.1","time_first":1620604800,"time_last":"1620691200","count":14}
{"rrname":"c2.example.org","rrtype":28,"rdata":["2001:db8::1"],"zone_time_first":1620604800,"zone_time_last":1620691200}"#;
const SCAN: &str = r#"{"ip":"192.0.2.1","data":{"http":{"status":"success","timestamp":"2021-05-10T12:00:00Z","result":{"response":{"status_code":200,"headers":{"server":["x"]},"body":"<title>x</title>"}}}}}
{"ip_str":"192.0.2.2","port":443,"transport":"tcp","timestamp":"2021-05-10T01:02:03","data":"HTTP/1.1 200 OK\r\nServer: x","ssl":{"jarm":"0"},"http":{}}
{"ip":"192.0.2.3","services":[{"port":1,"observed_at":"2021-05-10T01:02:03Z","http":{"response":{"body_hash":"sha1:0"}}}]}"#;
const LIST: &str = r#"{"name":"Sinkholes","type":"cidr","version":20240422,"matching_attributes":["ip-dst"],"list":["192.0.2.0/24","2001:db8::/32"]}"#;
const GALAXY: &str = r#"{"type":"threat-actor","uuid":"5a0d5cac-2ef4-4bae-baa4-4a91950d210f","values":[{"value":"RedFoxtrot"}]}"#;
const RULES: &str = "rules:\n  - name: r\n    tools: [x]\n    when:\n      all:\n        - http.title: x\n        - not: {banner: {regex: '^[a-z]+$'}}\n        - any: [{port: [1, 2]}]\n";

const PAGE: &str = r#"<!DOCTYPE html><html><head><title>A title</title><meta property="article:published_time" content="2021-09-28"></head>
<body><nav>Home</nav><article><h1>A group</h1><p>The group RedFoxtrot has targeted Example Net since May 2021, says Example Labs.</p>
<table><tr><th>Domain</th><td>c2[.]example[.]org</td></tr></table><ul><li>192[.]0[.]2[.]1</li></ul></article></body></html>"#;
const MARKDOWN: &str = "# A group\n\nDate: September 28, 2021\n\nThe group RedFoxtrot has [targeted](https://example.org) Example Net since at least May 2021. It went on until June. It used PlugX, says Example Labs.\n\n- c2[.]example[.]org\n\n| a | b |\n|---|---|\n| hxxp://192.0.2.1/x | May 2021 |\n";
const PDF: &str = "%PDF-1.4\n1 0 obj <</Type/Catalog/Pages 2 0 R>> endobj 2 0 obj <</Kids[3 0 R]/Resources<</Font<</F 4 0 R>>>>>> endobj\n3 0 obj <</Type/Page/Contents[5 0 R 6 0 R]>> endobj 4 0 obj <</Type/Font/Subtype/Type0/ToUnicode 7 0 R/DescendantFonts[<</W[1[500 600] 3 9 700]>>]>> endobj\n5 0 obj <</Length 60>> stream\nBT /F 10 Tf 72 720 Td [<0001>-300<0002>] TJ T* (\\001\\002) Tj ET\nendstream endobj 6 0 obj <</Filter[/ASCIIHexDecode/LZWDecode]/DecodeParms[null <</Predictor 12/Columns 3>>]>> stream\n800b6050220c0c8501>\nendstream endobj\n7 0 obj <</Length 70>> stream\nbeginbfchar <0001> <0041> endbfchar beginbfrange <0002> <0009> <0042> endbfrange\nendstream endobj 8 0 obj <</Type/ObjStm/N 1/First 4/Length 9>> stream\n9 0 <</A 1>>\nendstream endobj trailer <</Root 1 0 R>>";

/// Numbers without order, the same in every run (Knuth's constants).
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}

/// The text with a part cut out, doubled or overwritten, one to three times.
fn damaged(text: &str, draw: &mut Draw) -> Vec<u8> {
    const PARTS: [&str; 14] = [
        "\"",
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "null",
        "-1",
        "1e999",
        "\\u0000",
        "\u{fffd}",
        "99999999999999999999",
        "--",
    ];
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..=draw.below(3) {
        let from = draw.below(bytes.len());
        let to = (from + 1 + draw.below(24)).min(bytes.len());
        let part = match draw.below(4) {
            0 => Vec::new(),
            1 => bytes[from..to].repeat(2),
            2 => PARTS[draw.below(PARTS.len())].as_bytes().to_vec(),
            _ => vec![draw.below(256) as u8],
        };
        bytes.splice(from..to, part);
    }
    bytes
}

#[test]
fn ten_thousand_damaged_inputs_are_read_or_refused_with_their_place() {
    let options = ReadOptions { rules: Some(Rules::parse(RULES).unwrap()), ..ReadOptions::default() };
    let mut draw = Draw(1);
    let mut errors = 0;
    for round in 0..2_000 {
        for text in [EVENT, RECORDS, SCAN, LIST, GALAXY, PAGE, MARKDOWN, PDF] {
            let bytes = damaged(text, &mut draw);
            let shown = String::from_utf8_lossy(&bytes);
            match read("damaged.json", &bytes, &options) {
                Ok(reading) => {
                    assert!(
                        reading.refused.iter().all(|refusal| !refusal.place.is_empty()),
                        "{round}: {shown}"
                    );
                    assert!(
                        reading.proposals.iter().all(|it| !it.place.is_empty() && !it.sentence.is_empty()),
                        "{round}: {shown}"
                    );
                }
                Err(ReadError::CutOff { line, column, .. } | ReadError::NotJson { line, column, .. }) => {
                    assert!(
                        line > 0 && line <= shown.split('\n').count() && column <= shown.len(),
                        "{shown}"
                    );
                    errors += 1;
                }
                Err(_) => errors += 1,
            }
        }
        let rules = String::from_utf8_lossy(&damaged(RULES, &mut draw)).into_owned();
        if let Err(error) = Rules::parse(&rules) {
            assert!(!error.to_string().is_empty(), "{rules}");
        }
    }
    assert!(errors > 1_000, "{errors}");
}

/// Reads it, however it ends; it must end soon.
#[expect(clippy::disallowed_methods, reason = "what is measured is the time that it takes")]
fn check_bounded(bytes: &[u8]) {
    let begun = std::time::Instant::now();
    let _ = read("hostile.html", bytes, &ReadOptions::default());
    assert!(begun.elapsed().as_secs() < MINUTE, "{:?}", &bytes[..bytes.len().min(60)]);
}

/// Seconds that no report of a megabyte may take in a build that is not optimised.
const MINUTE: u64 = 60;

#[test]
fn hostile_pages_and_texts_end_soon() {
    for part in [
        "<div>",
        "<b><i>",
        "<a href='",
        "<!--",
        "<table><tr><td>",
        "&#x",
        "</",
        "<nav>",
        "<article>",
        "<p>a<br>",
    ] {
        check_bounded(format!("<html>{}", part.repeat((1 << 19) / part.len())).as_bytes());
    }
    for part in [
        "[",
        "**",
        "> ",
        "- ",
        "`",
        "| ",
        "a[.]",
        "hxxp://",
        "CVE-",
        "May ",
        "A. ",
        "The group ",
        "China, ",
        "\u{ad}",
    ] {
        let text = "The group was here. It was there. They saw it. ".repeat(20);
        check_bounded(format!("# x\n{text}\n\n{}\n", part.repeat((1 << 17) / part.len())).as_bytes());
    }
}

#[test]
fn what_a_pdf_unpacks_to_is_bounded() {
    use std::io::Write;
    let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    packer.write_all(&vec![b' '; 64 << 20]).unwrap();
    let bomb = packer.finish().unwrap();
    let mut file = b"%PDF-1.5\n1 0 obj <</Type/Catalog/Pages 2 0 R>> endobj 2 0 obj <</Kids[".to_vec();
    for page in 10..500 {
        file.extend(format!("{page} 0 R ").bytes());
    }
    file.extend(b"]>> endobj ");
    for page in 10..500 {
        file.extend(format!("{page} 0 obj <</Type/Page/Contents 3 0 R>> endobj ").bytes());
    }
    for (object, kind) in
        [(3, ""), (4, "/Type/ObjStm/N 100000/First 900000"), (5, "/Type/ObjStm/N 1/First 4")]
    {
        file.extend(
            format!("{object} 0 obj <<{kind}/Filter/FlateDecode/Length {}>> stream\n", bomb.len()).bytes(),
        );
        file.extend(&bomb);
        file.extend(b"\nendstream endobj ");
    }
    file.extend(b"trailer <</Root 1 0 R>>");
    check_bounded(&file);
    let nested = format!("%PDF-1.4 1 0 obj {} endobj trailer <</Root 1 0 R>>", "[<</A".repeat(200_000));
    check_bounded(nested.as_bytes());
    check_bounded("%PDF-1.4 1 0 obj <</Kids[1 0 R]/Length 1 0 R>> stream ".repeat(10_000).as_bytes());
}

#[test]
fn what_is_nested_without_end_is_an_error() {
    let deep = |open: &str, close: &str| format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
    let event = format!(r#"{{"Event":{{"Attribute":{}}}}}"#, deep("[", "]"));
    let scan = format!(r#"{{"ip":"192.0.2.1","data":{{"http":{}}}}}"#, deep(r#"{"a":"#, "}"));
    let list = format!(r#"{{"name":"x","list":[{}]}}"#, deep("[", "]"));
    for text in [event, list] {
        let error = read("deep.json", text.as_bytes(), &ReadOptions::default()).unwrap_err();
        assert!(matches!(error, ReadError::NotJson { .. }), "{error}");
    }
    let reading = read("deep.json", scan.as_bytes(), &ReadOptions::default());
    assert!(reading.is_err() || reading.is_ok_and(|reading| reading.refused_count == 1));
}

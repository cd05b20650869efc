//! Whole figures: what they say, that they are well formed, that nothing foreign breaks out.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

use quick_xml::Reader;
use quick_xml::events::Event as Xml;
use rahdar_figure::{Bars, Figure, Lane, Lanes, Validity, bars, lanes, validity};
use rahdar_model::finding::{Daily, Infrastructure};
use rahdar_model::intelligence::Event;
use rahdar_model::{Day, Estimate, Timestamp, Window};

/// Reads the SVG as strict XML and returns the names of its elements and all its text.
fn read(figure: &Figure) -> (Vec<String>, String) {
    let mut reader = Reader::from_str(&figure.svg);
    let (mut elements, mut text) = (Vec::new(), String::new());
    loop {
        match reader.read_event().unwrap() {
            Xml::Start(tag) | Xml::Empty(tag) => {
                for attribute in tag.attributes() {
                    let attribute = attribute.unwrap();
                    let name = String::from_utf8_lossy(attribute.key.as_ref()).into_owned();
                    assert!(!name.starts_with("on") && name != "style" && name != "href", "{name}");
                    assert!(!attribute.value.contains(&b'\n'), "{name}");
                }
                elements.push(String::from_utf8_lossy(tag.name().as_ref()).into_owned());
            }
            Xml::Text(part) => text.push_str(&part.decode().unwrap()),
            Xml::GeneralRef(name) => text.push_str(match name.decode().unwrap().as_ref() {
                "lt" => "<",
                "gt" => ">",
                "amp" => "&",
                "quot" => "\"",
                "#39" => "'",
                other => panic!("unknown entity {other}"),
            }),
            Xml::End(_) => {}
            Xml::Eof => return (elements, text),
            other => panic!("unexpected {other:?}"),
        }
    }
}

/// Checks what holds for every figure, and that its text has all of `words`.
fn check(figure: &Figure, words: &[&str]) {
    let (elements, text) = read(figure);
    assert_eq!(elements[..3], ["svg", "title", "desc"]);
    let allowed = ["svg", "g", "title", "desc", "rect", "path", "circle", "text"];
    assert!(elements.iter().all(|element| allowed.contains(&element.as_str())), "{elements:?}");
    assert!(figure.svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" viewBox="));
    assert!(!figure.svg.contains("NaN") && !figure.svg.contains("inf"));
    for word in words {
        assert!(text.contains(word), "{word} is not in {text}");
    }
    let width = figure.table.columns.len();
    assert!(figure.table.rows.iter().all(|row| row.len() == width));
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn span(from: &str, until: &str) -> Window {
    Window::new(time(from), time(until))
}

fn day(text: &str, low: f64, point: f64, high: Option<f64>) -> Daily {
    Daily {
        day: text.parse().unwrap(),
        octets_out: Estimate::new(point as u64, low, point, high),
        octets_in: Estimate::exact(900),
        flows: 3,
    }
}

fn event(date: &str, label: &str) -> Event {
    Event::new(time(date), label)
}

fn lane<'a>(label: &'a str, daily: &'a [Daily]) -> Lane<'a> {
    Lane {
        label,
        series: label.len(),
        daily,
        first_seen: daily.first().map_or(Timestamp::MIN, |day| day.day.start()),
        last_seen: daily.last().map_or(Timestamp::MAX, |day| day.day.start()),
        at_least: true,
    }
}

fn endpoint(address: &str, validity: Window) -> Infrastructure {
    Infrastructure {
        address: address.parse().unwrap(),
        port: 443,
        protocol: 6,
        indicator: address.to_owned(),
        validity,
        source: "a list".into(),
        first_seen: Some(time("2021-08-14T12:00:00Z")),
        last_seen: Some(time("2021-08-16T12:00:00Z")),
        flows: 1_234,
    }
}

/// Every day of some span, so that figures meet their limits.
fn every_day(from: &str, days: i32) -> Vec<Daily> {
    let Day(first) = from.parse().unwrap();
    let size = |n: i32| f64::from(n * 7_919 % 50_000_000);
    (0..days)
        .map(|n| Daily {
            day: Day(first + n),
            octets_out: Estimate::new(1, size(n) * 0.8, size(n), Some(size(n) * 1.3)),
            octets_in: Estimate::exact(1),
            flows: 1,
        })
        .collect()
}

const HOSTILE: [&str; 4] =
    ["<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "abc\u{202e}gpj.exe\u{7}", "]]>&lt;"];

#[test]
fn bars_have_bounds() {
    let daily = [
        day("2021-08-14", 12_000_000.0, 15_000_000.0, Some(21_000_000.0)),
        day("2021-08-16", 0.0, 4_200_000.0, None),
    ];
    let events = [event("2021-08-15", "the event")];
    let gaps = [span("2021-08-13", "2021-08-14")];
    let window = span("2021-08-13", "2021-08-18");
    let figure = Bars {
        title: "Octets out of 203.0.113.25",
        window,
        daily: &daily,
        series: 0,
        events: &events,
        gaps: &gaps,
    }
    .draw();
    check(
        &figure,
        &["2021-08-14: at least 12.0 MB, estimate 15.0 MB, at most 21.0 MB", "no telemetry", "UTC"],
    );
    insta::assert_snapshot!("bars", figure.svg.replace("><", ">\n<"));
    insta::assert_debug_snapshot!("bars_table", figure.table.rows);
}

#[test]
fn lanes_show_who_was_there_and_when() {
    let (one, two) = (every_day("2021-08-14", 2), every_day("2021-08-16", 1));
    let lanes = [lane("Cluster one", &one), lane("Cluster two", &two)];
    let events = [event("2021-08-15", "the event"), event("2031-01-01", "far away")];
    let window = span("2021-08-13", "2021-08-18");
    let figure = Lanes { title: "203.0.113.25", window, lanes: &lanes, events: &events, gaps: &[] }.draw();
    check(&figure, &["Cluster one: 2 days with contact from at least 2021-08-14 to at least 2021-08-15."]);
    check(&figure, &["Events: 2021-08-15 the event."]);
    assert!(!figure.svg.contains("far away"));
    insta::assert_snapshot!("lanes", figure.svg.replace("><", ">\n<"));
}

#[test]
fn strips_show_claim_against_contact() {
    let endpoints = [
        endpoint("192.0.2.9", span("2021-08-14", "2021-08-18")),
        endpoint("192.0.2.10", span("2021-08-15", "2021-08-16")),
        endpoint("2001:db8::9", Window::ALL),
    ];
    let window = span("2021-08-13", "2021-08-20");
    let figure =
        Validity { title: "Endpoints", window, infrastructure: &endpoints, series: 1, gaps: &[] }.draw();
    check(&figure, &["192[.]0[.]2[.]9 443/tcp", "Contact with 2 of them lies wholly inside"]);
    let claims: Vec<_> = figure.table.rows.iter().map(|row| row[2].as_str()).collect();
    assert_eq!(claims, ["2021-08-14 to 2021-08-17", "2021-08-15 to 2021-08-15", "undated"]);
    insta::assert_snapshot!("validity", figure.svg.replace("><", ">\n<"));
}

#[test]
fn nothing_to_draw_is_said() {
    for window in [span("2021-08-13", "2021-08-18"), span("2021-08-13", "2021-08-13"), Window::ALL] {
        let lanes = Lanes { title: "", window, lanes: &[], events: &[], gaps: &[Window::ALL] }.draw();
        check(&lanes, &["no contact is believed"]);
        let bars =
            Bars { title: "", window, daily: &[], series: 0, events: &[], gaps: &[Window::ALL] }.draw();
        check(&bars, &["no contact is believed"]);
        let strips = Validity { title: "", window, infrastructure: &[], series: 0, gaps: &[] }.draw();
        check(&strips, &["no endpoint was met"]);
    }
}

#[test]
fn one_day_and_454_days_are_both_drawn() {
    for days in [1, 454] {
        let daily = every_day("2020-07-01", days);
        let window = Window::new(daily[0].day.start(), daily[days as usize - 1].day.window().until);
        let figure = Bars { title: "t", window, daily: &daily, series: 2, events: &[], gaps: &[] }.draw();
        check(&figure, &[&format!("each of {days} days")]);
        assert_eq!(figure.table.rows.len(), days as usize);
        let lanes = [lane("a", &daily)];
        check(&Lanes { title: "t", window, lanes: &lanes, events: &[], gaps: &[] }.draw(), &["< 1 MB"]);
    }
}

#[test]
fn hostile_text_stays_text() {
    for text in HOSTILE {
        let daily = [day("2021-08-15", 1.0, 2.0, Some(3.0))];
        let window = span("2021-08-13", "2021-08-18");
        let events = [event("2021-08-15", text)];
        let (lanes, gaps) = ([lane(text, &daily)], [Window::ALL]);
        let mut strip = endpoint("192.0.2.9", Window::ALL);
        (strip.indicator, strip.source) = (text.to_owned(), text.into());
        for figure in [
            Lanes { title: text, window, lanes: &lanes, events: &events, gaps: &gaps }.draw(),
            Bars { title: text, window, daily: &daily, series: 0, events: &events, gaps: &gaps }.draw(),
            Validity { title: text, window, infrastructure: &[strip], series: 0, gaps: &gaps }.draw(),
        ] {
            check(&figure, &[]);
            let cells = figure.table.rows.concat().join(" ") + &figure.table.caption + &figure.svg;
            assert!(!cells.contains(['\u{202e}', '\u{7}']), "{text}");
        }
    }
}

#[test]
fn what_is_not_drawn_is_counted_and_in_the_table() {
    let window = span("2010-01-01", "2021-01-01");
    let daily = every_day("2010-01-01", bars::MOST_DAYS as i32 + 7);
    let figure = Bars { title: "t", window, daily: &daily, series: 0, events: &[], gaps: &[] }.draw();
    check(&figure, &["7 earlier days are in the table alone"]);
    assert_eq!(figure.table.rows.len(), daily.len());

    let lanes = vec![lane("a", &daily[..3]); lanes::MOST_LANES + 2];
    let figure = Lanes { title: "t", window, lanes: &lanes, events: &[], gaps: &[] }.draw();
    check(&figure, &["2 more clusters are in the table alone"]);
    assert_eq!(figure.table.rows.len(), lanes.len());

    let endpoints = vec![endpoint("192.0.2.9", Window::ALL); validity::MOST_STRIPS + 3];
    let figure = Validity { title: "t", window, infrastructure: &endpoints, series: 0, gaps: &[] }.draw();
    check(&figure, &["3 more endpoints are in the table alone"]);

    let events: Vec<_> = (1..=9).map(|n| event("2015-06-01", &format!("event {n}"))).collect();
    let figure = Bars { title: "t", window, daily: &[], series: 0, events: &events, gaps: &[] }.draw();
    check(&figure, &["2015-06-01 event 5; and 4 more.", "5 of 9 events have a label"]);
    let events: Vec<_> = (0..9_999).map(|n| event("2015-06-01", &n.to_string())).collect();
    let figure = Bars { title: "t", window, daily: &[], series: 0, events: &events, gaps: &[] }.draw();
    check(&figure, &["5 of 9999 events have a label"]);
    assert!(figure.svg.len() < 100_000);
}

#[test]
fn clocks_that_lie_do_not_break_a_figure() {
    let daily = [
        Daily { day: Day(i32::MIN), ..day("2021-08-15", 1.0, f64::INFINITY, None) },
        Daily { day: Day(i32::MAX), ..day("2021-08-15", 1.0, 2.0, Some(f64::NAN)) },
    ];
    let mut strip = endpoint("192.0.2.9", Window::new(Timestamp::MAX, Timestamp::MIN));
    (strip.first_seen, strip.last_seen) = (Some(Timestamp::MAX), Some(Timestamp::MIN));
    for window in [Window::ALL, span("2021-08-13", "2021-08-18"), Window::new(Timestamp::MAX, Timestamp::MIN)]
    {
        let lanes = [lane("a", &daily), lane("b", &[])];
        check(&Lanes { title: "t", window, lanes: &lanes, events: &[], gaps: &[window] }.draw(), &[]);
        check(&Bars { title: "t", window, daily: &daily, series: 9, events: &[], gaps: &[] }.draw(), &[]);
        let strips = Validity { title: "t", window, infrastructure: &[strip.clone()], series: 0, gaps: &[] };
        check(&strips.draw(), &[]);
    }
}

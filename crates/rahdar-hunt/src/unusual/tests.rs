//! Stories of hosts and whom they upload to, and how often chance alone tells one.

use std::convert::Infallible;

use proptest::prelude::*;
use rahdar_intel::registry::{Dump, Label, Routes, Shelf};
use rahdar_model::FlowRecord;
use rahdar_testkit::builder::FlowBuilder;
use rahdar_testkit::{NaiveStore, flow, is_nightly};

use super::*;
use crate::chance::Chance;

const HOST: &str = "203.0.113.25";
/// The day on which something is planted.
const DAY: i64 = 60;

fn at(day: i64, hour: i64) -> Timestamp {
    Timestamp::from_seconds(1_600_041_600 + 86_400 * day + 3_600 * hour)
}

/// An upload that is acknowledged.
fn sent(from: &str, to: &str, time: Timestamp, octets: u64) -> FlowBuilder {
    flow(&format!("{from}:50000 > {to}:443"))
        .at_time(time)
        .sent(octets.div_ceil(1_000), octets)
        .answered(20, 1_200)
}

/// What a host does every day: some 100 kB to somebody new, a page from somebody new, a backup at night.
fn habits(host: &str, days: i64) -> Vec<FlowBuilder> {
    let own: i64 = host.rsplit('.').next().unwrap().parse().unwrap();
    (0..days)
        .flat_map(|day| {
            let (net, host) = (day + own, host.to_owned());
            let page = flow(&format!("{host}:50001 > 198.19.{net}.9:443"));
            [
                sent(&host, &format!("198.18.{net}.9"), at(day, 12), 100_000 + 2_000 * (day * 7 % 50) as u64),
                page.at_time(at(day, 13)).sent(2_000, 104_000).answered(4_000, 6_000_000),
                sent(&host, "192.0.2.20", at(day, 21), 25_000_000),
            ]
        })
        .collect()
}

fn ask(window: Window) -> Ask {
    let hosts: Vec<Prefix> = vec!["203.0.113.0/24".parse().unwrap()];
    Ask { window, hosts: hosts.clone(), own: hosts }
}

fn all(flows: impl IntoIterator<Item = FlowBuilder>) -> Uploads {
    uploads(&NaiveStore::of(flows), &ask(Window::ALL), &Holders::default()).unwrap()
}

fn measured(upload: &Upload) -> Measured {
    upload.measured.unwrap_or_else(|| panic!("{upload:?}"))
}

/// The hosts and hours told, and to whom most went.
fn told(uploads: &Uploads) -> Vec<(String, Timestamp, String)> {
    let one = |upload: &Upload| (upload.host.to_string(), upload.hour, upload.to[0].address.to_string());
    uploads.found.iter().map(one).collect()
}

fn check(planted: impl IntoIterator<Item = FlowBuilder>, expected: &[(i64, i64, &str)]) {
    let uploads = all(habits(HOST, DAY).into_iter().chain(planted));
    let expected: Vec<_> =
        expected.iter().map(|(day, hour, to)| (HOST.to_owned(), at(*day, *hour), (*to).to_owned())).collect();
    assert_eq!(told(&uploads), expected);
}

#[test]
fn neither_the_order_of_flows_nor_a_second_thread_changes_a_row() {
    let planted = [
        sent(HOST, "198.51.100.9", at(DAY, 3), 50_000_000),
        sent(HOST, "198.51.100.7", at(DAY, 3), 50_000_000),
    ];
    let of = |host: &str| habits(host, DAY + 2);
    let mut flows: Vec<FlowRecord> = [HOST, "203.0.113.7"]
        .iter()
        .flat_map(|host| of(host))
        .chain(planted)
        .map(FlowBuilder::build)
        .collect();
    let alone = uploads(&NaiveStore::of(flows.clone()), &ask(Window::ALL), &Holders::default()).unwrap();
    assert_eq!(alone.found.len(), 1);
    let mut dice = Chance::of("order of flows", &[]);
    for place in (1..flows.len()).rev() {
        flows.swap(place, dice.below(place + 1));
    }
    let shuffled = NaiveStore::of(flows);
    let again = || uploads(&shuffled, &ask(Window::ALL), &Holders::default()).unwrap();
    let both = std::thread::scope(|scope| {
        let other = scope.spawn(again);
        (again(), other.join().unwrap())
    });
    assert_eq!(both, (alone.clone(), alone));
}

#[test]
fn a_great_upload_to_somebody_new_is_told_and_the_nightly_backup_is_not() {
    check([], &[]);
    check([sent(HOST, "192.0.2.20", at(DAY, 21), 250_000_000)], &[]);
    check([sent(HOST, "198.51.100.9", at(DAY, 3), 50_000_000)], &[(DAY, 3, "198.51.100.9")]);
    // Less than ten times as much as ever is not much, whatever its z.
    check([sent(HOST, "198.51.100.9", at(DAY, 3), 9_000_000)], &[]);
}

#[test]
fn who_is_new_is_known_after_a_week() {
    let nightly = (DAY - 20..DAY).map(|day| sent(HOST, "198.51.100.9", at(day, 3), 50_000_000));
    let found = all(habits(HOST, DAY).into_iter().chain(nightly));
    let mut hours: Vec<Timestamp> = found.found.iter().map(|one| one.hour).collect();
    hours.sort();
    assert_eq!(hours, (DAY - 20..DAY - 13).map(|day| at(day, 3)).collect::<Vec<_>>());
}

#[test]
fn what_is_no_upload_is_not_told() {
    let new = "198.51.100.9";
    let unanswered =
        flow(&format!("{HOST}:53 > {new}:53")).udp().at_time(at(DAY, 3)).sent(50_000, 50_000_000);
    let acknowledging = flow(&format!("{HOST}:50000 > {new}:443"));
    let download =
        acknowledging.at_time(at(DAY, 3)).sent(1_000_000, 52_000_000).answered(2_000_000, 3_000_000_000);
    let fetched = sent(HOST, new, at(DAY, 3), 50_000_000).answered(80_000, 90_000_000);
    let inside = sent(HOST, "203.0.113.99", at(DAY, 3), 50_000_000);
    for flow in [unanswered, download, fetched, inside] {
        check([flow], &[]);
    }
}

#[test]
fn an_answer_is_seen_in_the_flags_where_only_one_direction_is() {
    let one_way =
        flow(&format!("{HOST}:50000 > 198.51.100.9:443")).at_time(at(DAY, 3)).sent(50_000, 50_000_000);
    check([one_way.clone().flags(0x1b)], &[(DAY, 3, "198.51.100.9")]);
    check([one_way.flags(0x02)], &[]);
}

#[test]
fn nothing_is_said_before_there_is_a_baseline() {
    let planted = sent(HOST, "198.51.100.9", at(27, 3), 50_000_000);
    let uploads = all(habits(HOST, 27).into_iter().chain([planted]));
    assert_eq!((told(&uploads), uploads.asked, uploads.too_short), (vec![], 0, 1));
    // Nor is anything of an exporter that has just begun: what it sees was there before.
    let newcomer = (0..10).map(|n| sent(HOST, "198.51.100.9", at(DAY - n, 3), 50_000_000).exporter("new"));
    check(newcomer, &[]);
}

#[test]
fn a_host_without_habits_is_compared_with_the_others() {
    let others = (30..40).flat_map(|n| habits(&format!("203.0.113.{n}"), DAY));
    let page = |day| flow("203.0.113.80:50000 > 198.19.7.9:443").at_time(at(day, 9)).answered(40, 40_000);
    let planted = sent("203.0.113.80", "198.51.100.9", at(DAY, 3), 50_000_000);
    let uploads = all(others.chain((0..DAY).map(page)).chain([planted]));
    assert_eq!(told(&uploads), [("203.0.113.80".to_owned(), at(DAY, 3), "198.51.100.9".to_owned())]);
    assert_eq!(measured(&uploads.found[0]).usual.pool, Pool::AllHosts);
}

#[test]
fn where_there_is_nothing_to_measure_by_records_are_told() {
    let page = |day| flow(&format!("{HOST}:50000 > 198.19.7.9:443")).at_time(at(day, 9)).answered(40, 40_000);
    let great = |day| sent(HOST, &format!("198.51.{day}.9"), at(day, 3), 50_000_000);
    let small = |day| sent(HOST, &format!("198.18.{day}.9"), at(day, 4), 200_000);
    let planted = [small(DAY - 9), great(DAY - 8), great(DAY - 7), small(DAY - 6)];
    let uploads = all((0..DAY).map(page).chain(planted));
    assert_eq!(
        told(&uploads),
        [(HOST.to_owned(), at(DAY - 8, 3), "198.51.52.9".to_owned())],
        "the second is no more"
    );
    assert_eq!((uploads.found[0].measured, uploads.found[0].record_of), (None, Some(1)));
}

#[test]
fn two_exporters_are_not_added_and_a_sample_has_bounds() {
    let planted = |exporter| sent(HOST, "198.51.100.9", at(DAY, 3), 50_000_000).exporter(exporter);
    let twice = habits(HOST, DAY).into_iter().map(|flow| flow.exporter("r2"));
    let found = all(habits(HOST, DAY).into_iter().chain(twice).chain([planted("r1"), planted("r2")])).found;
    assert_eq!((found.len(), found[0].octets.point, found[0].octets.low), (1, 50e6, 50e6));

    let sampled = |flow: FlowBuilder| flow.sampled(100);
    let planted = sampled(sent(HOST, "198.51.100.9", at(DAY, 3), 5_000_000).answered(2_000, 104_000));
    let found = all(habits(HOST, DAY + 1).into_iter().map(sampled).chain([planted])).found;
    let octets = &found[0].octets;
    assert_eq!((found.len(), octets.point, octets.observed), (1, 500e6, 5_000_000));
    assert!(
        octets.low > 480e6 && octets.low < 500e6 && octets.high.is_some_and(|high| high > 500e6),
        "{octets:?}"
    );
}

/// Tables in memory.
struct Tables(Vec<Label>, Vec<Dump>);

impl Shelf for Tables {
    type Error = Infallible;

    fn labels(&self) -> &[Label] {
        &self.0
    }

    fn take(&self, place: usize) -> Result<Dump, Infallible> {
        Ok(self.1[place].clone())
    }
}

#[test]
fn another_block_of_an_as_that_was_met_is_not_new() {
    let mut routes = Routes::default();
    routes.add("192.0.2.0/24".parse().unwrap(), &[64_500]).unwrap();
    routes.add("198.51.100.0/24".parse().unwrap(), &[64_500]).unwrap();
    let dump = routes.finish("routes", at(0, 0).day()).unwrap();
    let tables = Tables(vec![Label::of(&dump)], vec![dump]);
    let planted = sent(HOST, "198.51.100.9", at(DAY, 3), 50_000_000);
    let store = NaiveStore::of(habits(HOST, DAY).into_iter().chain([planted]));
    let ask = ask(Window::ALL);
    let met = met(&store, &ask, &TableDays::of(tables.labels())).unwrap();
    let holders = Holders::ask(&tables, &met).unwrap();
    assert_eq!(told(&uploads(&store, &ask, &holders).unwrap()), []);
    assert_eq!(uploads(&store, &ask, &Holders::default()).unwrap().found.len(), 1);
}

#[test]
fn a_drip_is_told_by_its_average() {
    // Every hour for a day twelve times the usual: none stands out by itself.
    let usual = |day: i64, hour: i64| {
        let octets = 1_000_000.0 * libm::exp(1.2 * f64::sin((day * 24 + hour) as f64 * 12.9898));
        sent(HOST, &format!("198.18.{}.{}", day, hour + 1), at(day, hour), octets as u64)
    };
    let days = (0..DAY).flat_map(|day| (0..24).map(move |hour| usual(day, hour)));
    let drip = (0..24).map(|hour| sent(HOST, "198.51.100.9", at(DAY, hour), 12_000_000));
    let found = all(days.chain(drip)).found;
    assert!(found.iter().all(|one| one.to[0].address.to_string() == "198.51.100.9"));
    let by_average: Vec<Measured> = found.iter().map(measured).filter(|one| one.q_value <= RATE).collect();
    assert!(!by_average.is_empty() && by_average.iter().all(|one| one.average_z > one.z), "{found:#?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// Neither hosts that upload nothing nor the order of records change what is told; and a shorter window tells the
    /// same of the same hour, but for the tests that it no longer makes.
    #[test]
    fn quiet_hosts_order_and_window_do_not_matter(
        quiet in proptest::collection::vec((40_u8..250, 0_i64..DAY, 0_i64..24), 0..30),
        octets in 20_000_000_u64..500_000_000,
    ) {
        let planted = sent(HOST, "198.51.100.9", at(DAY, 3), octets);
        let flows: Vec<FlowBuilder> = habits(HOST, DAY).into_iter().chain([planted]).collect();
        let found = all(flows.clone()).found;
        prop_assert_eq!(found.len(), 1);
        let pages = quiet.iter().map(|(host, day, hour)| {
            let page = flow(&format!("203.0.113.{host}:50000 > 198.19.7.{host}:443"));
            page.at_time(at(*day, *hour)).sent(20, 1_400).answered(40, 40_000)
        });
        prop_assert_eq!(&all(flows.clone().into_iter().chain(pages)).found, &found);
        prop_assert_eq!(&all(flows.clone().into_iter().rev()).found, &found);
        let window = Window::new(at(DAY, 0), at(DAY, 5));
        let again = uploads(&NaiveStore::of(flows), &ask(window), &Holders::default()).unwrap().found;
        prop_assert_eq!(again.len(), 1);
        let (one, other) = (measured(&again[0]), measured(&found[0]));
        prop_assert_eq!((one.usual, one.z, &again[0].to), (other.usual, other.z, &found[0].to));
        prop_assert!((one.average_z - other.average_z).abs() < 1e-6);
    }

    /// A hundred times as much of everything is as unusual.
    #[test]
    fn scale_does_not_matter(octets in 20_000_000_u64..500_000_000) {
        let flows = |scale: u64| {
            let planted = sent(HOST, "198.51.100.9", at(DAY, 3), octets);
            habits(HOST, DAY).into_iter().chain([planted]).map(move |flow| {
                let flow = flow.build();
                let (packets, rev_packets) = (flow.packets * scale, flow.rev_packets.map(|n| n * scale));
                let (octets, rev_octets) = (flow.octets * scale, flow.rev_octets.map(|n| n * scale));
                FlowRecord { packets, octets, rev_packets, rev_octets, ..flow }
            })
        };
        let read = |scale| uploads(&NaiveStore::of(flows(scale)), &ask(Window::ALL), &Holders::default()).unwrap();
        let (one, hundred) = (read(1), read(100));
        prop_assert_eq!(&told(&one)[0], &told(&hundred)[0]);
        let z = |uploads: &Uploads| measured(&uploads.found[0]).z;
        prop_assert!((z(&one) - z(&hundred)).abs() < 1e-9);
    }
}

mod chance {
    //! How often nothing but chance is told.

    use super::*;
    use crate::chance::Chance;
    use statrs::distribution::{ContinuousCDF, Normal};

    /// How octets of hours are spread about the median of their host.
    #[derive(Debug, Clone, Copy)]
    enum Spread {
        /// Log-normal, with this deviation of the logarithm.
        LogNormal(f64),
        /// Pareto, with this index.
        Pareto(f64),
        /// Log-normal in runs of so many hours that are alike.
        Runs(f64, usize),
    }

    fn uniform(chance: &mut Chance) -> f64 {
        (chance.bits() >> 11) as f64 / (1_u64 << 53) as f64 + 1e-17
    }

    fn normal(chance: &mut Chance) -> f64 {
        Normal::standard().inverse_cdf(uniform(chance))
    }

    /// Ten weeks of one host that uploads at work: in one hour of ten, from eight to six.
    fn host(n: u32, round: u32, median: f64, spread: Spread) -> Hours {
        let mut chance = Chance::of(
            "uploads",
            &[&n.to_be_bytes(), &round.to_be_bytes(), format!("{spread:?}").as_bytes()],
        );
        let own = median * libm::exp(normal(&mut chance));
        let mut uploads = Vec::new();
        let (mut run, mut last) = (0, 0.0);
        for hour in (0..70 * 24).filter(|hour| (8..18).contains(&(hour % 24))) {
            let begins = uniform(&mut chance) < 0.1;
            let y = match spread {
                Spread::LogNormal(deviation) if begins => deviation * normal(&mut chance),
                Spread::Pareto(index) if begins => -libm::log(uniform(&mut chance)) / index,
                Spread::Runs(deviation, hours) if begins || run > 0 => {
                    if run == 0 {
                        (run, last) = (hours, deviation * normal(&mut chance));
                    }
                    run -= 1;
                    last + 0.3 * normal(&mut chance)
                }
                _ => continue,
            };
            let point = own * libm::exp(y);
            let low = if point >= MUCH_OCTETS { point } else { 0.0 };
            uploads.push(Hour { hour: at(0, hour), point, low, remotes: Box::default() });
        }
        Hours { host: Address::from_v4_bits(n), since: at(0, 0), uploads }
    }

    /// Hours told of so many hosts in one week, if `planted` octets leave one of them.
    fn told(hosts: u32, round: u32, median: f64, spread: Spread, planted: Option<f64>) -> usize {
        let week = Window::new(at(63, 0), at(70, 0));
        let mut hosts: Vec<Hours> = (0..hosts).map(|n| host(n, round, median, spread)).collect();
        if let Some(octets) = planted {
            hosts[0].uploads.push(Hour {
                hour: at(69, 23),
                point: octets,
                low: octets,
                remotes: Box::default(),
            });
        }
        let read = Read { hosts, ..Read::default() };
        let told = standing(judge(&read, week, &mut |_| LEAST_BASELINE_DAYS).tests);
        let is_planted = |test: &&Test<'_>| planted.is_none() || test.hour.hour == at(69, 23);
        told.iter().filter(is_planted).count()
    }

    /// The bars of `docs/judgement.md`: hours in 1,000 host-weeks. Everything is much where the median is a gigabyte.
    #[test]
    fn chance_alone_is_seldom_told() {
        const HOSTS: u32 = 100;
        let rounds = if is_nightly() { 60 } else { 2 };
        let check = |spread, median, most: f64| {
            let told: usize = (0..rounds).map(|round| told(HOSTS, round, median, spread, None)).sum();
            let alarms = 1_000.0 * told as f64 / f64::from(HOSTS * rounds);
            // Few rounds say little: alarms come in clusters.
            let most = if is_nightly() { most } else { 4.0 * most };
            assert!(alarms <= most, "{spread:?}, median {median:e}: {alarms:.2}");
        };
        for (spread, most) in [
            (Spread::LogNormal(0.5), 5.0),
            (Spread::LogNormal(1.0), 5.0),
            (Spread::LogNormal(2.0), 5.0),
            (Spread::Runs(1.0, 4), 10.0),
            (Spread::Pareto(1.5), 50.0),
            (Spread::Pareto(1.0), 100.0),
        ] {
            check(spread, 1e9, most);
            check(spread, 1e5, most);
        }
    }

    /// What is told in nine weeks of ten, of hosts that usually upload 100 kB.
    #[test]
    fn what_is_great_enough_is_told() {
        let rounds = if is_nightly() { 100 } else { 10 };
        let check = |deviation: f64, octets: f64| {
            let spread = Spread::LogNormal(deviation);
            let times: usize = (0..rounds).map(|round| told(100, round, 1e5, spread, Some(octets))).sum();
            assert!(times * 10 >= rounds as usize * 9, "{deviation}, {octets:e}: {times} of {rounds}");
        };
        check(0.5, 10e6);
        check(1.0, 50e6);
        check(1.5, 500e6);
        check(2.0, 5e9);
    }
}

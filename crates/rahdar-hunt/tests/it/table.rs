//! The table of evidence of `methods.md` §2.2, row by row: every state and its decibans.

use rahdar_hunt::evidence::asymmetry::{self, Flow};
use rahdar_hunt::evidence::establishment::Exchange;
use rahdar_hunt::evidence::host::Host;
use rahdar_hunt::evidence::naming::{self, Naming, RESOLVED_ONLY_DB};
use rahdar_hunt::evidence::peers::Peers;
use rahdar_hunt::evidence::port::Port;
use rahdar_hunt::evidence::validity::Validity;
use rahdar_hunt::evidence::{
    CAPS, Group, MOST_DB, PRIOR, corroboration, persistence, prober, rhythm, scanning,
};
use rahdar_model::intelligence::HostClass;

fn check(rows: &[(&str, f64, f64)]) {
    for (state, weight, expected) in rows {
        assert_eq!(weight, expected, "{state}");
    }
}

#[test]
fn g1_establishment() {
    use Exchange::*;
    check(&[
        ("payload both ways", Payload.weight(), 12.0),
        ("both ways, flags unknown", Answered.weight(), 8.0),
        ("attempted beacon, silent", Silent.weight(), 4.0),
        ("one direction, asymmetric", OneWay.weight(), 0.0),
        ("handshake only", Handshake.weight(), -3.0),
        ("v to i, SYN only", Unanswered.weight(), -8.0),
        ("i to v, SYN only", Probe.weight(), -15.0),
        ("only replies", Backscatter.weight(), -20.0),
    ]);
}

#[test]
fn g2_port_and_g10_naming() {
    let other = Port::Other { used: 7_084, documented: vec![7_081] };
    let family = Port::Family { used: 2_404, tool: "Remcos".to_owned() };
    let called = naming::row(&Naming::Called { name: "c2.example.org".to_owned() });
    check(&[
        ("documented port", Port::Documented(443).weight(), 10.0),
        ("family's port", family.weight(), 5.0),
        ("no port named", Port::Unstated(443).weight(), 3.0),
        ("other port", other.weight(), -4.0),
        ("a protocol without ports", Port::Portless(1).weight(), 0.0),
        ("i called v", Port::Inbound(25).weight(), -6.0),
        ("web shell", Port::WebShell(443).weight(), 0.0),
        ("by a claimed name", called.reason.weight, 9.0),
        ("resolved only", RESOLVED_ONLY_DB, -6.0),
    ]);
}

#[test]
fn g3_validity_and_g4_host() {
    let host = |class| Host::of([class]).weight();
    check(&[
        ("stated window", Validity::Stated.weight(), 8.0),
        ("derived window", Validity::Derived.weight(), 3.0),
        ("outside by 30 days", Validity::outside(30, false).weight(), -5.0),
        ("outside by 31 days", Validity::outside(31, false).weight(), -12.0),
        ("reassigned", Validity::outside(3, false).reassigned().weight(), -25.0),
        ("dedicated", host(HostClass::Dedicated), 5.0),
        ("unknown", Host::of([]).weight(), 0.0),
        ("pool", host(HostClass::Pool), -8.0),
        ("shared", host(HostClass::Shared), -12.0),
        ("content network", host(HostClass::Cdn), -25.0),
        ("sinkhole", host(HostClass::Sinkhole), -30.0),
    ]);
}

#[test]
fn g5_persistence_g6_rhythm_g7_asymmetry() {
    let flow = |octets: f64, packets| Flow { octets, low: octets, packets };
    let (much, little) = (flow(4e6, 3_000.0), flow(1e5, 1_000.0));
    let (pull, small) = (flow(12e6, 9_000.0), flow(9_000.0, 20.0));
    check(&[
        ("1 day", persistence::weight(1), 0.0),
        ("2 days", persistence::weight(2), 3.0),
        ("5 days", persistence::weight(5), 6.0),
        ("15 days", persistence::weight(15), 7.0),
        ("p of 1e-4", rhythm::weight(Some(1e-4)), 7.0),
        ("p of 0.01", rhythm::weight(Some(0.01)), 4.0),
        ("assessable and none", rhythm::weight(None), -2.0),
        ("upload", asymmetry::weight(much, little), 4.0),
        ("small and symmetric", asymmetry::weight(small, small), 1.0),
        ("download", asymmetry::weight(little, pull), -3.0),
    ]);
}

#[test]
fn g8_peers() {
    let peers = |established, talkers, active| Peers { established, talkers, active };
    let among_many = |established| peers(established, established, 10_000).weight();
    check(&[
        ("1 to 3", among_many(3), 4.0),
        ("4 to 20", among_many(20), 1.0),
        ("21 to 200", among_many(200), -4.0),
        ("more", among_many(201), -12.0),
        ("a tenth of twenty", peers(2, 2, 20).weight(), -12.0),
        ("below twenty neither a share nor a few says anything", peers(2, 2, 19).weight(), 0.0),
    ]);
    assert!(peers(6, 6, 20).is_kill() && !peers(5, 5, 20).is_kill());
}

#[test]
fn g9_scanning_g11_corroboration_and_probers() {
    let scanning = |victim, remote| scanning::row(victim, remote, true).map_or(0.0, |row| row.reason.weight);
    check(&[
        ("v scans", scanning(true, false), -12.0),
        ("i scans, nothing established", scanning(false, true), -15.0),
        ("nobody scans", scanning(false, false), 0.0),
        ("two of the cluster", corroboration::weight(2), 8.0),
        ("three of the cluster", corroboration::weight(3), 12.0),
        ("prober", prober::row().reason.weight, -15.0),
    ]);
    assert_eq!((prober::CLUSTERS, prober::ADDRESSES), (3, 5));
}

#[test]
fn prior_and_caps() {
    assert_eq!((PRIOR, MOST_DB), (0.05, 45.0));
    let caps = CAPS.map(|(groups, most)| (groups, most));
    assert!(caps.contains(&([Group::Persistence, Group::Rhythm], 12.0)));
    assert!(caps.contains(&([Group::Port, Group::Naming], 16.0)));
    assert!(caps.contains(&([Group::Establishment, Group::Asymmetry], 15.0)));
}

//! Small books and flows.

use rahdar_hunt::{Request, hunt};
use rahdar_intel::age::Report;
use rahdar_intel::assertion::Assertion;
use rahdar_intel::benign::Note;
use rahdar_intel::index::Snapshot;
use rahdar_intel::pdns::Record;
use rahdar_model::fact::{Fact, Gap, Handshake, Resolution};
use rahdar_model::finding::{Finding, Hunt};
use rahdar_model::flow::{Initiator, tcp};
use rahdar_model::intelligence::{
    Claim, Cluster, ClusterId, Event, HostClass, HostFact, Indicator, Network, WindowBasis,
};
use rahdar_model::store::{FlowStore, Input};
use rahdar_model::{FlowRecord, Window};
use rahdar_testkit::builder::FlowBuilder;
use rahdar_testkit::{NaiveStore, flow, prefix, window};

pub(crate) const VICTIM: &str = "203.0.113.25";
pub(crate) const C2: &str = "192.0.2.9";
pub(crate) const OTHER_C2: &str = "192.0.2.77";

/// A complete connection with payload.
pub(crate) const TALK: u16 = tcp::SYN | tcp::ACK | tcp::PSH | tcp::FIN;

/// A claim on `network`, port 443, all of 2021, by "a report".
pub(crate) fn claim(network: &str, cluster: &str) -> Claim {
    Claim {
        indicator: Indicator::Network(prefix(network)),
        port: Some(443),
        protocol: Some(6),
        validity: window("2021-01-01", "2022-01-01"),
        basis: WindowBasis::Stated,
        cluster: (!cluster.is_empty()).then(|| ClusterId::of_name(cluster)),
        tools: Vec::new(),
        source: "a report".into(),
        place: "line 1".to_owned(),
        published: None,
        confidence: None,
        tlp: None,
        revoked: false,
    }
}

pub(crate) fn valid(from: &str, until: &str, claim: Claim) -> Claim {
    Claim { validity: window(from, until), ..claim }
}

pub(crate) fn fact(network: &str, class: HostClass) -> HostFact {
    HostFact { network: prefix(network), class, validity: Window::ALL, source: "a list".into() }
}

/// The network of the victim.
pub(crate) fn telecom() -> Network {
    Network {
        prefix: prefix("203.0.113.0/24"),
        asn: Some(64500),
        org: "Example Telecom".to_owned(),
        sector: "telecom".to_owned(),
        country: "AF".to_owned(),
        role: String::new(),
    }
}

pub(crate) struct World {
    pub(crate) flows: Vec<FlowRecord>,
    pub(crate) claims: Vec<Claim>,
    pub(crate) facts: Vec<HostFact>,
    pub(crate) networks: Vec<Network>,
    pub(crate) resolutions: Vec<Resolution>,
    pub(crate) handshakes: Vec<Handshake>,
    pub(crate) gaps: Vec<Gap>,
    pub(crate) events: Vec<Event>,
    pub(crate) reports: Vec<Report>,
    pub(crate) records: Vec<Record>,
    pub(crate) assertions: Vec<Assertion>,
    pub(crate) notes: Vec<Note>,
    pub(crate) request: Request,
}

impl World {
    /// One claim on [`C2`] of RedFoxtrot, one watched network, and these flows.
    pub(crate) fn of(flows: impl IntoIterator<Item = FlowBuilder>) -> Self {
        Self {
            flows: flows.into_iter().map(FlowBuilder::build).collect(),
            claims: vec![claim(C2, "RedFoxtrot")],
            facts: Vec::new(),
            networks: vec![telecom()],
            resolutions: Vec::new(),
            handshakes: Vec::new(),
            gaps: Vec::new(),
            events: Vec::new(),
            reports: Vec::new(),
            records: Vec::new(),
            assertions: Vec::new(),
            notes: Vec::new(),
            request: Request { window: Window::ALL, victims: Vec::new(), cluster: None, calibration: None },
        }
    }

    pub(crate) fn claims(mut self, claims: impl IntoIterator<Item = Claim>) -> Self {
        self.claims = claims.into_iter().collect();
        self
    }

    pub(crate) fn fact(mut self, fact: HostFact) -> Self {
        self.facts.push(fact);
        self
    }

    pub(crate) fn flows(mut self, flows: impl IntoIterator<Item = FlowBuilder>) -> Self {
        self.flows.extend(flows.into_iter().map(FlowBuilder::build));
        self
    }

    pub(crate) fn book(&self) -> Snapshot {
        let cluster = |claim: &Claim| {
            let id = claim.cluster.clone()?;
            Some(Cluster { name: id.to_string(), id, named: true, tools: Vec::new() })
        };
        let clusters = self.claims.iter().filter_map(cluster).collect();
        Snapshot::new(7, self.claims.clone(), clusters, self.facts.clone())
            .with_reports(self.reports.clone())
            .with_notes(self.notes.clone())
            .with_assertions(&self.assertions)
            .with_resolutions(&self.records)
    }

    pub(crate) fn hunt(&self) -> Hunt {
        let store = NaiveStore::of(self.flows.clone());
        let mut import = store.import().expect("a naive store does not fail");
        import.begin(&Input { id: "facts".to_owned(), name: "facts".into() }).expect("it is new");
        let resolutions = self.resolutions.iter().map(Fact::Resolution);
        let handshakes = self.handshakes.iter().map(Fact::Handshake);
        for fact in resolutions.chain(handshakes).chain(self.gaps.iter().map(Fact::Gap)) {
            import.fact(fact).expect("a naive store does not fail");
        }
        import.commit().expect("nobody else imports");
        hunt(&store, &self.book(), &self.networks, &self.events, &self.request)
            .expect("a naive store does not fail")
    }

    /// The only finding, believed or not.
    pub(crate) fn finding(&self) -> Finding {
        let hunt = self.hunt();
        let mut all: Vec<Finding> = hunt.findings.into_iter().chain(hunt.discounted).collect();
        assert_eq!(all.len(), 1, "{all:#?}");
        all.remove(0)
    }
}

/// Noon of the n-th day of 2021, from 0.
pub(crate) fn noon(day: i32) -> rahdar_model::Timestamp {
    let new_year = rahdar_model::Day::from_date(2021, 1, 1).expect("a date");
    rahdar_model::Day(new_year.0 + day).start().plus_micros(12 * rahdar_model::time::HOUR_US)
}

/// The victim talks to `remote` at port 443 on the n-th day: 20 packets and 4,000 octets out,
/// 15 packets and 3,000 octets back.
pub(crate) fn talk(remote: &str, day: i32) -> FlowBuilder {
    call(remote, day).sent(20, 4_000).answered(15, 3_000).flags(TALK).answer_flags(TALK)
}

/// The victim calls `remote` at port 443 on the n-th day.
pub(crate) fn call(remote: &str, day: i32) -> FlowBuilder {
    let port = 40_000 + day;
    flow(&format!("{VICTIM}:{port} > {remote}:443"))
        .at_time(noon(day))
        .lasting_s(30)
        .opened_by(Initiator::Source)
        .from("test", day as u64)
}

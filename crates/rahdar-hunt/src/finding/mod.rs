//! From leads to findings: one per victim and cluster (`methods.md` §2.1, `architecture.md` §5).
//!
//! A finding is believed as far as the best of its leads. Times, days, octets and infrastructure
//! are those of its believed leads: of the leads that are likely or better, or if there is none,
//! of those that are possible. A discounted finding shows everything that matched.
//!
//! * [`case`]: the leads of one victim and cluster;
//! * [`untrue`]: findings that no case tells of;
//! * [`totals`]: what left, pooled;
//! * [`notes`]: sentences without weight.

mod case;
mod notes;
mod totals;
mod untrue;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rahdar_intel::index::Snapshot;
use rahdar_model::account::Upload;
use rahdar_model::coverage::ExporterCoverage;
use rahdar_model::finding::{Attempts, Daily, Finding, Infrastructure, Reason, Verdict, Victim};
use rahdar_model::intelligence::{Cluster, ClusterId, Event, Network};
use rahdar_model::marking::Marking;
use rahdar_model::sight::{NotSeen, Witness};
use rahdar_model::{Address, Day, Timestamp, Window};

pub(crate) use case::{Case, cases};
pub(crate) use totals::Totals;

use notes::{clients, clocks, conflicts, held_twice, holes, left_out};
use untrue::{Unusable, unusable};

use crate::chronology::First;
use crate::company::{self, Timing};
use crate::evidence::counted;
use crate::exfil::{self, Shares, Stake};
use crate::exporters::{Part, estimate};
use crate::grade::credibility;
use crate::holes::Ledger;
use crate::lead::{Affiliation, Beside, Lead};
use crate::marking::Mentioned;
use crate::pair::Pair;
use crate::role::Shown;
use crate::sight::{self, Lookout, Trace};
use crate::stitch::Session;
use crate::surge::series::Series;
use crate::surge::{self, Study, Told};
use crate::sweep::{Party, Rate, Swept};
use crate::{chronology, marking, overlap, profile, rival, seen, upload, watch};

/// What exporters recorded, and when they did not: each ledger stands beside its coverage.
pub(crate) struct Record<'a> {
    pub(crate) coverage: &'a [ExporterCoverage],
    pub(crate) ledgers: &'a [Ledger<'a>],
}

/// Turns cases into findings.
pub(crate) struct Teller<'a> {
    pairs: &'a [Pair<'a>],
    cases: &'a [Case<'a>],
    book: &'a Snapshot,
    networks: &'a [Network],
    coverage: &'a [ExporterCoverage],
    ledgers: &'a [Ledger<'a>],
    lookout: Lookout<'a>,
    unusable: BTreeMap<(Address, Affiliation), Unusable>,
    /// Records that are not counted because another input holds them too, by victim and remote.
    repeated: &'a BTreeMap<(Address, Address), u64>,
    /// The marking of what names malware of a cluster.
    tools: BTreeMap<ClusterId, Marking>,
    mentioned: Mentioned,
    shares: Shares,
    /// The series and the increases of each case, in the order of cases; none where discounted.
    lives: Vec<Option<(Vec<Daily>, Told)>>,
}

impl<'a> Teller<'a> {
    pub(crate) fn new(
        pairs: &'a [Pair<'a>],
        cases: &'a [Case<'a>],
        book: &'a Snapshot,
        networks: &'a [Network],
        record: Record<'a>,
        swept: &'a Swept,
        events: &[Event],
    ) -> Self {
        let believed = cases.iter().enumerate().filter(|(_, case)| case.verdict() > Verdict::Discounted);
        let stakes: Vec<Stake> = believed
            .flat_map(|(i, case)| {
                case.sessions().map(move |(pair, session)| Stake {
                    case: i,
                    session: (pair, session),
                    day: pairs[pair].sessions[session].start.day(),
                    is_firm: case.is_firm(),
                })
            })
            .collect();
        let shares = Shares::of(&stakes);
        let (unusable, repeated) = (unusable(swept, book), &swept.repeated);
        let Record { coverage, ledgers } = record;
        let lives = Vec::new();
        let tools = marking::of_tools(book);
        let mut mentioned = Mentioned::default();
        for case in cases.iter().filter(|case| case.is_firm()) {
            case.leads
                .iter()
                .for_each(|lead| mentioned.add(case.victim, case.affiliation.id(), &lead.marking));
        }
        let mut teller = Self {
            pairs,
            cases,
            book,
            networks,
            coverage,
            ledgers,
            lookout: Lookout::of(ledgers),
            unusable,
            repeated,
            tools,
            mentioned,
            shares,
            lives,
        };
        teller.lives = teller.studied(events);
        teller
    }

    /// The series and the increases of every believed case: what is told holds the
    /// false-discovery rate over all of them, whatever was asked for.
    fn studied(&self, events: &[Event]) -> Vec<Option<(Vec<Daily>, Told)>> {
        let is_believed = |case: &Case<'_>| case.verdict() > Verdict::Discounted;
        let (series, studies): (Vec<Vec<Daily>>, Vec<Study>) = (0..self.cases.len())
            .filter(|i| is_believed(&self.cases[*i]))
            .map(|i| {
                let parts = self.parts_of(i);
                let daily = self.daily(&parts);
                let study = self.study(i, &parts, &daily, events);
                (daily, study)
            })
            .unzip();
        let mut told = series.into_iter().zip(surge::tell(&studies));
        self.cases.iter().map(|case| if is_believed(case) { told.next() } else { None }).collect()
    }

    /// The tests of one case.
    fn study(&self, i: usize, parts: &[Part<'a>], daily: &[Daily], events: &[Event]) -> Study {
        let exporters = exporters(parts);
        let starts = || dated(parts).map(|part| part.contact().start);
        let life = Window::new(starts().min().unwrap_or_default(), starts().max().unwrap_or_default());
        let id = self.cases[i].id();
        let series = match watch::newcomer(life, &exporters, self.coverage) {
            _ if daily.is_empty() => Err("no clock tells when contact was".to_owned()),
            Some(change) => Err(change),
            None => {
                let contact = daily.iter().map(|day| (day.day, day.octets_out.point));
                let is_blind = |day: Day| {
                    watch::is_blind(day.window(), &exporters, self.coverage)
                        || watch::is_holed(day, &exporters, self.ledgers)
                };
                Series::of(contact, &is_blind).ok_or_else(|| "contact has no life to look at".to_owned())
            }
        };
        let low = |day: Day| {
            let own = daily.binary_search_by_key(&day, |own| own.day).ok();
            own.map_or(0.0, |place| daily[place].octets_out.low)
        };
        Study::new(&id, series, &self.octets_outside(i), events, &low)
    }

    /// Octets a day that went to hosts of a case while no claim of its cluster held, and that nobody else is known to
    /// have had. Hosts that are not believed count where nothing but their windows speaks against them.
    fn octets_outside(&self, i: usize) -> Vec<(Day, f64)> {
        let case = &self.cases[i];
        let told: BTreeSet<(usize, usize)> = case.sessions().collect();
        let is_barred = |lead: &Lead<'_>| {
            let is_outside = |reason: &Reason| matches!(reason.kind, "outside_window" | "before_window");
            match lead.grade.verdict {
                Verdict::Discounted => lead.reasons.first().is_some_and(is_outside),
                _ => lead.reasons.iter().any(is_outside),
            }
        };
        let (believed, others) = case.leads.split_at(case.believed);
        let sessions = believed.iter().chain(others.iter().filter(|lead| is_barred(lead))).flat_map(|lead| {
            let pair = &self.pairs[lead.pair];
            let is_free = move |s: usize| {
                let session = &pair.sessions[s];
                let tenant = self.book.later_tenant(pair.remote, lead.claim.validity.until, session.start);
                pair.exchanges[s].is_contact()
                    && !session.clock_suspect
                    && tenant.is_none()
                    && !lead.beside.contains(&Beside::Held(s))
                    && !lead.beside.contains(&Beside::Otherwise(s))
            };
            lead.sessions.iter().copied().filter(move |s| is_free(*s)).map(|s| (lead.pair, s))
        });
        let sessions = sessions.filter(|session| !told.contains(session));
        let parts: Vec<Part<'a>> =
            sessions.flat_map(|(pair, session)| self.pairs[pair].parts(session)).collect();
        self.daily(&parts).into_iter().map(|day| (day.day, day.octets_out.point)).collect()
    }

    /// All records of a case, as far as they are its.
    fn parts_of(&self, i: usize) -> Vec<Part<'a>> {
        self.cases[i].sessions().flat_map(|session| self.parts(i, session)).collect()
    }

    fn daily(&self, parts: &[Part<'a>]) -> Vec<Daily> {
        let exporters = exporters(parts);
        let is_day_covered = |day: Day| watch::is_covered(day.window(), &exporters, self.coverage);
        exfil::daily(dated(parts).copied(), &is_day_covered)
    }

    /// How the days of two findings agree, without sessions that both claim, on days that all their exporters
    /// recorded.
    pub(crate) fn timing(&self, a: &Finding, b: &Finding) -> Option<Timing> {
        let case = |of: &Finding| self.cases.iter().position(|case| case.id() == of.id);
        let [a, b] = [case(a)?, case(b)?];
        let [of_a, of_b] = [a, b].map(|i| self.cases[i].sessions().collect::<BTreeSet<_>>());
        let days = |i: usize, own: &BTreeSet<(usize, usize)>, other: &BTreeSet<(usize, usize)>| {
            let parts: Vec<Part<'a>> =
                own.difference(other).flat_map(|session| self.parts(i, *session)).collect();
            let days = dated(&parts).flat_map(|part| exfil::days(part.contact().start, part.contact().end));
            days.map(|(day, _)| day).collect::<BTreeSet<Day>>()
        };
        let parts: Vec<Part<'a>> = self.parts_of(a).into_iter().chain(self.parts_of(b)).collect();
        let exporters = exporters(&parts);
        let is_watched = |day: Day| watch::is_watched(day, &exporters, self.ledgers);
        company::timing(&days(a, &of_a, &of_b), &days(b, &of_b, &of_a), &is_watched)
    }

    /// The end of the last session that the case tells of; none where no clock tells when that was.
    pub(crate) fn last_seen(&self, i: usize) -> Option<Timestamp> {
        let sessions = self.cases[i].sessions().map(|(pair, session)| &self.pairs[pair].sessions[session]);
        sessions.filter(|session| !session.clock_suspect).map(|session| session.end).max()
    }

    /// The finding of case `i`, and what its victim shows of itself.
    pub(crate) fn finding(&self, i: usize, shown: Option<&Shown>, events: &[Event]) -> Finding {
        let case = &self.cases[i];
        let parts = self.parts_of(i);
        let mut starts: Vec<Timestamp> = dated(&parts).map(|part| part.contact().start).collect();
        starts.sort_unstable();
        let first_seen = starts.first().copied();
        let last_seen = dated(&parts).map(|part| part.contact().end).max();
        let seen = first_seen.zip(last_seen).map(|(first, last)| Window::new(first, last));
        let exporters = exporters(&parts);
        let is_covered = starts.len() == parts.len()
            && seen.is_some_and(|seen| watch::is_covered(seen, &exporters, self.coverage));
        let sent_by = |party| estimate(parts.iter().copied(), party, is_covered);
        let silence_us = seen::longest_silence_us(&starts);
        let cut = seen.is_none_or(|seen| seen::is_cut_by_any(seen, silence_us, &exporters, self.ledgers));
        let witness = match seen {
            Some(seen) => {
                let margin_us = seen::margin_us(silence_us);
                sight::witness(&self.lookout, &exporters, seen, margin_us, self.traces(case))
            }
            None => Witness::none("no clock tells when contact was"),
        };
        let has_hole = seen.is_some_and(|seen| witness.holes.iter().any(|hole| hole.window.overlaps(seen)));
        let (daily, told) = match &self.lives[i] {
            Some(life) => life.clone(),
            None => (self.daily(&parts), Told::default()),
        };
        let mut cluster = self.cluster(&case.affiliation);
        cluster.tools.extend(case.believed().iter().flat_map(|lead| lead.claim.tools.iter().cloned()));
        cluster.tools.sort();
        cluster.tools.dedup();
        let best = &case.leads[0];
        let mut reasons = best.reasons.clone();
        let rival = rival::of(&reasons);
        let (attempts, repeated) = (attempts(&parts), self.repeated(case));
        let (victim, infrastructure) = (self.victim(case.victim, shown), self.infrastructure(case));
        if best.grade.verdict > Verdict::Discounted {
            reasons.extend(clients(&victim, &infrastructure));
        }
        reasons.extend(self.notes(i, attempts, repeated));
        reasons.extend(clocks(&parts));
        reasons.extend(holes(&witness.holes));
        reasons.extend(conflicts(&parts, &exporters, self.coverage));
        let is_assessable = !reasons.iter().any(|reason| reason.kind == "one_way");
        let octets_out = sent_by(Party::Victim);
        let confirmed: Vec<Part<'a>> =
            case.sessions_from(Verdict::Confirmed).flat_map(|session| self.parts(i, session)).collect();
        let is_confirmed = best.grade.verdict == Verdict::Confirmed;
        let (upload, chronology) = match best.grade.verdict {
            Verdict::Discounted => (Upload::default(), Vec::new()),
            _ => (
                upload::upload(&parts, &octets_out, &daily, is_confirmed, self.coverage),
                first_seen.map_or_else(Vec::new, |at| {
                    let first = First { at, outside: self.first_outside(case) };
                    chronology::orders(events, first, &exporters, self.coverage)
                }),
            ),
        };
        Finding {
            id: case.id(),
            victim,
            cluster,
            verdict: best.grade.verdict,
            confidence: best.grade.confidence,
            credibility: credibility(best.grade.confidence, is_assessable),
            reasons,
            first_seen,
            last_seen,
            at_least: cut
                || has_hole
                || parts.iter().any(|part| part.contact().rate != Rate::Every)
                || seen.is_some_and(|seen| self.is_cut_by_windows(case, seen)),
            witness,
            is_distinct: self.shares.has_exclusive(i),
            days_active: daily.len() as u32,
            flows: parts.len() as u64,
            exporters: named(&parts),
            octets_out_confirmed: estimate(confirmed, Party::Victim, is_covered),
            octets_out,
            octets_in: sent_by(Party::Remote),
            attempts,
            repeated,
            rhythm: case.rhythm(),
            surges: told.surges,
            event_tests: told.tests,
            spikes: told.spikes,
            daily,
            infrastructure,
            rival,
            upload,
            chronology,
            marking: self.marking(case),
        }
    }

    /// The marking of what is told of a case (the `marking` module says what that is).
    fn marking(&self, case: &Case<'a>) -> Marking {
        let cluster = case.affiliation.id();
        let mut marking = self.tools.get(&cluster).cloned().unwrap_or_default();
        case.leads.iter().for_each(|lead| marking.and(&lead.marking));
        if case.is_firm() {
            self.mentioned.by(case.victim, &cluster).for_each(|other| marking.and(other));
        }
        let unusable = self.unusable.get(&(case.victim, case.affiliation.clone()));
        unusable.into_iter().for_each(|unusable| marking.and(&unusable.marking));
        marking
    }

    /// The records of a session, as far as they are this case's.
    fn parts(&self, case: usize, (pair, session): (usize, usize)) -> Vec<Part<'a>> {
        let parts = self.pairs[pair].parts(session);
        match self.shares.part(case, (pair, session)) {
            Some(cut) => parts.map(|part| part.of_cluster(cut)).collect(),
            None => parts.collect(),
        }
    }

    /// Whether contact outside the windows goes on from the contact inside.
    fn is_cut_by_windows(&self, case: &Case<'_>, seen: Window) -> bool {
        case.verdict() > Verdict::Discounted
            && self
                .sessions_outside(case)
                .any(|session| session.start < seen.from || session.end > seen.until)
    }

    /// When contact outside the windows began, as far as clocks tell.
    fn first_outside(&self, case: &Case<'_>) -> Option<Timestamp> {
        self.sessions_outside(case).map(|session| session.start).min()
    }

    /// What was exchanged with the believed hosts of a case outside the windows, as far as clocks tell when.
    fn sessions_outside<'c>(&'c self, case: &'c Case<'_>) -> impl Iterator<Item = &'c Session> {
        case.believed().iter().flat_map(move |lead| {
            lead.beside.iter().filter_map(move |beside| match beside {
                Beside::Outside(session) => {
                    Some(&self.pairs[lead.pair].sessions[*session]).filter(|session| !session.clock_suspect)
                }
                Beside::Otherwise(_) | Beside::Held(_) => None,
            })
        })
    }

    /// What it says that nobody was in contact with others.
    pub(crate) fn not_seen(&self, asked: &sight::Asked<'_>) -> Vec<NotSeen> {
        sight::not_seen(&self.lookout, asked)
    }

    /// How many records between the victim and the hosts of a case other inputs hold too.
    fn repeated(&self, case: &Case<'_>) -> u64 {
        let pairs: BTreeSet<usize> = case.sessions().map(|(pair, _)| pair).collect();
        let met = pairs.into_iter().map(|pair| (self.pairs[pair].victim, self.pairs[pair].remote));
        met.filter_map(|ends| self.repeated.get(&ends)).sum()
    }

    /// What else is to be said of a case, without weight.
    fn notes(&self, i: usize, attempts: Attempts, repeated: u64) -> Vec<Reason> {
        let case = &self.cases[i];
        let unusable = self.unusable.get(&(case.victim, case.affiliation.clone()));
        let mut notes: Vec<Reason> = unusable.map(left_out).into_iter().collect();
        notes.extend((repeated > 0).then(|| held_twice(repeated)));
        if case.verdict() == Verdict::Discounted {
            return notes;
        }
        let beside = |of: fn(&Beside) -> Option<usize>| {
            let own = case.believed().iter();
            self.connections(own.flat_map(|lead| lead.beside.iter().filter_map(of).map(|s| (lead.pair, s))))
        };
        let outside = beside(|b| if let Beside::Outside(s) = b { Some(*s) } else { None });
        let otherwise = beside(|b| if let Beside::Otherwise(s) = b { Some(*s) } else { None });
        let held = beside(|b| if let Beside::Held(s) = b { Some(*s) } else { None });
        let shared =
            self.connections(case.sessions().filter(|session| self.shares.part(i, *session).is_some()));
        let others = (case.leads.len() - case.believed) as u64;
        let mut note = |count: u64, noun: &str, text: &str| {
            if count > 0 {
                let text = format!("{} {text}", counted(count, noun));
                notes.push(Reason { kind: "not_counted", weight: 0.0, text });
            }
        };
        let attempted = format!(
            "refused or not answered; the {} of these calls are not counted as sent",
            counted(attempts.octets, "octet")
        );
        note(attempts.flows, "flow record", &attempted);
        note(outside, "session", "outside the windows not counted");
        note(otherwise, "session", "not counted: the victim knew the address by another name then");
        note(held, "session", "not counted: defenders or a content network held the address");
        note(others, "other listed host", "of this cluster met and not believed");
        note(shared, "session", "with an address that another cluster claims too: shared out");
        notes.extend((shared > 0).then(|| self.alone(i)).flatten());
        if case.is_firm() {
            let firm = |other: &&Case<'_>| other.is_firm() && !std::ptr::eq(*other, case);
            let same_victim = self.cases.iter().filter(firm).filter(|other| other.victim == case.victim);
            let names: Vec<String> = same_victim.map(|other| self.cluster(&other.affiliation).name).collect();
            let same_cluster =
                self.cases.iter().filter(firm).filter(|other| other.affiliation == case.affiliation);
            notes.extend(overlap::on_victim(&names, self.shares.has_exclusive(i)));
            notes.extend(overlap::on_victims(same_cluster.count()));
        }
        notes
    }

    /// When contact was that no other cluster claims; none where there is none of it that a clock tells.
    fn alone(&self, i: usize) -> Option<Reason> {
        let own = self.cases[i].sessions().filter(|session| self.shares.part(i, *session).is_none());
        let own = own.map(|(pair, session)| &self.pairs[pair].sessions[session]);
        let own: Vec<&Session> = own.filter(|session| !session.clock_suspect).collect();
        let first = own.iter().map(|session| session.start).min()?;
        let last = own.iter().map(|session| session.end).max()?;
        let days: BTreeSet<Day> = own.iter().flat_map(|session| session.days.iter().copied()).collect();
        Some(overlap::alone(days.len() as u64, first.day(), last.day()))
    }

    /// The victim with what the operator says of its network, the narrowest that holds it, and of its role;
    /// where nothing is said of that, the roles that its behaviour shows.
    fn victim(&self, address: Address, shown: Option<&Shown>) -> Victim {
        let network = narrowest(self.networks, address);
        let text = |field: fn(&Network) -> &String| network.map(field).cloned().unwrap_or_default();
        let mut profile = network.map(profile::by_operator).unwrap_or_default();
        profile.behaviour = shown.map(|shown| shown.behaviour.clone());
        let roles = match &profile.role {
            Some(given) => vec![given.value.clone()],
            None => shown.iter().flat_map(|shown| &shown.roles).map(|role| role.word().to_owned()).collect(),
        };
        Victim {
            address,
            asn: network.and_then(|network| network.asn),
            org: text(|network| &network.org),
            sector: text(|network| &network.sector),
            country: text(|network| &network.country),
            roles,
            profile,
        }
    }

    fn cluster(&self, affiliation: &Affiliation) -> Cluster {
        affiliation.cluster(self.book)
    }

    /// What each connection of a case left.
    fn traces(&self, case: &Case<'_>) -> Vec<Trace> {
        let mut traces: BTreeMap<(usize, usize), Trace> = BTreeMap::new();
        for (p, s) in case.sessions() {
            let pair = &self.pairs[p];
            if let Some(trace) = pair.trace(s) {
                let known = traces.entry((p, pair.sessions[s].connection));
                known.and_modify(|known| *known = known.and(trace)).or_insert(trace);
            }
        }
        traces.into_values().collect()
    }

    /// How many connections these sessions, by pair and place, are of.
    fn connections(&self, sessions: impl Iterator<Item = (usize, usize)>) -> u64 {
        let connections = sessions.map(|(p, s)| (p, self.pairs[p].sessions[s].connection));
        connections.collect::<BTreeSet<_>>().len() as u64
    }

    /// The endpoints of a case. Ports of a remote that called are drawn by chance: its row has
    /// port 0.
    fn infrastructure(&self, case: &Case<'_>) -> Vec<Infrastructure> {
        let mut endpoints: BTreeMap<(usize, u8, u16), Infrastructure> = BTreeMap::new();
        let claims: BTreeMap<usize, &Lead<'_>> =
            case.believed().iter().map(|lead| (lead.pair, lead)).collect();
        for (p, s) in case.sessions() {
            let (pair, claim) = (&self.pairs[p], claims[&p].claim);
            let session = &pair.sessions[s];
            let port = if session.opener == Some(Party::Remote) { 0 } else { session.remote_port };
            let endpoint = endpoints.entry((p, session.protocol, port)).or_insert_with(|| Infrastructure {
                address: pair.remote,
                port,
                protocol: session.protocol,
                indicator: claim.indicator.to_string(),
                validity: claim.validity,
                source: claim.source.clone(),
                first_seen: None,
                last_seen: None,
                flows: 0,
            });
            if !session.clock_suspect {
                let first = endpoint.first_seen.unwrap_or(session.start);
                endpoint.first_seen = Some(first.min(session.start));
                endpoint.last_seen = endpoint.last_seen.max(Some(session.end));
            }
            endpoint.flows += session.records.len() as u64;
        }
        let mut endpoints: Vec<Infrastructure> = endpoints.into_values().collect();
        endpoints.sort_by_key(|e| (e.first_seen.is_none(), e.first_seen, e.address, e.protocol, e.port));
        endpoints
    }
}

/// Calls in vain among these records.
fn attempts(parts: &[Part<'_>]) -> Attempts {
    let in_vain = parts.iter().filter(|part| part.is_attempt()).map(|part| part.contact());
    in_vain.fold(Attempts::default(), |sum, contact| Attempts {
        flows: sum.flows + 1,
        octets: sum.octets.saturating_add(contact.out.octets),
    })
}

/// The records whose times compare with those of others.
fn dated<'p, 'a>(parts: &'p [Part<'a>]) -> impl Iterator<Item = &'p Part<'a>> {
    parts.iter().filter(|part| !part.contact().clock_suspect)
}

/// The exporters that recorded these, in order.
fn named(parts: &[Part<'_>]) -> Vec<Arc<str>> {
    let exporters: BTreeSet<&Arc<str>> = parts.iter().map(|part| &part.contact().exporter).collect();
    exporters.into_iter().cloned().collect()
}

/// The narrowest network that holds `address`.
fn narrowest(networks: &[Network], address: Address) -> Option<&Network> {
    networks.iter().filter(|network| network.prefix.contains(address)).max_by_key(|n| n.prefix.bits())
}

fn exporters<'p>(parts: &[Part<'p>]) -> BTreeSet<&'p str> {
    parts.iter().map(|part| &*part.contact().exporter).collect()
}

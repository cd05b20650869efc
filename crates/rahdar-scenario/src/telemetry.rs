//! Day by day: what happens, seen by the sensors, written down.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use rahdar_model::time::SECOND_US;
use rahdar_model::{Day, Timestamp};

use crate::actors::{CLUSTERS, Campaign, Cluster};
use crate::background::{Background, regular};
use crate::decoys::DECOYS;
use crate::draw::Draw;
use crate::encode::ipfix::Ipfix;
use crate::encode::netflow_v9::NetflowV9;
use crate::encode::pcap::{Pcap, Route};
use crate::encode::sflow::Sflow;
use crate::encode::{Announce, Protocol, zeek};
use crate::plan::{COLLECTOR, LAST_DAY, day, days, exporters};
use crate::sampling::{Exporter, Metering, Record, recorder};
use crate::session::Session;
use crate::truth::Telemetry;
use crate::{Progress, ScenarioError, Settings, failed};

/// Everything that happens, and who watches.
pub(crate) struct World {
    pub(crate) settings: Settings,
    /// None: the unsampled sensor watches.
    pub(crate) exporters: Vec<Exporter>,
    pub(crate) played: Vec<Played>,
}

/// A campaign with all its sessions, in the order of time.
pub(crate) struct Played {
    pub(crate) cluster: &'static Cluster,
    pub(crate) campaign: &'static Campaign,
    pub(crate) sessions: Vec<Session>,
}

impl World {
    /// # Errors
    /// [`ScenarioError::Interval`].
    pub(crate) fn new(settings: &Settings) -> Result<Self, ScenarioError> {
        let exporters = exporters(settings.sampling)?;
        let played = CLUSTERS
            .iter()
            .flat_map(|cluster| cluster.campaigns.iter().map(move |campaign| (cluster, campaign)))
            .map(|(cluster, campaign)| Played {
                cluster,
                campaign,
                sessions: cluster.sessions(campaign, settings.seed),
            })
            .collect();
        Ok(Self { settings: *settings, exporters, played })
    }

    /// What happens on a day, by subject. `number` counts the days.
    fn on(&self, background: &Background, number: usize, day: Day) -> Vec<Scene> {
        let seed = self.settings.seed;
        let mut scenes: Vec<Scene> = self
            .played
            .iter()
            .map(|played| {
                let from = played.sessions.partition_point(|session| session.start < day.start());
                let until = played.sessions.partition_point(|session| session.start.day() <= day);
                let subject = played.campaign.subject(played.cluster);
                Scene { subject, sessions: played.sessions[from..until].to_vec(), recorders: Vec::new() }
            })
            .collect();
        let mut scene = |subject: String, fill: &dyn Fn(&mut Vec<Session>)| {
            let mut sessions = Vec::new();
            fill(&mut sessions);
            scenes.push(Scene { subject, sessions, recorders: Vec::new() });
        };
        scene("regular".into(), &|out| regular(seed, day, out));
        for decoy in &DECOYS {
            scene(decoy.subject(), &|out| decoy.on(seed, day, out));
        }
        scene("background".into(), &|out| background.on(number, day, out));
        if let Some(scene) = scenes.last_mut().filter(|_| !self.exporters.is_empty()) {
            let mut draw = Draw::on(seed, "recorders", day);
            scene.recorders = scene
                .sessions
                .iter_mut()
                .map(|session| recorder(&self.exporters, session, &mut draw))
                .collect();
        }
        scenes
    }

    /// Writes all telemetry into `folder`.
    ///
    /// # Errors
    /// [`ScenarioError::Write`].
    pub(crate) fn write(
        &self,
        folder: &Path,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Vec<Telemetry>, ScenarioError> {
        let background = Background::new(self.settings.seed, self.settings.flows);
        let mut zeek = Logs { folder, open: None, done: Vec::new() };
        let mut captures = self
            .exporters
            .iter()
            .map(|exporter| Capture::create(exporter, self.settings.seed, folder))
            .collect::<Result<Vec<_>, _>>()?;
        let total = days().count();
        for (number, day) in days().enumerate() {
            progress(Progress { day, done: number, total });
            let scenes = self.on(&background, number, day);
            if captures.is_empty() {
                zeek.day(day, &scenes)?;
            }
            for capture in &mut captures {
                capture.day(self, day, &scenes)?;
            }
        }
        progress(Progress { day: day(LAST_DAY), done: total, total });
        let mut done = zeek.finish()?;
        for capture in captures {
            done.push(capture.finish()?);
        }
        Ok(done)
    }

    /// The files that [`World::write`] makes.
    pub(crate) fn files(&self) -> Vec<String> {
        if self.exporters.is_empty() {
            let mut names: Vec<String> = days().map(zeek::log_name).collect();
            names.dedup();
            return names;
        }
        self.exporters.iter().map(|exporter| file_name(exporter).to_owned()).collect()
    }
}

/// The sessions that one subject has on one day.
struct Scene {
    subject: String,
    sessions: Vec<Session>,
    /// For each session the exporter that recorded it for certain; empty where none did.
    recorders: Vec<usize>,
}

/// The logs of the unsampled sensor: one a month.
struct Logs<'a> {
    folder: &'a Path,
    open: Option<Log>,
    done: Vec<Telemetry>,
}

struct Log {
    path: PathBuf,
    out: GzEncoder<BufWriter<File>>,
    last: Day,
    truth: Telemetry,
}

impl Logs<'_> {
    fn day(&mut self, day: Day, scenes: &[Scene]) -> Result<(), ScenarioError> {
        let name = zeek::log_name(day);
        if self.open.as_ref().is_none_or(|log| log.truth.file != name) {
            self.close()?;
            let path = self.folder.join(&name);
            let log = create(&path)
                .and_then(|file| {
                    let mut out = GzEncoder::new(file, Compression::fast());
                    zeek::header(day, &mut out)?;
                    Ok(out)
                })
                .map_err(failed(&path))?;
            self.open = Some(Log { path, out: log, last: day, truth: Telemetry::new(name, "E0", 1) });
        }
        let Some(log) = &mut self.open else { return Ok(()) };
        log.last = day;
        let mut sessions: Vec<Session> = scenes.iter().flat_map(|scene| &scene.sessions).copied().collect();
        sessions.sort_by_key(zeek::order);
        // The compressor is slow to start, so it gets a day at a time.
        let mut text = Vec::new();
        for session in &sessions {
            zeek::line(session, &mut text).map_err(failed(&log.path))?;
            log.truth.records += 1;
            for packets in [&session.forward, &session.reverse] {
                log.truth.packets += packets.count();
                log.truth.octets += packets.octets();
            }
        }
        log.out.write_all(&text).map_err(failed(&log.path))
    }

    fn close(&mut self) -> Result<(), ScenarioError> {
        let Some(Log { path, mut out, last, truth }) = self.open.take() else { return Ok(()) };
        zeek::footer(last, &mut out).and_then(|()| out.finish()?.flush()).map_err(failed(&path))?;
        self.done.push(truth);
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<Telemetry>, ScenarioError> {
        self.close()?;
        Ok(self.done)
    }
}

/// Flow records wait so long for others to share a datagram.
const BATCH_US: i64 = 5 * SECOND_US;
/// A datagram needs so long to the collector.
const TRANSIT_US: i64 = 20_000;
/// Announcements are repeated after so many datagrams, and after so long (RFC 7011 §8.1 asks for
/// both; the figures are Cisco's defaults).
const ANNOUNCE_DATAGRAMS: u32 = 20;
const ANNOUNCE_US: i64 = 1_800 * SECOND_US;
/// Datagrams in 1,000 that never arrive.
const LOSS_PER_MILLE: u64 = 20;
/// E2 tells how it samples so long after its first records.
const LATE_US: i64 = 480 * SECOND_US;
/// E2's clock is so much ahead.
const CLOCK_AHEAD_US: i64 = 40 * SECOND_US;

/// One exporter and the capture of what it sent.
struct Capture<'a> {
    exporter: &'a Exporter,
    protocol: Box<dyn Protocol>,
    path: PathBuf,
    pcap: Pcap<BufWriter<File>>,
    /// Records that are not sent yet.
    waiting: Vec<Record>,
    loss: Draw,
    announced: Option<Timestamp>,
    since_announced: u32,
    telling: Telling,
    truth: Telemetry,
}

/// When an exporter tells how it samples.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Telling {
    /// Whenever it tells its templates.
    Always,
    /// Not yet: [`LATE_US`] after its first datagram, which it has not sent.
    Late,
    /// Not before this.
    From(Timestamp),
}

impl<'a> Capture<'a> {
    fn create(exporter: &'a Exporter, seed: u64, folder: &Path) -> Result<Self, ScenarioError> {
        let booted = |text: &str| text.parse().expect("a time written here");
        let protocol: Box<dyn Protocol> = match exporter.index {
            0 => Box::new(Ipfix::new(exporter.interval)),
            // Both run through: 32 bits of milliseconds wrap every 49.7 days.
            1 => Box::new(NetflowV9::new(exporter.interval, booted("2020-06-11T04:12:09Z"), CLOCK_AHEAD_US)),
            _ => Box::new(Sflow::new(exporter.address, exporter.interval, booted("2020-03-02T19:40:51Z"))),
        };
        let name = file_name(exporter);
        let path = folder.join(name);
        let route = Route {
            from: (exporter.address, 50_000 + exporter.index as u16),
            to: (COLLECTOR, protocol.port()),
        };
        let pcap = create(&path).and_then(|file| Pcap::new(file, route)).map_err(failed(&path))?;
        Ok(Self {
            exporter,
            protocol,
            path,
            pcap,
            waiting: Vec::new(),
            loss: Draw::of(seed, &format!("loss of {}", exporter.name)),
            announced: None,
            since_announced: 0,
            telling: if exporter.index == 1 { Telling::Late } else { Telling::Always },
            truth: Telemetry::new(name.to_owned(), exporter.name, exporter.interval),
        })
    }

    /// Samples the sessions of a day and sends what is complete by its end.
    fn day(&mut self, world: &World, day: Day, scenes: &[Scene]) -> Result<(), ScenarioError> {
        for scene in scenes.iter().filter(|scene| !scene.sessions.is_empty()) {
            let subject = format!("{} samples {}", self.exporter.name, scene.subject);
            let mut draw = Draw::on(world.settings.seed, &subject, day);
            for (n, session) in scene.sessions.iter().enumerate() {
                let certain = scene.recorders.get(n) == Some(&self.exporter.index);
                self.exporter.observe(session, certain, &mut draw, &mut self.waiting);
            }
        }
        self.waiting.sort_by_key(|record| (record.ready, record.first, record.src, record.dst));
        self.send(Day(day.0 + 1).start())
    }

    /// Sends the datagrams that are due before `until`.
    fn send(&mut self, until: Timestamp) -> Result<(), ScenarioError> {
        let waiting = std::mem::take(&mut self.waiting);
        let mut left = waiting.as_slice();
        while let Some(first) = left.first() {
            let due = match self.exporter.metering {
                Metering::Flows { .. } => first.ready.plus_micros(BATCH_US),
                // A sample must be sent within a second (sFlow v5 §4.2).
                Metering::Packets => next_second(first.ready),
            };
            if due >= until {
                break;
            }
            let count = left.partition_point(|record| record.ready <= due).min(self.protocol.capacity());
            let (batch, rest) = left.split_at(count);
            let full = count == self.protocol.capacity();
            let sent = next_second(if full { batch[count - 1].ready } else { due });
            self.datagram(sent, batch)?;
            left = rest;
        }
        self.waiting = left.to_vec();
        Ok(())
    }

    /// Sends one datagram with records, and before it what is due to be announced.
    fn datagram(&mut self, sent: Timestamp, records: &[Record]) -> Result<(), ScenarioError> {
        match self.telling {
            Telling::Late => self.telling = Telling::From(sent.plus_micros(LATE_US)),
            Telling::From(at) if at <= sent => {
                self.telling = Telling::Always;
                self.emit(at, &[], Announce { templates: false, sampling: true })?;
            }
            Telling::From(_) | Telling::Always => {}
        }
        let due = self.announced.is_none_or(|last| sent.since(last) >= ANNOUNCE_US)
            || self.since_announced >= ANNOUNCE_DATAGRAMS;
        if due {
            self.announced = Some(sent);
            self.since_announced = 0;
        }
        self.since_announced += 1;
        self.emit(
            sent,
            records,
            Announce { templates: due, sampling: due && self.telling == Telling::Always },
        )
    }

    fn emit(&mut self, sent: Timestamp, records: &[Record], announce: Announce) -> Result<(), ScenarioError> {
        let payload = self.protocol.datagram(sent, records, announce);
        self.truth.datagrams += 1;
        if self.loss.chance(LOSS_PER_MILLE) {
            self.truth.datagrams_lost += 1;
            return Ok(());
        }
        self.truth.records += records.len() as u64;
        self.truth.packets += records.iter().map(|record| u64::from(record.packets)).sum::<u64>();
        self.truth.octets += records.iter().map(|record| u64::from(record.octets)).sum::<u64>();
        self.pcap.datagram(sent.plus_micros(TRANSIT_US), &payload).map_err(failed(&self.path))
    }

    fn finish(mut self) -> Result<Telemetry, ScenarioError> {
        self.send(Timestamp::MAX)?;
        self.pcap.finish().map_err(failed(&self.path))?;
        Ok(self.truth)
    }
}

fn file_name(exporter: &Exporter) -> &'static str {
    match exporter.index {
        0 => "e1-ipfix.pcap",
        1 => "e2-netflow-v9.pcap",
        _ => "e3-sflow.pcap",
    }
}

/// The exporters' timer ticks once a second.
fn next_second(at: Timestamp) -> Timestamp {
    Timestamp::from_seconds((at.micros() + SECOND_US - 1).div_euclid(SECOND_US))
}

fn create(path: &Path) -> io::Result<BufWriter<File>> {
    File::create(path).map(|file| BufWriter::with_capacity(1 << 16, file))
}

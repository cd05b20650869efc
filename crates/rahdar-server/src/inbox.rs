//! Where everything comes in: through the gate, into the spool, onto the books. Shared by all
//! sockets, behind one lock.

use std::collections::{BTreeMap, HashMap};
use std::mem::{self, Discriminant};

use rahdar_model::fact::Loss;
use rahdar_model::time::SECOND_US;
use rahdar_model::{Address, Timestamp, Window};

use crate::gate::{Gate, Verdict};
use crate::health::{Health, Trouble};
use crate::ledger::Ledger;
use crate::marks::Marks;
use crate::notice::Notice;
use crate::segment::{Counter, Dropped, Entry, Received, Whose};
use crate::spool::{Damage, Refusal, Spool};
use crate::udp;

/// Senders whose losses are told apart until they are in the spool. Chosen here: twice as many as are let in at
/// the same time. What is lost beyond is told as [`ANYBODY`]'s.
const LOSSES_MAX: usize = 8_192;

/// The exporter in gaps of losses of more senders than are told apart.
const ANYBODY: &str = "udp *";

/// The exporter in gaps of what was lost in the spool when nobody knew any more whose it was.
const SPOOL: &str = "spool";

/// Notices of one kind that are said in a minute. Chosen here: enough to see what is wrong, too
/// few to flood a log (reliability.md C7).
const SAID_A_MINUTE: u32 = 5;

const MINUTE_US: i64 = 60 * SECOND_US;

/// The way in.
#[derive(Debug)]
pub(crate) struct Inbox {
    pub(crate) spool: Spool,
    pub(crate) ledger: Ledger,
    pub(crate) health: Health,
    gate: Gate,
    /// Losses that are not in the spool yet.
    losses: BTreeMap<(Loss, Whose), Lost>,
    /// How far the drops of sockets that outlive the collector are counted in the spool.
    marks: Marks,
    /// What has to be said.
    notices: Vec<Notice>,
    /// How often something of a kind was said, and since when.
    said: HashMap<Discriminant<Notice>, (Timestamp, u32)>,
    /// Why the spool took nothing last time; said once.
    trouble: Option<Trouble>,
    has_met_stranger: bool,
}

/// A loss that is not in the spool yet.
#[derive(Debug)]
struct Lost {
    window: Window,
    datagrams: u64,
    /// Of a socket that outlives the collector: up to where its drops are counted with these.
    counter: Option<Counter>,
}

impl Inbox {
    pub(crate) fn new(spool: Spool, gate: Gate, ledger: Ledger, marks: Marks) -> Self {
        Self {
            spool,
            ledger,
            health: Health::default(),
            gate,
            losses: BTreeMap::new(),
            marks,
            notices: Vec::new(),
            said: HashMap::new(),
            trouble: None,
            has_met_stranger: false,
        }
    }

    /// Takes datagrams that came.
    pub(crate) fn datagrams<'a>(&mut self, batch: impl Iterator<Item = Received<'a>>, now: Timestamp) {
        let mut accepted = Vec::new();
        for received in batch {
            match self.gate.admit(received.peer, received.time) {
                Verdict::Accepted => accepted.push(Entry::Datagram(received)),
                Verdict::RateLimited => {
                    self.ledger.of(received.peer).rate_limited += 1;
                    self.lose(Loss::RateLimited, Whose::Exporter(received.peer), received.time, 1);
                }
                Verdict::Rejected => self.reject(received.peer, received.time),
            }
        }
        let (written, refusal) = self.spool.append(&accepted, now);
        for (position, entry) in accepted.iter().enumerate() {
            let Entry::Datagram(received) = entry else { continue };
            if position < written {
                self.ledger.of(received.peer).spooled += 1;
            } else {
                self.ledger.of(received.peer).queue_drop += 1;
                self.lose(Loss::QueueDrop, Whose::Exporter(received.peer), received.time, 1);
            }
        }
        if !accepted.is_empty() {
            self.tell_trouble(refusal, now);
        }
    }

    /// Takes a message of a stream; false if the spool takes nothing now and the stream has to wait.
    pub(crate) fn message(&mut self, received: Received<'_>, now: Timestamp) -> bool {
        let (written, refusal) = self.spool.append(&[Entry::Message(received)], now);
        self.ledger.of(received.peer).spooled += written as u64;
        self.tell_trouble(refusal, now);
        written == 1
    }

    /// Takes note of something small: the end of a stream, or of the collector. False if the disk does
    /// not take it.
    pub(crate) fn mark(&mut self, entry: Entry<'_>, now: Timestamp) -> bool {
        let (written, refusal) = self.spool.append_losses(&[entry], now);
        self.tell_trouble(refusal, now);
        written == 1
    }

    /// Whether a stream from here is welcome; if not, it is counted.
    pub(crate) fn welcomes(&mut self, peer: Address, now: Timestamp) -> bool {
        let welcome = self.gate.may_send(peer);
        if !welcome {
            self.reject(peer, now);
        }
        welcome
    }

    /// Takes note of what the kernel dropped of a socket until now.
    pub(crate) fn kernel_dropped(&mut self, socket: &str, dropped: &udp::Dropped) {
        let udp::Dropped { datagrams, window, counter } = *dropped;
        let loss = (Loss::KernelDrop, Whose::Socket(socket.to_owned()));
        if datagrams > 0 {
            *self.ledger.kernel_drop.entry(socket.to_owned()).or_default() += datagrams;
            self.health.met(Trouble::KernelDrops, window.until);
            self.lose_in(loss.0, loss.1.clone(), window, datagrams);
            if let Some(lost) = self.losses.get_mut(&loss) {
                lost.counter = counter;
            }
        } else if let Some(counter) = counter.filter(|_| !self.losses.contains_key(&loss)) {
            self.marks.count(socket, counter, window.until);
        }
    }

    /// Takes note of what is lost with a damaged segment: it had been taken, and cannot be read again.
    pub(crate) fn damaged(&mut self, damage: &Damage) {
        for (sender, messages) in damage.messages.iter().filter(|(_, messages)| *messages > 0) {
            let whose = match sender {
                Some(sender) => Whose::Exporter(*sender),
                None => Whose::Socket(SPOOL.to_owned()),
            };
            let exporter = self.ledger.of(sender.unwrap_or(Address::UNSPECIFIED));
            exporter.damaged += messages;
            if sender.is_none() {
                // Of a process before this one, which counted them as spooled.
                exporter.recovered += messages;
            }
            self.lose_in(Loss::QueueDrop, whose, damage.window, *messages);
        }
    }

    /// Takes note of a message of a stream of which only a part was read: the stream ended, or the collector did.
    pub(crate) fn cut_short(&mut self, peer: Address, by_peer: bool, now: Timestamp) {
        let exporter = self.ledger.of(peer);
        let cause = match by_peer {
            true => {
                exporter.spooled += 1;
                exporter.account.messages += 1;
                exporter.account.in_error += 1;
                Loss::DecodeError
            }
            false => {
                exporter.queue_drop += 1;
                Loss::QueueDrop
            }
        };
        self.lose(cause, Whose::Exporter(peer), now, 1);
    }

    /// Writes losses to the spool. What it does not take stays for the next time.
    pub(crate) fn write_losses(&mut self, now: Timestamp) {
        let entries: Vec<Entry<'_>> = self
            .losses
            .iter()
            .map(|((cause, whose), lost)| {
                let (cause, whose) = (*cause, whose.clone());
                let Lost { window, datagrams, counter } = *lost;
                Entry::Dropped(Dropped { cause, whose, window, datagrams, counter })
            })
            .collect();
        let (written, _) = self.spool.append_losses(&entries, now);
        for _ in 0..written {
            if let Some(((_, Whose::Socket(socket)), Lost { window, counter: Some(counter), .. })) =
                self.losses.pop_first()
            {
                self.marks.count(&socket, counter, window.until);
            }
        }
        // Before anything else is spooled: only the last segment is looked at for what is missing here.
        if let Err(error) = self.marks.write() {
            self.say(Notice::NotSynced(error), now);
        }
    }

    /// Says something about the start.
    pub(crate) fn announce(&mut self, notice: Notice) {
        self.notices.push(notice);
    }

    /// Says something that can come again and again, as whoever is outside pleases: no more than
    /// [`SAID_A_MINUTE`] times a minute of each kind.
    pub(crate) fn say(&mut self, notice: Notice, now: Timestamp) {
        let (since, said) = self.said.entry(mem::discriminant(&notice)).or_insert((now, 0));
        if now.since(*since).saturating_abs() >= MINUTE_US {
            (*since, *said) = (now, 0);
        }
        if *said < SAID_A_MINUTE {
            *said += 1;
            self.notices.push(notice);
        }
    }

    /// What has to be said now.
    pub(crate) fn take_notices(&mut self) -> Vec<Notice> {
        mem::take(&mut self.notices)
    }

    fn reject(&mut self, sender: Address, time: Timestamp) {
        self.ledger.rejected += 1;
        self.lose(Loss::Rejected, Whose::Strangers, time, 1);
        if !self.has_met_stranger {
            self.has_met_stranger = true;
            self.notices.push(Notice::Stranger(sender));
        }
    }

    fn lose(&mut self, cause: Loss, whose: Whose, time: Timestamp, datagrams: u64) {
        self.lose_in(cause, whose, Window::new(time, time.plus_micros(1)), datagrams);
    }

    fn lose_in(&mut self, cause: Loss, mut whose: Whose, lost: Window, datagrams: u64) {
        // Of sockets there are few.
        let is_one_of_many = matches!(whose, Whose::Exporter(_)) && self.losses.len() >= LOSSES_MAX;
        if is_one_of_many && !self.losses.contains_key(&(cause, whose.clone())) {
            whose = Whose::Socket(ANYBODY.to_owned());
        }
        let none = Lost { window: lost, datagrams: 0, counter: None };
        let all = self.losses.entry((cause, whose)).or_insert(none);
        all.window.from = all.window.from.min(lost.from);
        all.window.until = all.window.until.max(lost.until);
        all.datagrams += datagrams;
    }

    /// Takes note of what is wrong with the spool, and says it when that changes.
    fn tell_trouble(&mut self, refusal: Option<Refusal>, now: Timestamp) {
        let (trouble, notice) = match refusal {
            None => (None, Some(Notice::SpoolWell)),
            Some(Refusal::Full) => (Some(Trouble::SpoolFull), Some(Notice::SpoolFull)),
            Some(Refusal::Low(space)) => {
                let (free_octets, reserve_octets) = (space.free, space.reserve());
                (Some(Trouble::DiskLow), Some(Notice::DiskLow { free_octets, reserve_octets }))
            }
            // Without a cause it failed a moment ago, and that was said.
            Some(Refusal::Failed(cause)) => (Some(Trouble::SpoolFailed), cause.map(Notice::SpoolFailed)),
        };
        if let Some(trouble) = trouble {
            self.health.met(trouble, now);
        }
        if let Some(notice) = notice.filter(|_| trouble != self.trouble) {
            self.trouble = trouble;
            self.notices.push(notice);
        }
    }
}

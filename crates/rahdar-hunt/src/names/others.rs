//! By which other names hosts knew claimed addresses when their sessions began: names that everybody asks for, and names
//! that no claim is about. Of each session the least name of either kind is kept, in whatever order they come.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

use rahdar_intel::index::Snapshot;
use rahdar_model::time::SECOND_US;
use rahdar_model::{Address, Day};

use super::{How, Mention};
use crate::evidence::naming::OtherName;
use crate::stitch::Session;

/// Sessions for which one answer is used at most, the first. Chosen here, so that an answer that is kept for days costs
/// little.
const USES_MAX: usize = 4_096;

/// Sessions that a handshake may be part of, the last that began before it. Chosen here: so many are open at once
/// where many clients share an address.
const OPEN_MAX: usize = 256;

/// The sessions of each host and address that met.
pub(crate) type Met<'a> = HashMap<(Address, Address), &'a [Session]>;

/// The names of the sessions of each pair, in their order.
#[derive(Debug, Default)]
pub(super) struct Others(HashMap<(Address, Address), Vec<Known>>);

/// The other names of one session.
#[derive(Debug, Clone, Default)]
struct Known {
    of_everybody: Option<Arc<str>>,
    unclaimed: Option<Arc<str>>,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    OfEverybody,
    Unclaimed,
}

impl Others {
    /// Whether the host knew the address by another name when its session at this place began.
    pub(super) fn is_named(&self, pair: (Address, Address), session: usize) -> bool {
        let known = self.0.get(&pair).and_then(|sessions| sessions.get(session));
        known.is_some_and(|known| known.of_everybody.is_some() || known.unclaimed.is_some())
    }

    /// The least of the names that explain most of these sessions together: those of everybody, else the others.
    pub(super) fn of_most(
        &self,
        pair: (Address, Address),
        sessions: impl Iterator<Item = usize> + Clone,
    ) -> Option<OtherName<'_>> {
        let known = self.0.get(&pair)?;
        let most = |of: fn(&Known) -> Option<&str>| {
            let names: Vec<Option<&str>> = sessions.clone().map(|session| of(&known[session])).collect();
            let named = names.iter().flatten().count();
            if 2 * named > names.len() { names.into_iter().flatten().min() } else { None }
        };
        let of_everybody = most(|known| known.of_everybody.as_deref()).map(OtherName::OfEverybody);
        of_everybody.or_else(|| most(|known| known.unclaimed.as_deref()).map(OtherName::Unclaimed))
    }
}

/// Other names in the making.
pub(super) struct Gathering<'a> {
    book: &'a Snapshot,
    met: &'a Met<'a>,
    others: Others,
    /// The places of the sessions of a pair, by their start.
    orders: HashMap<(Address, Address), Vec<usize>>,
    /// What is known of a name on a day: many rows are about few names.
    kinds: HashMap<Arc<str>, BTreeMap<Day, Option<Kind>>>,
}

impl<'a> Gathering<'a> {
    pub(super) fn new(book: &'a Snapshot, met: &'a Met<'a>) -> Self {
        Self { book, met, others: Others::default(), orders: HashMap::new(), kinds: HashMap::new() }
    }

    pub(super) fn done(self) -> Others {
        self.others
    }

    /// Adds a mention of a name that no open claim is about.
    pub(super) fn add(&mut self, pair: (Address, Address), mention: &Mention) {
        let Some(sessions) = self.met.get(&pair).filter(|_| !mention.name.is_empty()) else { return };
        let order = self.orders.entry(pair).or_insert_with(|| by_start(sessions));
        let near = order[near(mention, sessions, order)].iter().copied();
        let explained: Vec<usize> = near.filter(|place| mention.explains(&sessions[*place])).collect();
        let Some((name, kind)) = (!explained.is_empty()).then(|| self.kind(mention)).flatten() else {
            return;
        };
        let unknown = || vec![Known::default(); sessions.len()];
        let known = self.others.0.entry(pair).or_insert_with(unknown);
        for place in explained {
            let least = match kind {
                Kind::OfEverybody => &mut known[place].of_everybody,
                Kind::Unclaimed => &mut known[place].unclaimed,
            };
            if least.as_ref().is_none_or(|least| name < *least) {
                *least = Some(name.clone());
            }
        }
    }

    /// The name, and of which kind it was on that day; none of a claimed name.
    fn kind(&mut self, mention: &Mention) -> Option<(Arc<str>, Kind)> {
        let (book, day) = (self.book, mention.at.day());
        let name = match self.kinds.get_key_value(&*mention.name) {
            Some((name, _)) => name.clone(),
            None => Arc::from(&*mention.name),
        };
        let of_day = || {
            if book.list_of_everybody(&mention.name, day.start()).is_some() {
                return Some(Kind::OfEverybody);
            }
            book.claims_naming(&mention.name).is_empty().then_some(Kind::Unclaimed)
        };
        let kind = *self.kinds.entry(name.clone()).or_default().entry(day).or_insert_with(of_day);
        kind.map(|kind| (name, kind))
    }
}

fn by_start(sessions: &[Session]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..sessions.len()).collect();
    order.sort_by_key(|place| sessions[*place].start);
    order
}

/// The part of `order` in which sessions lie that the mention may explain.
fn near(mention: &Mention, sessions: &[Session], order: &[usize]) -> Range<usize> {
    match mention.how {
        How::Resolved { until } => {
            let from = order.partition_point(|place| sessions[*place].start < mention.at);
            let to = order.partition_point(|place| sessions[*place].start <= until);
            from..to.clamp(from, from + USES_MAX)
        }
        How::Called { .. } | How::Presented { .. } => {
            let latest = mention.at.plus_micros(SECOND_US);
            let to = order.partition_point(|place| sessions[*place].start <= latest);
            to.saturating_sub(OPEN_MAX)..to
        }
    }
}

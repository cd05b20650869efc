//! What became of an exporter's messages and records, exporter by exporter.

use std::collections::HashMap;

use rahdar_model::{Address, Tally};

/// Exporters that have an account of their own. Chosen here: more than a country has; the others
/// share the account of [`Address::UNSPECIFIED`].
const ACCOUNTS_MAX: usize = 65_536;

/// What became of what one exporter sent. `messages = understood + waiting + no_template + in_error`.
///
/// A message counts once, for the worst of its sets: damaged, or waiting for its template. One that
/// waited is understood as soon as the first of its waiting sets is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Account {
    /// Export datagrams, and messages of a stream.
    pub messages: u64,
    /// Messages of which nothing was refused. Some of their records may wait for a sampling rate.
    pub understood: u64,
    /// Messages that wait for a template.
    pub waiting: u64,
    /// Messages whose template did not come in time.
    pub no_template: u64,
    /// Messages of which something was refused.
    pub in_error: u64,
    /// Their records.
    pub tally: Tally,
    /// Of the records refused, those whose template did not come.
    pub untold: u64,
    /// Times that a template was announced again with another meaning.
    pub redefined: u64,
    /// Messages missing by their sequence numbers.
    pub lost_messages: u64,
    /// Records missing by their sequence numbers.
    pub lost_records: u64,
}

impl Account {
    /// Whether every message and every record is accounted for.
    pub const fn balances(&self) -> bool {
        self.messages == self.understood + self.waiting + self.no_template + self.in_error
            && self.tally.balances()
    }

    /// Adds what an account grew by. What waits may be less than before.
    pub fn add_growth(&mut self, before: &Self, after: &Self) {
        self.charge(&before.tally, &after.tally);
        for (total, before, after) in [
            (&mut self.messages, before.messages, after.messages),
            (&mut self.understood, before.understood, after.understood),
            (&mut self.waiting, before.waiting, after.waiting),
            (&mut self.no_template, before.no_template, after.no_template),
            (&mut self.in_error, before.in_error, after.in_error),
            (&mut self.untold, before.untold, after.untold),
            (&mut self.redefined, before.redefined, after.redefined),
            (&mut self.lost_messages, before.lost_messages, after.lost_messages),
            (&mut self.lost_records, before.lost_records, after.lost_records),
        ] {
            *total = total.wrapping_add(after.wrapping_sub(before));
        }
    }

    /// Adds what a tally grew by, which for `held` may be less than nothing.
    pub(crate) fn charge(&mut self, before: &Tally, after: &Tally) {
        let tally = &mut self.tally;
        for (total, before, after) in [
            (&mut tally.received, before.received, after.received),
            (&mut tally.decoded, before.decoded, after.decoded),
            (&mut tally.held, before.held, after.held),
            (&mut tally.refused, before.refused, after.refused),
            (&mut tally.beside, before.beside, after.beside),
            (&mut tally.flows, before.flows, after.flows),
            (&mut tally.facts, before.facts, after.facts),
        ] {
            *total = total.wrapping_add(after.wrapping_sub(before));
        }
    }
}

/// The accounts of all exporters.
#[derive(Debug, Default)]
pub(crate) struct Accounts(HashMap<Address, Account>);

impl Accounts {
    /// The account of this exporter.
    pub(crate) fn of(&mut self, exporter: Address) -> &mut Account {
        let is_full = self.0.len() >= ACCOUNTS_MAX && !self.0.contains_key(&exporter);
        self.0.entry(if is_full { Address::UNSPECIFIED } else { exporter }).or_default()
    }

    /// Every account, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Address, &Account)> {
        self.0.iter().map(|(exporter, account)| (*exporter, account))
    }
}

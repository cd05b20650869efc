//! Zeek `dns.log`: one row, one question with its answers.
//!
//! Each answer makes a [`Resolution`](rahdar_model::fact::Resolution) of the name that was asked
//! for; a question without answers makes one that says so. Answers and `TTLs` are lists of equal
//! length, paired by their place. A row without a name in question is beside.

use rahdar_model::sink::SinkError;

use super::field::Field;
use super::talk::Talk;
use super::{Form, Log};
use crate::delivery::Delivery;
use crate::facts::{ANSWERS_MAX, Facts, set_name};
use crate::value::{ValueError, seconds, short};

/// The values of one row. Texts and lists are as in the input, escapes and all.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Row<'r> {
    talk: Talk,
    query: &'r [u8],
    qtype: Option<u16>,
    rcode: Option<u16>,
    answers: &'r [u8],
    ttls: &'r [u8],
}

impl<'r> super::Row<'r> for Row<'r> {
    const LOG: Log = Log::Dns;

    fn set(&mut self, field: Field, value: &'r [u8]) -> Result<(), ValueError> {
        let wrong = || ValueError::wrong(field.name(), value);
        let code = || short(value).ok_or_else(wrong);
        match field {
            Field::Query => self.query = value,
            Field::Qtype => self.qtype = Some(code()?),
            Field::Rcode => self.rcode = Some(code()?),
            Field::Answers => self.answers = value,
            Field::Ttls => self.ttls = value,
            _ => self.talk.set(field, value)?,
        }
        Ok(())
    }

    fn fill(
        &self,
        form: &impl Form,
        delivery: &mut Delivery<'_>,
        facts: &mut Facts,
    ) -> Result<bool, ValueError> {
        let (time, client, server) = self.talk.who()?;
        let resolution = facts.begin_resolution(time, delivery.record.source_row, delivery);
        resolution.client = client;
        resolution.server = server;
        set_name(self.query, &mut resolution.name, &|text, into| form.text(text, into));
        resolution.question = self.qtype;
        resolution.response = self.rcode;
        Ok(!self.query.is_empty())
    }

    fn give(
        &self,
        form: &impl Form,
        delivery: &mut Delivery<'_>,
        facts: &mut Facts,
    ) -> Result<(), SinkError> {
        let mut ttls = form.items(self.ttls);
        let mut is_answered = false;
        for answer in form.items(self.answers).take(ANSWERS_MAX) {
            is_answered = true;
            // Zeek keeps the interval as seconds with a fraction that is always zero.
            facts.resolution.ttl_s =
                ttls.next().and_then(seconds).and_then(|us| u32::try_from(us / 1_000_000).ok());
            facts.answer(answer, &|text, into| form.text(text, into));
            facts.resolved(delivery)?;
        }
        if !is_answered {
            facts.resolved(delivery)?;
        }
        Ok(())
    }
}

//! Messages of DNS: the question, and what came back (RFC 1035 §4; RFC 3596, AAAA; RFC 2782, SRV).
//!
//! A message that is cut, or wrong from some place on, is read up to there.

use std::fmt::Write as _;

use rahdar_model::Address;

/// The most octets of a name on the wire (RFC 1035 §3.1).
const NAME_OCTETS_MAX: usize = 255;

const HEADER_OCTETS: usize = 12;

/// The class of names and addresses (RFC 1035 §3.2.4).
const INTERNET: u16 = 1;

/// Pointers that one name may follow. Chosen here: as many as it may have labels.
const POINTERS_MAX: usize = 127;

/// The messages of a segment of TCP, each behind its length (RFC 1035 §4.2.2), as far as the segment holds them; one
/// without it where the length stands in a segment of its own.
pub(super) fn of_segment(octets: &[u8]) -> Vec<Message<'_>> {
    let (mut messages, mut left) = (Vec::new(), octets);
    while let Some((length, rest)) = left.split_first_chunk() {
        let (message, behind) = rest.split_at(rest.len().min(usize::from(u16::from_be_bytes(*length))));
        let Some(message) = Message::read(message) else { break };
        messages.push(message);
        left = behind;
    }
    if messages.is_empty() {
        messages.extend(Message::read(octets));
    }
    messages
}

/// A question, or a response to one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message<'m> {
    octets: &'m [u8],
    pub(super) is_response: bool,
    /// How the server answered (IANA DNS RCODE), without the bits that EDNS adds.
    pub(super) response: u16,
    /// The name in question, as text (RFC 1035 §5.1), without final dot.
    pub(super) name: String,
    /// The type in question.
    pub(super) kind: u16,
    /// How many answers there are said to be, and where they begin.
    answers: u16,
    answers_at: usize,
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) ttl_s: u32,
    pub(super) data: Data,
}

/// What an answer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Data {
    Address(Address),
    /// A name, without final dot.
    Name(String),
    Text(Vec<u8>),
}

impl<'m> Message<'m> {
    /// A message with one question about a name of the internet; none if it is no such message.
    pub(super) fn read(octets: &'m [u8]) -> Option<Self> {
        let flags = u16_at(octets, 2)?;
        let (opcode, questions) = (flags >> 11 & 0xf, u16_at(octets, 4)?);
        if opcode != 0 || questions != 1 {
            return None;
        }
        let (name, at) = name(octets, HEADER_OCTETS)?;
        let (kind, class) = (u16_at(octets, at)?, u16_at(octets, at + 2)?);
        (class == INTERNET && !name.is_empty()).then(|| Self {
            octets,
            is_response: flags & 0x8000 != 0,
            response: flags & 0xf,
            name,
            kind,
            answers: u16_at(octets, 6).unwrap_or(0),
            answers_at: at + 4,
        })
    }

    /// The answers that say an address, a name or a text.
    pub(super) fn answers(&self) -> impl Iterator<Item = Record> {
        let mut at = self.answers_at;
        let count = if self.is_response { self.answers } else { 0 };
        let records = (0..count).map_while(move |_| {
            let fixed = behind_name(self.octets, at)?;
            let (kind, class) = (u16_at(self.octets, fixed)?, u16_at(self.octets, fixed + 2)?);
            let ttl_s = u32::from_be_bytes(*self.octets.get(fixed + 4..)?.first_chunk()?);
            let data_at = fixed + 10;
            at = data_at + usize::from(u16_at(self.octets, fixed + 8)?);
            self.octets.get(data_at..at)?;
            let data = (class == INTERNET).then(|| data(self.octets, kind, data_at..at)).flatten();
            Some(data.map(|data| Record { ttl_s, data }))
        });
        records.flatten()
    }
}

/// What the data of a record says, by its type (IANA DNS RR TYPE).
fn data(octets: &[u8], kind: u16, at: std::ops::Range<usize>) -> Option<Data> {
    let own = octets.get(at.clone())?;
    let name_at = |from: usize| {
        let (name, end) = (from < own.len()).then(|| name(octets, at.start + from)).flatten()?;
        (end <= at.end).then_some(Data::Name(name))
    };
    match kind {
        // A, AAAA.
        1 => Some(Data::Address(Address::from_v4_bits(u32::from_be_bytes(own.try_into().ok()?)))),
        28 => Some(Data::Address(Address::from_bits(u128::from_be_bytes(own.try_into().ok()?)))),
        // NS, CNAME, PTR, DNAME; MX behind its preference; SRV behind priority, weight and port.
        2 | 5 | 12 | 39 => name_at(0),
        15 => name_at(2),
        33 => name_at(6),
        // TXT: strings behind their lengths.
        16 => {
            let (mut text, mut rest) = (Vec::new(), own);
            while let Some((length, behind)) = rest.split_first() {
                let string;
                (string, rest) = behind.split_at_checked(usize::from(*length))?;
                text.extend_from_slice(string);
            }
            Some(Data::Text(text))
        }
        _ => None,
    }
}

/// The octet behind the name that begins at an octet of a message.
fn behind_name(message: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let length = *message.get(at)?;
        match length >> 6 {
            0 if length == 0 => return Some(at + 1),
            0 => at += 1 + usize::from(length),
            3 => return Some(at + 2),
            _ => return None,
        }
    }
}

/// The name that begins at an octet of a message, as text, and the octet behind it. Octets that are not plain, and dots
/// inside of a label, are escaped (RFC 1035 §5.1), so that two names never have one text.
fn name(message: &[u8], begin: usize) -> Option<(String, usize)> {
    let mut text = String::new();
    let (mut at, mut behind, mut before, mut octets, mut pointers) = (begin, None, begin, 0, 0);
    loop {
        let length = *message.get(at)?;
        match length >> 6 {
            0 if length == 0 => return Some((text, behind.unwrap_or(at + 1))),
            0 => {
                let label = message.get(at + 1..)?.get(..usize::from(length))?;
                octets += label.len() + 1;
                if octets >= NAME_OCTETS_MAX {
                    return None;
                }
                if !text.is_empty() {
                    text.push('.');
                }
                label.iter().for_each(|octet| push(*octet, &mut text));
                at += 1 + label.len();
            }
            // A pointer to where the rest stands: always further up, so that no name is without end.
            3 => {
                let to = usize::from(u16_at(message, at)? & 0x3fff);
                behind = behind.or(Some(at + 2));
                pointers += 1;
                if to >= before || pointers > POINTERS_MAX {
                    return None;
                }
                (at, before) = (to, to);
            }
            _ => return None,
        }
    }
}

fn push(octet: u8, text: &mut String) {
    match octet {
        b'\\' => text.push_str("\\\\"),
        0x21..=0x7e if octet != b'.' => text.push(char::from(octet)),
        _ => {
            let _ = write!(text, "\\{octet:03}");
        }
    }
}

fn u16_at(octets: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*octets.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A message of these flags with one question, and answers of type, class and data, their name that of the question.
    fn message(flags: u16, name: &[u8], kind: u16, answers: &[(u16, u16, &[u8])]) -> Vec<u8> {
        let mut octets = vec![0x12, 0x34];
        for word in [flags, 1, answers.len() as u16, 0, 0] {
            octets.extend(word.to_be_bytes());
        }
        octets.extend(name);
        octets.extend(kind.to_be_bytes());
        octets.extend([0, 1]);
        for (kind, class, data) in answers {
            octets.extend([0xc0, 12]);
            octets.extend(kind.to_be_bytes());
            octets.extend(class.to_be_bytes());
            octets.extend(300_u32.to_be_bytes());
            octets.extend((data.len() as u16).to_be_bytes());
            octets.extend(*data);
        }
        octets
    }

    const NAME: &[u8] = b"\x02C2\x07example\x03org\x00";

    #[test]
    fn a_question_has_a_name_and_a_type() {
        let octets = message(0x0100, NAME, 28, &[]);
        let read = Message::read(&octets).unwrap();
        assert_eq!((read.name.as_str(), read.kind, read.is_response), ("C2.example.org", 28, false));
        assert_eq!(read.answers().count(), 0);
    }

    #[test]
    fn answers_are_addresses_names_and_texts_and_others_are_passed_over() {
        let v6 = "2001:db8::1".parse::<std::net::Ipv6Addr>().unwrap().octets();
        let octets = message(
            0x8180,
            NAME,
            255,
            &[
                (5, 1, b"\x05other\xc0\x0f"),
                (257, 1, b"anything"),
                (1, 3, &[192, 0, 2, 1]),
                (1, 1, &[192, 0, 2, 1]),
                (28, 1, &v6),
                (15, 1, b"\x00\x0a\x04mail\xc0\x0f"),
                (33, 1, b"\x00\x01\x00\x02\x01\xbb\x03srv\x00"),
                (16, 1, b"\x03a b\x03C=."),
                (1, 1, &[192, 0, 2]),
                // Names that are not within their data.
                (5, 1, b""),
                (15, 1, b"\x00"),
                (5, 1, b"\x05ot"),
                (5, 1, b"\x02ab"),
            ],
        );
        let read = Message::read(&octets).unwrap();
        let name = |name: &str| Data::Name(name.to_owned());
        let address = |text: &str| Data::Address(text.parse().unwrap());
        assert_eq!(
            read.answers().map(|record| record.data).collect::<Vec<_>>(),
            [
                name("other.example.org"),
                address("192.0.2.1"),
                address("2001:db8::1"),
                name("mail.example.org"),
                name("srv"),
                Data::Text(b"a bC=.".to_vec()),
            ]
        );
        assert!(read.answers().all(|record| record.ttl_s == 300));
    }

    #[test]
    fn a_message_that_is_cut_says_what_is_there() {
        let octets = message(0x8180, NAME, 1, &[(1, 1, &[192, 0, 2, 1]), (1, 1, &[192, 0, 2, 2])]);
        let answers = |until: usize| Message::read(&octets[..until]).map(|read| read.answers().count());
        assert_eq!(answers(octets.len()), Some(2));
        assert_eq!(answers(octets.len() - 1), Some(1));
        assert_eq!(answers(octets.len() - 17), Some(0));
        assert_eq!(answers(HEADER_OCTETS + NAME.len() + 3), None);
    }

    #[test]
    fn what_is_no_question_of_the_internet_is_no_message() {
        for (flags, name) in [(0x2800, NAME), (0x0100, b"\x00".as_slice()), (0x0100, b"\x81a\x00")] {
            assert_eq!(Message::read(&message(flags, name, 1, &[])), None, "{flags:x} {name:?}");
        }
        let mut two = message(0x0100, NAME, 1, &[]);
        two[5] = 2;
        assert_eq!(Message::read(&two), None);
    }

    #[test]
    fn two_names_never_have_one_text() {
        let text = |name: &[u8]| Message::read(&message(0x0100, name, 1, &[])).unwrap().name;
        assert_eq!(text(b"\x03a.b\x01c\x00"), "a\\046b.c");
        assert_eq!(text(b"\x02a\\\x02\x00 \x00"), "a\\\\.\\000\\032");
    }

    #[test]
    fn names_end_wherever_their_pointers_lead() {
        let pointing = |to: u8| message(0x8180, NAME, 5, &[(5, 1, &[0xc0, to])]);
        // To itself, and past itself.
        for to in [44, 45, 60] {
            let octets = pointing(to);
            assert_eq!(Message::read(&octets).unwrap().answers().count(), 0, "{to}");
        }
        let octets = pointing(15);
        let found: Vec<Data> = Message::read(&octets).unwrap().answers().map(|record| record.data).collect();
        assert_eq!(found, [Data::Name("example.org".to_owned())]);
    }

    /// Each pointer leads to the one before, and every answer to the last of them.
    #[test]
    fn a_name_does_not_follow_pointers_without_end() {
        let begin = HEADER_OCTETS + NAME.len() + 4 + 12;
        let chain = |links: usize| {
            let mut to = HEADER_OCTETS;
            let pointers = (0..links).flat_map(|link| {
                let own = 0xc000 | std::mem::replace(&mut to, begin + 2 * link) as u16;
                own.to_be_bytes()
            });
            let pointers: Vec<u8> = pointers.collect();
            let last = (0xc000 | (begin + 2 * (links - 1)) as u16).to_be_bytes();
            let octets = message(0x8180, NAME, 5, &[(10, 1, &pointers), (5, 1, &last)]);
            Message::read(&octets).unwrap().answers().count()
        };
        assert_eq!((chain(POINTERS_MAX - 1), chain(POINTERS_MAX)), (1, 0));
    }

    #[test]
    fn a_segment_holds_messages_behind_their_lengths() {
        let one = message(0x0100, NAME, 1, &[]);
        let sized = [&(one.len() as u16).to_be_bytes()[..], &one].concat();
        let count = |segment: &[u8]| of_segment(segment).len();
        assert_eq!(count(&sized), 1);
        assert_eq!(count(&[&sized[..], &sized].concat()), 2);
        assert_eq!(count(&[&sized[..], b"\x00\x05GET /"].concat()), 1);
        assert_eq!(count(&one), 1);
        assert_eq!(count(&sized[..2]), 0);
        assert_eq!(count(b"\x16\x03\x01 anything else"), 0);
    }

    #[test]
    fn a_name_is_no_longer_than_a_name_may_be() {
        let label = [&[63][..], &[b'a'; 63]].concat();
        let of = |last: u8| {
            let end = [&[last][..], &vec![b'a'; usize::from(last)], &[0]].concat();
            Message::read(&message(0x0100, &[label.repeat(3), end].concat(), 1, &[]))
                .map(|read| read.name.len())
        };
        assert_eq!(of(61), Some(253));
        assert_eq!(of(62), None);
    }

    proptest! {
        /// Whatever octets come, answers end.
        #[test]
        fn any_octets_are_read_to_an_end(mut octets in prop::collection::vec(any::<u8>(), 0..300)) {
            for (at, octet) in [0, 0, 0x81, 0x80, 0, 1, 0xff, 0xff].into_iter().enumerate() {
                if let Some(place) = octets.get_mut(at) {
                    *place = octet;
                }
            }
            if let Some(message) = Message::read(&octets) {
                prop_assert!(message.name.len() <= 4 * NAME_OCTETS_MAX);
                prop_assert!(message.answers().count() <= octets.len() / 11);
            }
        }
    }
}

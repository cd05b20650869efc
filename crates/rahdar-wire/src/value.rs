//! Single values as logs write them: counts, seconds, times, addresses, hashes.

use std::borrow::Cow;
use std::net::Ipv6Addr;

use rahdar_model::flow::{protocol as ip, tcp};
use rahdar_model::time::CLOCK_PLAUSIBLE;
use rahdar_model::{Address, Timestamp};
use thiserror::Error;

/// Why a record of a log is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum ValueError {
    /// A field that must be there is not, or is unset.
    #[error("`{0}` is missing")]
    Missing(Cow<'static, str>),
    /// A field holds something else.
    #[error("`{0}` cannot be `{value}`", value = .1.escape_ascii())]
    Wrong(Cow<'static, str>, Box<[u8]>),
    /// One of these, and how the tool that printed it prints what is read.
    #[error("{0} ({1})")]
    Printed(Box<Self>, &'static str),
}

impl ValueError {
    /// A field of this name is missing.
    pub(crate) fn missing(name: impl Into<Cow<'static, str>>) -> Self {
        Self::Missing(name.into())
    }

    /// The field of this name holds `value`.
    pub(crate) fn wrong(name: impl Into<Cow<'static, str>>, value: &[u8]) -> Self {
        /// Octets of a wrong value that are shown. Chosen here: enough to find it.
        const SHOWN_OCTETS: usize = 40;
        Self::Wrong(name.into(), value[..value.len().min(SHOWN_OCTETS)].into())
    }
}

/// A number of 16 bits: a port, a type of DNS.
pub(crate) fn short(text: &[u8]) -> Option<u16> {
    count(text).and_then(|number| u16::try_from(number).ok())
}

/// An IP protocol by number or by name.
pub(crate) fn protocol(text: &[u8]) -> Option<u8> {
    if let Some(number) = count(text) {
        return u8::try_from(number).ok();
    }
    ip::named(text)
}

/// TCP flags as letters, in any order and with any padding: `FSRPAUEC`, `C` for CWR and `E` for ECE.
pub(crate) fn flag_letters(text: &[u8]) -> Option<u16> {
    const URG: u16 = 0x20;
    const ECE: u16 = 0x40;
    const CWR: u16 = 0x80;
    text.iter().try_fold(0, |flags, letter| {
        Some(
            flags
                | match letter {
                    b'F' => tcp::FIN,
                    b'S' => tcp::SYN,
                    b'R' => tcp::RST,
                    b'P' => tcp::PSH,
                    b'A' => tcp::ACK,
                    b'U' => URG,
                    b'E' => ECE,
                    b'C' => CWR,
                    b'.' | b' ' => 0,
                    _ => return None,
                },
        )
    })
}

/// A number in hexadecimal digits, with or without `0x`.
pub(crate) fn hexadecimal(text: &[u8]) -> Option<u64> {
    let digits = text.strip_prefix(b"0x").unwrap_or(text);
    if digits.is_empty() || digits.len() > 16 {
        return None;
    }
    digits.iter().try_fold(0, |number, c| Some(number << 4 | u64::from((*c as char).to_digit(16)?)))
}

/// A non-negative whole number. JSON writers may give `12.0` or `1e3`; fractions are cut off.
pub(crate) fn count(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    let mut number: u64 = 0;
    for digit in text {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return count_from_float(text);
        }
        number = number.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    Some(number)
}

fn count_from_float(text: &[u8]) -> Option<u64> {
    let number = float(text)?;
    (0.0..=u64::MAX as f64).contains(&number).then_some(number as u64)
}

/// Seconds with a fraction, as microseconds. Digits beyond the sixth are cut off.
pub(crate) fn seconds(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    let mut whole: i64 = 0;
    let mut at = 0;
    while let Some(digit) = digits.get(at).map(|d| d.wrapping_sub(b'0')).filter(|d| *d <= 9) {
        whole = whole.checked_mul(10)?.checked_add(i64::from(digit))?;
        at += 1;
    }
    if at == 0 {
        return None;
    }
    let mut us = whole.checked_mul(1_000_000)?;
    match digits.get(at) {
        None => {}
        Some(b'.') => {
            let mut scale = 100_000;
            for digit in &digits[at + 1..] {
                let digit = digit.wrapping_sub(b'0');
                if digit > 9 {
                    return seconds_from_float(text);
                }
                us = us.checked_add(i64::from(digit) * scale)?;
                scale /= 10;
            }
        }
        Some(_) => return seconds_from_float(text),
    }
    Some(if negative { -us } else { us })
}

fn seconds_from_float(text: &[u8]) -> Option<i64> {
    let us = float(text)? * 1e6;
    (i64::MIN as f64..i64::MAX as f64).contains(&us).then_some(us as i64)
}

/// A number in the forms of JSON. Rust alone would take `inf` and `nan` too.
pub(crate) fn float(text: &[u8]) -> Option<f64> {
    let plain = text.iter().all(|c| matches!(c, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
    if plain { std::str::from_utf8(text).ok()?.parse().ok() } else { None }
}

/// A time: a count since the epoch, or a date and a time of day.
///
/// Logs count seconds; what ships them on may count milliseconds, microseconds or nanoseconds. A number that
/// no clock has as seconds is taken in the unit in which one has it ([`CLOCK_PLAUSIBLE`]): the units
/// lie a thousand apart and all plausible times within a factor of seven, so that no number fits two.
/// One that fits none is seconds.
pub(crate) fn time(text: &[u8]) -> Option<Timestamp> {
    let as_seconds = seconds(text).map(Timestamp::from_micros);
    match as_seconds {
        Some(time) if time < CLOCK_PLAUSIBLE.until => Some(time),
        _ => in_unit(text).map(|(time, _)| time).or(as_seconds).or_else(|| moment(text)),
    }
}

/// The unit of a time that counts another than seconds, in words.
pub(crate) fn unit(text: &[u8]) -> Option<&'static str> {
    let is_seconds = seconds(text).is_some_and(|us| us < CLOCK_PLAUSIBLE.until.micros());
    if is_seconds { None } else { in_unit(text).map(|(_, unit)| unit) }
}

/// A count in the unit in which it is a time that a clock may have.
fn in_unit(text: &[u8]) -> Option<(Timestamp, &'static str)> {
    let number = i64::try_from(count(text)?).ok()?;
    let units = [
        (number.checked_mul(1_000), "milliseconds"),
        (Some(number), "microseconds"),
        (Some(number / 1_000), "nanoseconds"),
    ];
    let times = units.into_iter().filter_map(|(us, unit)| Some((Timestamp::from_micros(us?), unit)));
    times.into_iter().find(|(time, _)| CLOCK_PLAUSIBLE.contains(*time))
}

/// A date and a time of day as logs write them: `2021-08-15T12:30:00.25Z`, `2021/08/15 12:30:00`,
/// with any offset (`+0430`, `+04:30`, ` UTC`) or none, which is taken as UTC. Digits beyond the
/// microsecond are cut off.
pub(crate) fn moment(text: &[u8]) -> Option<Timestamp> {
    let (fixed, mut rest) = text.split_first_chunk::<19>()?;
    let number = |from: usize, to: usize| {
        fixed[from..to].iter().try_fold(0i64, |n, c| {
            let digit = c.wrapping_sub(b'0');
            (digit <= 9).then_some(n * 10 + i64::from(digit))
        })
    };
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let is_date =
        matches!(fixed[4], b'-' | b'/') && fixed[4] == fixed[7] && matches!(fixed[10], b'T' | b't' | b' ');
    if !is_date || fixed[13] != b':' || fixed[16] != b':' {
        return None;
    }
    // 60 is a leap second; as a count of seconds it is the next minute.
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let mut us = 0;
    if let [b'.' | b',', fraction @ ..] = rest {
        let digits = fraction.iter().take_while(|c| c.is_ascii_digit()).count();
        let mut scale = 100_000;
        for digit in &fraction[..digits] {
            us += i64::from(digit - b'0') * scale;
            scale /= 10;
        }
        rest = &fraction[digits..];
    }
    let offset_minutes = offset_minutes(rest)?;
    let seconds = days(year, month, day)? * 86_400 + hour * 3_600 + (minute - offset_minutes) * 60 + second;
    Some(Timestamp::from_seconds(seconds).plus_micros(us))
}

/// Minutes by which a zone is ahead of UTC.
fn offset_minutes(zone: &[u8]) -> Option<i64> {
    let (sign, hours, minutes) = match zone {
        [] | [b'Z' | b'z'] | b" UTC" => return Some(0),
        [sign, a, b, c, d] | [sign, a, b, b':', c, d] => (sign, [*a, *b], [*c, *d]),
        [sign, a, b] => (sign, [*a, *b], *b"00"),
        _ => return None,
    };
    let number = |digits: [u8; 2]| {
        digits
            .iter()
            .all(u8::is_ascii_digit)
            .then(|| i64::from(digits[0] - b'0') * 10 + i64::from(digits[1] - b'0'))
    };
    let minutes = number(hours)? * 60 + number(minutes)?;
    match sign {
        b'+' => Some(minutes),
        b'-' => Some(-minutes),
        _ => None,
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar; none if there is no such date.
///
/// Counts from 1 March of year 0, so that the leap day is the last of its year: 146,097 days in
/// 400 years, and `(153 m + 2) / 5` days before the `m`-th month from March.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(is_leap),
        _ => return None,
    };
    if day < 1 || day > last {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + of_year - 719_468)
}

/// An address in text, of either family.
pub(crate) fn address(text: &[u8]) -> Option<Address> {
    let (mut bits, mut part, mut digits, mut dots) = (0u32, 0u32, 0, 0);
    for c in text {
        match c {
            b'0'..=b'9' if digits < 3 => {
                part = part * 10 + u32::from(c - b'0');
                digits += 1;
            }
            b'.' if digits > 0 && dots < 3 && part < 256 => {
                bits = bits << 8 | part;
                (part, digits) = (0, 0);
                dots += 1;
            }
            _ => return v6(text),
        }
    }
    (dots == 3 && digits > 0 && part < 256).then(|| Address::from_v4_bits(bits << 8 | part))
}

/// An IPv6 address. The zone behind a `%` (RFC 4007 §11) says on which link of a sensor it was seen, and no more.
fn v6(text: &[u8]) -> Option<Address> {
    let text = std::str::from_utf8(text).ok()?;
    let bare = text.split_once('%').map_or(text, |(bare, _)| bare);
    bare.parse::<Ipv6Addr>().ok().map(Address::from)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rahdar_model::Day;

    use super::*;

    #[test]
    fn seconds_become_microseconds() {
        for (text, us) in [
            ("1588205199.82437", Some(1_588_205_199_824_370)),
            ("0.0015280246734", Some(1_528)),
            ("19", Some(19_000_000)),
            ("-1.5", Some(-1_500_000)),
            ("1.588e9", Some(1_588_000_000_000_000)),
            ("2.5e-1", Some(250_000)),
            ("", None),
            ("-", None),
            ("1.2.3", None),
            ("99999999999999999999", None),
            ("nan", None),
        ] {
            assert_eq!(seconds(text.as_bytes()), us, "{text}");
        }
    }

    #[test]
    fn a_number_is_a_time_in_the_unit_in_which_a_clock_may_have_it() {
        for (text, shown, in_unit) in [
            ("1620990000.5", "2021-05-14T11:00:00.5Z", None),
            ("1620990000500", "2021-05-14T11:00:00.5Z", Some("milliseconds")),
            ("1620990000500.25", "2021-05-14T11:00:00.5Z", Some("milliseconds")),
            ("1.6209900005e12", "2021-05-14T11:00:00.5Z", Some("milliseconds")),
            ("1620990000500000", "2021-05-14T11:00:00.5Z", Some("microseconds")),
            ("1620990000500000000", "2021-05-14T11:00:00.5Z", Some("nanoseconds")),
            ("12", "1970-01-01T00:00:12Z", None),
            ("4102444799", "2099-12-31T23:59:59Z", None),
            ("2021-05-14T11:00:00Z", "2021-05-14T11:00:00Z", None),
        ] {
            let time = time(text.as_bytes()).map(|time| time.to_string());
            assert_eq!((time.as_deref(), unit(text.as_bytes())), (Some(shown), in_unit), "{text}");
        }
        let beyond = Timestamp::from_seconds(5_000_000_000_000);
        assert_eq!((time(b"5000000000000"), unit(b"5000000000000")), (Some(beyond), None));
    }

    #[test]
    fn counts_are_whole_and_not_negative() {
        for (text, number) in [
            ("0", Some(0)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("12.0", Some(12)),
            ("1e3", Some(1_000)),
            ("-1", None),
            ("inf", None),
            ("", None),
        ] {
            assert_eq!(count(text.as_bytes()), number, "{text}");
        }
    }

    #[test]
    fn addresses_are_read_as_the_standard_library_reads_them() {
        for text in [
            "192.0.2.1",
            "255.255.255.255",
            "0.0.0.0",
            "2001:db8::1",
            "::ffff:192.0.2.1",
            "192.0.2",
            "192.0.2.256",
            "192.0.2.1.",
            "192..2.1",
            "192.0.2.1.5",
            "1920.0.2.1",
            "192.0.2.1%eth0",
            "",
        ] {
            let expected = text.parse::<std::net::IpAddr>().ok().map(Address::from);
            assert_eq!(address(text.as_bytes()), expected, "{text}");
        }
        assert_eq!(address(b"fe80::1%eth0"), address(b"fe80::1"), "the zone is none of the address");
    }

    #[test]
    fn moments_are_those_of_the_calendar() {
        for (text, shown) in [
            ("2021-06-06T15:57:37.272281+0200", Some("2021-06-06T13:57:37.272281Z")),
            ("2011/08/10 09:46:59.607825", Some("2011-08-10T09:46:59.607825Z")),
            ("2024-02-29T23:59:59.999999999-04:30", Some("2024-03-01T04:29:59.999999Z")),
            ("1970-01-01 00:00:00", Some("1970-01-01T00:00:00Z")),
            ("0000-03-01T00:00:00Z", Some("0000-03-01T00:00:00Z")),
            ("2016-12-31T23:59:60Z", Some("2017-01-01T00:00:00Z")),
            ("2021-08-15 04:00:00.123456 UTC", Some("2021-08-15T04:00:00.123456Z")),
            ("2021-08-15 04:00:00 CET", None),
            ("2021-02-29T00:00:00Z", None),
            ("2021-13-01T00:00:00Z", None),
            ("2021-06-06T24:00:00Z", None),
            ("2021-06-06T15:57:37+2", None),
            ("2021-06-06T15:57", None),
            ("2021-06/06T15:57:37", None),
        ] {
            let time = moment(text.as_bytes()).map(|time| time.to_string());
            assert_eq!(time.as_deref(), shown, "{text}");
        }
    }

    proptest! {
        #[test]
        fn dates_are_those_of_the_model(day in -719_162i32..2_932_896) {
            let (year, month, of_month) = Day(day).to_date().unwrap();
            prop_assert_eq!(days(year.into(), month.into(), of_month.into()), Some(day.into()));
        }
    }
}

//! Addresses and prefixes: one 128-bit space for both families.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use thiserror::Error;

/// An IP address of either family. IPv4 is held as `::ffff:a.b.c.d` (RFC 4291 §2.5.5.2).
///
/// Ordered as the 128-bit number, so all IPv4 addresses are neighbours.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(u128);

/// The upper 96 bits of every IPv4 address.
const V4_BASE: u128 = 0xffff << 32;

/// Flips the sign bit: turns unsigned order into signed order.
const SIGN: u64 = 1 << 63;

impl Address {
    /// The unspecified address `::`.
    pub const UNSPECIFIED: Self = Self(0);

    /// The address with these 128 bits, most significant first.
    pub const fn from_bits(bits: u128) -> Self {
        Self(bits)
    }

    /// The IPv4 address with these 32 bits, most significant first.
    pub const fn from_v4_bits(bits: u32) -> Self {
        Self(V4_BASE | bits as u128)
    }

    /// All 128 bits.
    pub const fn bits(self) -> u128 {
        self.0
    }

    /// The 32 bits of an IPv4 address; none for IPv6.
    pub const fn v4_bits(self) -> Option<u32> {
        if self.is_v4() { Some(self.0 as u32) } else { None }
    }

    /// Whether this is an IPv4 address.
    pub const fn is_v4(self) -> bool {
        self.0 >> 32 == 0xffff
    }

    /// The upper and lower half as signed integers that sort as the address does.
    ///
    /// The lake stores addresses so, because Delta keeps statistics on signed integers only
    /// (`dependencies.md` A.2).
    pub const fn halves(self) -> (i64, i64) {
        (((self.0 >> 64) as u64 ^ SIGN) as i64, (self.0 as u64 ^ SIGN) as i64)
    }

    /// The address with these halves; the reverse of [`Address::halves`].
    pub const fn from_halves(hi: i64, lo: i64) -> Self {
        Self(((hi as u64 ^ SIGN) as u128) << 64 | (lo as u64 ^ SIGN) as u128)
    }

    /// The address of the standard library, IPv4 as IPv4.
    pub fn to_ip(self) -> IpAddr {
        match self.v4_bits() {
            Some(bits) => IpAddr::V4(Ipv4Addr::from(bits)),
            None => IpAddr::V6(Ipv6Addr::from(self.0)),
        }
    }

    /// Whether nobody on the Internet can answer at this address: unspecified, loopback,
    /// link-local, multicast or broadcast. Private space is routable inside a network and is
    /// therefore not in this set.
    pub fn is_unroutable(self) -> bool {
        match self.to_ip() {
            IpAddr::V4(v4) => {
                v4.octets()[0] == 0 || v4.is_loopback() || v4.is_link_local() || v4.octets()[0] >= 224
            }
            IpAddr::V6(v6) => {
                v6.is_unspecified()
                    || v6.is_loopback()
                    || v6.is_multicast()
                    || v6.segments()[0] & 0xffc0 == 0xfe80
            }
        }
    }
}

impl From<IpAddr> for Address {
    fn from(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(v4) => v4.into(),
            IpAddr::V6(v6) => v6.into(),
        }
    }
}

impl From<Ipv4Addr> for Address {
    fn from(v4: Ipv4Addr) -> Self {
        Self::from_v4_bits(v4.into())
    }
}

impl From<Ipv6Addr> for Address {
    fn from(v6: Ipv6Addr) -> Self {
        Self(v6.into())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_ip().fmt(f)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_ip().fmt(f)
    }
}

/// A text that is no address or no prefix.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AddressError {
    /// Neither IPv4 nor IPv6.
    #[error("`{0}` is not an IP address")]
    NotAnAddress(String),
    /// The part after the slash is no length of that family.
    #[error("`{0}` has no valid prefix length")]
    BadLength(String),
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        text.parse::<IpAddr>().map(Self::from).map_err(|_| AddressError::NotAnAddress(text.to_owned()))
    }
}

/// A network: all addresses that share the first `length` bits.
///
/// Lengths are those of the 128-bit space inside (an IPv4 /24 is 120) and those of the family
/// in text. Bits beyond the length are zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    network: Address,
    bits: u8,
}

impl Prefix {
    /// The prefix of one address alone.
    pub const fn host(address: Address) -> Self {
        Self { network: address, bits: 128 }
    }

    /// The network of `address` whose first `bits` bits, of 128, are fixed. More than 128 is 128.
    pub const fn new(address: Address, bits: u8) -> Self {
        let bits = if bits > 128 { 128 } else { bits };
        Self { network: Address(address.0 & mask(bits)), bits }
    }

    /// The lowest address.
    pub const fn first(self) -> Address {
        self.network
    }

    /// The highest address.
    pub const fn last(self) -> Address {
        Address(self.network.0 | !mask(self.bits))
    }

    /// The fixed bits, of 128.
    pub const fn bits(self) -> u8 {
        self.bits
    }

    /// The length as people write it: of 32 for IPv4, of 128 for IPv6.
    pub const fn length(self) -> u8 {
        if self.network.is_v4() && self.bits >= 96 { self.bits - 96 } else { self.bits }
    }

    /// Whether the prefix is one address.
    pub const fn is_host(self) -> bool {
        self.bits == 128
    }

    /// Whether `address` is inside.
    pub const fn contains(self, address: Address) -> bool {
        address.0 & mask(self.bits) == self.network.0
    }
}

/// The first `bits` bits set, of 128.
const fn mask(bits: u8) -> u128 {
    if bits == 0 { 0 } else { !0 << (128 - bits) }
}

impl From<Address> for Prefix {
    fn from(address: Address) -> Self {
        Self::host(address)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_host() { self.network.fmt(f) } else { write!(f, "{}/{}", self.network, self.length()) }
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Prefix {
    type Err = AddressError;

    /// Reads `192.0.2.0/24`, `2001:db8::/32` or a bare address. Host bits are dropped.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let Some((address, length)) = text.split_once('/') else {
            return Ok(Self::host(text.parse()?));
        };
        let address: Address = address.parse()?;
        let bad = || AddressError::BadLength(text.to_owned());
        let length: u8 = length.parse().map_err(|_| bad())?;
        match address.is_v4() {
            true if length <= 32 => Ok(Self::new(address, length + 96)),
            false if length <= 128 => Ok(Self::new(address, length)),
            _ => Err(bad()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        text.parse().unwrap()
    }

    #[test]
    fn text_survives_a_round_trip() {
        for text in ["192.0.2.1", "2001:db8::1", "0.0.0.0", "255.255.255.255"] {
            assert_eq!(address(text).to_string(), text);
        }
        for text in ["192.0.2.0/24", "2001:db8::/32", "192.0.2.7", "0.0.0.0/0", "::/0"] {
            assert_eq!(text.parse::<Prefix>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn halves_keep_the_order_of_addresses() {
        let mut sorted = ["::", "0.0.0.0", "127.0.0.1", "203.0.113.9", "2001:db8::", "ffff::"].map(address);
        sorted.sort();
        assert!(sorted.windows(2).all(|pair| pair[0].halves() < pair[1].halves()));
        for a in sorted {
            let (hi, lo) = a.halves();
            assert_eq!(Address::from_halves(hi, lo), a);
        }
    }

    #[test]
    fn a_prefix_holds_its_ends_and_nothing_beyond() {
        let prefix: Prefix = "198.51.100.64/26".parse().unwrap();
        assert_eq!(prefix.first(), address("198.51.100.64"));
        assert_eq!(prefix.last(), address("198.51.100.127"));
        assert!(prefix.contains(prefix.first()) && prefix.contains(prefix.last()));
        assert!(!prefix.contains(address("198.51.100.63")));
        assert!(!prefix.contains(address("198.51.100.128")));
    }

    #[test]
    fn host_bits_are_dropped() {
        assert_eq!("192.0.2.77/24".parse::<Prefix>().unwrap().to_string(), "192.0.2.0/24");
    }

    #[test]
    fn wrong_text_is_named() {
        let error = "192.0.2.0/33".parse::<Prefix>().unwrap_err();
        assert_eq!(error.to_string(), "`192.0.2.0/33` has no valid prefix length");
        assert!("example.org".parse::<Prefix>().is_err());
    }
}

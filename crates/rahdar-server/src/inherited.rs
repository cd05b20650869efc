//! Sockets that a service manager holds and hands over at the start (`sd_listen_fds(3)`, `systemd.socket(5)`).
//! They outlive the collector: what comes while none runs waits in them.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};

use listenfd::ListenFd;
use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::AcceptConn;

use crate::server::ServerError;

/// The first descriptor that is handed over (`SD_LISTEN_FDS_START`).
const FIRST: usize = 3;

/// What was handed over; nothing by default.
#[derive(Debug, Default)]
pub struct Inherited {
    pub(crate) udp: Vec<UdpSocket>,
    pub(crate) tcp: Vec<TcpListener>,
}

impl Inherited {
    /// Takes what `LISTEN_FDS` and `LISTEN_PID` say was handed to this process, and removes both from
    /// the environment: to be called before there are threads.
    ///
    /// # Errors
    /// [`ServerError::Inherited`] if something is no UDP socket and no TCP socket that listens.
    pub fn take() -> Result<Self, ServerError> {
        let mut handed = ListenFd::from_env();
        let mut taken = Self::default();
        for index in 0..handed.len() {
            if let Ok(Some(socket)) = handed.take_udp_socket(index) {
                taken.udp.push(socket);
                continue;
            }
            match handed.take_tcp_listener(index) {
                Ok(Some(socket)) if getsockopt(&socket, AcceptConn).is_ok_and(|accepts| accepts) => {
                    taken.tcp.push(socket);
                }
                _ => return Err(ServerError::Inherited { descriptor: FIRST + index }),
            }
        }
        Ok(taken)
    }

    /// Whether nothing was handed over.
    pub(crate) fn is_empty(&self) -> bool {
        self.udp.is_empty() && self.tcp.is_empty()
    }
}

/// Where a socket comes from.
#[derive(Debug)]
pub(crate) enum Place<S> {
    /// It was handed over, and listens here.
    Inherited(SocketAddr, S),
    /// It is to be opened here.
    Own(SocketAddr),
}

/// The places of these addresses, in their order: what was handed over stands where its address does. Without
/// `named`, everything that was handed over is used.
///
/// # Errors
/// [`ServerError::Unnamed`] if something stands nowhere, [`ServerError::Twice`] if two listen on one address.
pub(crate) fn places<S>(
    transport: &'static str,
    handed: Vec<S>,
    local: impl Fn(&S) -> io::Result<SocketAddr>,
    named: Option<&[SocketAddr]>,
) -> Result<Vec<Place<S>>, ServerError> {
    let mut by_address = BTreeMap::new();
    for (index, socket) in handed.into_iter().enumerate() {
        // A socket has an address, of whatever kind it is.
        let address = local(&socket).map_err(|_| ServerError::Inherited { descriptor: FIRST + index })?;
        if by_address.insert(address, socket).is_some() {
            return Err(ServerError::Twice { transport, address });
        }
    }
    let Some(named) = named else {
        return Ok(by_address
            .into_iter()
            .map(|(address, socket)| Place::Inherited(address, socket))
            .collect());
    };
    let place = |address: &SocketAddr| match by_address.remove(address) {
        Some(socket) => Place::Inherited(*address, socket),
        None => Place::Own(*address),
    };
    let places = named.iter().map(place).collect();
    match by_address.pop_first() {
        Some((address, _)) => Err(ServerError::Unnamed { transport, address }),
        None => Ok(places),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A socket that is nothing but its address.
    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn placed(handed: &[&str], named: Option<&[&str]>) -> Result<Vec<String>, String> {
        let handed = handed.iter().copied().map(address).collect();
        let named: Option<Vec<SocketAddr>> = named.map(|named| named.iter().copied().map(address).collect());
        let places = places("udp", handed, |socket| Ok(*socket), named.as_deref());
        let word = |place: Place<SocketAddr>| match place {
            Place::Inherited(address, _) => format!("handed {address}"),
            Place::Own(address) => format!("own {address}"),
        };
        places.map(|places| places.into_iter().map(word).collect()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_socket_that_is_handed_over_takes_the_place_of_its_address() {
        let (a, b) = ("192.0.2.1:2055", "[2001:db8::1]:6343");
        assert_eq!(placed(&[b], Some(&[a, b])).unwrap(), [format!("own {a}"), format!("handed {b}")]);
        assert_eq!(placed(&[], Some(&[a])).unwrap(), [format!("own {a}")]);
        assert_eq!(placed(&[a, b], None).unwrap(), [format!("handed {a}"), format!("handed {b}")]);
    }

    #[test]
    fn a_socket_that_nobody_named_is_an_error() {
        let error = placed(&["[::]:2055"], Some(&["0.0.0.0:2055"])).unwrap_err();
        assert!(error.contains("udp `[::]:2055`"), "{error}");
        placed(&["192.0.2.1:9", "192.0.2.1:9"], None).unwrap_err();
    }
}

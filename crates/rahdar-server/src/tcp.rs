//! IPFIX messages from connections into the inbox (RFC 7011 §10.4).
//!
//! A connection is a session: its templates end with it. Where the spool takes nothing, the
//! connection is not read, so that the exporter waits and nothing is lost.

use std::io::{self, ErrorKind, Read};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::KeepAlive;

/// Connections at the same time. Chosen here: one for each line card of a country's largest routers;
/// each costs a thread and 64 KiB.
pub(crate) const CONNECTIONS_MAX: usize = 256;

/// Of these, connections of one peer.
pub(crate) const CONNECTIONS_OF_PEER_MAX: usize = 16;

/// Octets of the longest message: its length has two octets.
const MESSAGE_OCTETS_MAX: usize = 65_535;

/// Octets of the shortest message: a header.
const MESSAGE_OCTETS_MIN: usize = 16;

/// How long a call waits, so that a stop is seen soon.
const WAIT: Duration = Duration::from_millis(100);

/// A socket for connections.
#[derive(Debug)]
pub(crate) struct Tcp {
    socket: TcpListener,
}

impl Tcp {
    /// Opens a socket.
    ///
    /// # Errors
    /// What the kernel fails with.
    pub(crate) fn bind(address: SocketAddr) -> io::Result<Self> {
        Self::inherit(TcpListener::bind(address)?)
    }

    /// Takes a socket that listens already.
    ///
    /// # Errors
    /// What the kernel fails with.
    pub(crate) fn inherit(socket: TcpListener) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self { socket })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Waits a moment for a connection.
    ///
    /// # Errors
    /// If one could not be accepted; the next may well be.
    pub(crate) fn accept(&self) -> io::Result<Option<Connection>> {
        let mut waited_for = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
        let wait = PollTimeout::try_from(WAIT).map_err(io::Error::other)?;
        match poll(&mut waited_for, wait) {
            Ok(0) | Err(nix::errno::Errno::EINTR) => return Ok(None),
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        let (stream, peer) = match self.socket.accept() {
            Ok(accepted) => accepted,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error),
        };
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(WAIT))?;
        // An exporter that vanished without a word is found out in hours, not never.
        setsockopt(&stream, KeepAlive, &true)?;
        Ok(Some(Connection { stream, peer, buffer: vec![0; MESSAGE_OCTETS_MAX], filled: 0 }))
    }
}

/// A connection, and what was read of its next message.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    peer: SocketAddr,
    buffer: Vec<u8>,
    filled: usize,
}

/// What came next on a connection.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// A message of so many octets, at the beginning of [`Connection::buffer`].
    Message(usize),
    /// Nothing, for a moment.
    Silence,
    /// The end: the peer closed it, or it broke.
    End,
    /// Something that is no IPFIX. Nothing behind it can be found.
    Broken,
}

impl Connection {
    /// Who is at the other end.
    pub(crate) fn peer(&self) -> (IpAddr, u16) {
        (self.peer.ip(), self.peer.port())
    }

    /// Waits a moment for the next message.
    pub(crate) fn next(&mut self) -> Next {
        loop {
            match framed(&self.buffer[..self.filled]) {
                Frame::Message(octets) => return Next::Message(octets),
                Frame::Broken => return Next::Broken,
                Frame::Part => {}
            }
            match self.stream.read(&mut self.buffer[self.filled..]) {
                Ok(0) => return Next::End,
                Ok(read) => self.filled += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return Next::Silence;
                }
                Err(_) => return Next::End,
            }
        }
    }

    /// What was read.
    pub(crate) fn buffer(&self) -> &[u8] {
        &self.buffer[..self.filled]
    }

    /// Passes the message at the beginning.
    pub(crate) fn pass(&mut self, octets: usize) {
        self.buffer.copy_within(octets..self.filled, 0);
        self.filled -= octets;
    }
}

enum Frame {
    Message(usize),
    Part,
    Broken,
}

/// What octets of a stream begin with: IPFIX says its version and its length first.
fn framed(octets: &[u8]) -> Frame {
    let [a, b, c, d, ..] = *octets else { return Frame::Part };
    let length = usize::from(u16::from_be_bytes([c, d]));
    match [a, b] {
        [0, 10] if length < MESSAGE_OCTETS_MIN => Frame::Broken,
        [0, 10] if length <= octets.len() => Frame::Message(length),
        [0, 10] => Frame::Part,
        _ => Frame::Broken,
    }
}

//! Datagrams from a socket into the inbox, as fast as they come.

use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::sockopt::{Ipv6V6Only, RcvBuf, RcvBufForce, ReceiveTimeout, ReceiveTimestampns};
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, MsgFlags, MultiHeaders, RecvMsg, SockFlag, SockType, SockaddrStorage,
    bind, getsockopt, recvmmsg, setsockopt, socket,
};
use nix::sys::time::{TimeSpec, TimeVal};
use rahdar_model::{Address, Timestamp, Window};

use crate::kernel::{Drops, booted_at, buffer_octets_max};
use crate::marks::Marks;
use crate::segment::{Counter, Received};

/// Datagrams that are read with one call. Chosen here: enough that the call costs little per
/// datagram.
const BATCH: usize = 64;

/// Octets of the longest datagram.
const DATAGRAM_OCTETS: usize = 65_535;

/// How long a call waits for the first datagram, so that a stop is seen soon, in microseconds.
const WAIT_US: i64 = 100_000;

/// A socket for export datagrams.
#[derive(Debug)]
pub(crate) struct Udp {
    socket: UdpSocket,
    /// Its name in gaps and metrics.
    name: String,
    drops: Drops,
    /// When its drops were last counted.
    counted_at: Timestamp,
    /// The boot, if it was handed over and outlives this process.
    inherited_in: Option<u128>,
}

/// What the kernel dropped of a socket.
#[derive(Debug)]
pub(crate) struct Dropped {
    pub(crate) datagrams: u64,
    /// In which time.
    pub(crate) window: Window,
    /// Up to where they are counted, if the socket outlives this process.
    pub(crate) counter: Option<Counter>,
}

impl Udp {
    /// Opens a socket `now`. An IPv6 socket takes IPv6 alone, so that both families can share a port.
    ///
    /// # Errors
    /// What the kernel fails with.
    pub(crate) fn bind(address: SocketAddr, buffer_octets: usize, now: Timestamp) -> io::Result<Self> {
        let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
        let socket: OwnedFd = socket(family, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
        if address.is_ipv6() {
            setsockopt(&socket, Ipv6V6Only, &true)?;
        }
        // Without the right to exceed the system's limit, the limit has to do.
        if setsockopt(&socket, RcvBufForce, &buffer_octets).is_err() {
            setsockopt(&socket, RcvBuf, &buffer_octets)?;
        }
        bind(socket.as_raw_fd(), &SockaddrStorage::from(address))?;
        Self::set_up(socket.into(), now)
    }

    /// Takes a socket that was handed over. `marks` say how far its drops are counted; what it dropped since,
    /// or since the machine was started if they do not know it, is counted with the next drops.
    ///
    /// # Errors
    /// What the kernel fails with.
    pub(crate) fn inherit(socket: UdpSocket, buffer_octets: usize, marks: &Marks) -> io::Result<Self> {
        // Who opened it may have got more than this process may ask for; asking for less would take it away.
        let has = getsockopt(&socket, RcvBuf)?;
        if setsockopt(&socket, RcvBufForce, &buffer_octets).is_err()
            && buffer_octets_max().is_some_and(|most| 2 * buffer_octets.min(most) > has)
        {
            setsockopt(&socket, RcvBuf, &buffer_octets)?;
        }
        socket.set_nonblocking(false)?;
        let mut udp = Self::set_up(socket, booted_at()?)?;
        if let Some(mark) = marks.of(&udp.name, udp.drops.inode()) {
            udp.drops.go_on_from(mark.counter.drops);
            udp.counted_at = Timestamp::from_micros(mark.at_us);
        }
        udp.inherited_in = Some(marks.boot());
        Ok(udp)
    }

    fn set_up(socket: UdpSocket, counted_at: Timestamp) -> io::Result<Self> {
        setsockopt(&socket, ReceiveTimestampns, &true)?;
        setsockopt(&socket, ReceiveTimeout, &TimeVal::new(0, WAIT_US))?;
        let name = format!("udp {}", socket.local_addr()?);
        Ok(Self { name, drops: Drops::of(&socket)?, counted_at, inherited_in: None, socket })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The octets that the kernel keeps for it, its own overhead among them.
    pub(crate) fn buffer_octets(&self) -> Option<usize> {
        getsockopt(&self.socket, RcvBuf).ok()
    }

    /// Whether it outlives this process.
    pub(crate) fn is_inherited(&self) -> bool {
        self.inherited_in.is_some()
    }

    /// Datagrams that the kernel dropped since the last call.
    ///
    /// # Errors
    /// If the kernel does not say; the next call that can tells of this time too.
    pub(crate) fn dropped(&mut self, now: Timestamp) -> io::Result<Dropped> {
        let datagrams = self.drops.since_last()?;
        let window = Window::new(self.counted_at.min(now), self.counted_at.max(now).plus_micros(1));
        self.counted_at = now;
        let (inode, drops) = (self.drops.inode(), self.drops.seen());
        let counter = self.inherited_in.map(|boot| Counter { boot, inode, drops });
        Ok(Dropped { datagrams, window, counter })
    }

    /// Whether enough is read at a stop, when so many came at once. What comes later to a socket that was handed over waits
    /// for the next collector.
    pub(crate) fn is_drained(&self, came: usize) -> bool {
        if self.is_inherited() { came < BATCH } else { came == 0 }
    }

    /// Waits a moment for datagrams and hands those that came to `take`, in their order. Returns how
    /// many came. `now` stands in where the kernel gives no time of arrival.
    ///
    /// # Errors
    /// If the socket cannot be read any more.
    pub(crate) fn receive(
        &self,
        buffers: &mut Buffers,
        now: Timestamp,
        take: impl FnOnce(&mut dyn Iterator<Item = Received<'_>>),
    ) -> io::Result<usize> {
        let mut heads = MultiHeaders::preallocate(BATCH, Some(cmsg_space!(TimeSpec)));
        let mut arrivals: Vec<(Address, u16, Timestamp, usize)> = Vec::with_capacity(BATCH);
        {
            let mut slices: Vec<[IoSliceMut<'_>; 1]> =
                buffers.0.chunks_exact_mut(DATAGRAM_OCTETS).map(|buffer| [IoSliceMut::new(buffer)]).collect();
            let received = recvmmsg(
                self.socket.as_raw_fd(),
                &mut heads,
                slices.iter_mut(),
                MsgFlags::MSG_WAITFORONE,
                None,
            );
            let received = match received {
                Ok(received) => received,
                Err(Errno::EAGAIN | Errno::EINTR) => return Ok(0),
                Err(error) => return Err(error.into()),
            };
            for message in received {
                let (address, port) = sender(&message);
                arrivals.push((address, port, arrival(&message).unwrap_or(now), message.bytes));
            }
        }
        let count = arrivals.len();
        let datagrams = buffers.0.chunks_exact(DATAGRAM_OCTETS);
        take(&mut arrivals.into_iter().zip(datagrams).map(|((peer, port, time, octets), buffer)| Received {
            time,
            peer,
            port,
            payload: &buffer[..octets],
        }));
        Ok(count)
    }
}

/// Room for the datagrams of one call.
pub(crate) struct Buffers(Vec<u8>);

impl Buffers {
    pub(crate) fn new() -> Self {
        Self(vec![0; BATCH * DATAGRAM_OCTETS])
    }
}

fn sender(message: &RecvMsg<'_, '_, SockaddrStorage>) -> (Address, u16) {
    let Some(sender) = &message.address else { return (Address::UNSPECIFIED, 0) };
    if let Some(v4) = sender.as_sockaddr_in() {
        (v4.ip().into(), v4.port())
    } else if let Some(v6) = sender.as_sockaddr_in6() {
        (v6.ip().into(), v6.port())
    } else {
        (Address::UNSPECIFIED, 0)
    }
}

/// When the kernel took the datagram in.
fn arrival(message: &RecvMsg<'_, '_, SockaddrStorage>) -> Option<Timestamp> {
    message.cmsgs().ok()?.find_map(|control| match control {
        ControlMessageOwned::ScmTimestampns(time) => {
            Some(Timestamp::from_seconds(time.tv_sec()).plus_micros(time.tv_nsec() / 1_000))
        }
        _ => None,
    })
}

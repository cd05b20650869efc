//! What a collector has to say to people while it runs.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use rahdar_model::failure::chain;
use rahdar_model::store::StoreError;
use rahdar_model::{Address, Problem};

/// Something that a person should know. Its text is one line, lower case, without a final stop.
#[derive(Debug)]
pub enum Notice {
    /// A socket is open.
    Listening {
        /// What it is: `udp`, `tcp` or `http`.
        transport: &'static str,
        /// Where.
        address: SocketAddr,
        /// Who opened it.
        origin: Origin,
        /// The octets that the kernel keeps for it; none where it does not say.
        buffer_octets: Option<usize>,
    },
    /// The last segment of the spool was not whole: the machine stopped while it was written.
    Cut {
        /// Octets that were no whole entry.
        octets: u64,
    },
    /// What was known of exporters could not be read: templates have to come again.
    StateLost(
        /// How that shows.
        String,
    ),
    /// Nobody asked for this exporter's datagrams; said once for all such senders.
    Stranger(Address),
    /// The spool holds as much as it may: datagrams are dropped and counted.
    SpoolFull,
    /// The disk of the spool has no more than its reserve left: datagrams are dropped and counted.
    DiskLow {
        /// What is free.
        free_octets: u64,
        /// What is kept free.
        reserve_octets: u64,
    },
    /// The spool cannot be written: datagrams are dropped and counted.
    SpoolFailed(io::Error),
    /// The spool takes datagrams again.
    SpoolWell,
    /// What was written may not be on disk.
    NotSynced(io::Error),
    /// The store does not take rows; the spool keeps them meanwhile.
    StoreFailed(StoreError),
    /// The store takes rows again.
    StoreWell,
    /// A segment is not whole, or gone. What came before is stored, the rest is lost.
    SegmentDamaged {
        /// Its file.
        path: String,
        /// What can be read of it.
        octets: u64,
    },
    /// An exporter sent something that was not understood.
    Problem {
        /// The segment that shows it.
        segment: u64,
        /// What.
        problem: Problem,
    },
    /// A connection could not be accepted; the listener goes on.
    NotAccepted(io::Error),
    /// A socket cannot be read any more.
    SocketFailed {
        /// Which.
        socket: String,
        /// Why.
        cause: io::Error,
    },
    /// The kernel does not say what it drops.
    DropsUnknown(io::Error),
}

/// Who opened a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// This process.
    Own,
    /// Who handed it over; it outlives this process.
    Inherited,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own => Ok(()),
            Self::Inherited => f.write_str(", handed over"),
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listening { transport, address, origin, buffer_octets: Some(octets) } => {
                write!(
                    f,
                    "listening on {transport} {address}{origin}, the kernel keeps {octets} octets for it"
                )
            }
            Self::Listening { transport, address, origin, buffer_octets: None } => {
                write!(f, "listening on {transport} {address}{origin}")
            }
            Self::Cut { octets } => {
                write!(f, "the last segment of the spool was being written: its last {octets} octets are cut")
            }
            Self::StateLost(why) => {
                write!(f, "what was known of exporters is lost, their templates have to come again: {why}")
            }
            Self::Stranger(address) => write!(
                f,
                "`{address}` sends and is not allowed to: it is counted and dropped, as are all like it; \
                 hint: --exporter-allow {address}"
            ),
            Self::SpoolFull => f.write_str("the spool is full: datagrams are dropped and counted"),
            Self::DiskLow { free_octets, reserve_octets } => write!(
                f,
                "the disk of the spool has {free_octets} octets free, and {reserve_octets} are kept free: \
                 datagrams are dropped and counted; hint: make room on it"
            ),
            Self::SpoolFailed(cause) => {
                write!(f, "the spool cannot be written: {cause}; datagrams are dropped and counted")
            }
            Self::SpoolWell => f.write_str("the spool takes datagrams again"),
            Self::NotSynced(cause) => write!(f, "the spool could not be synced: {cause}"),
            Self::StoreFailed(cause) => {
                write!(f, "the flows cannot be stored: {}; the spool keeps them", chain(cause))
            }
            Self::StoreWell => f.write_str("flows are stored again"),
            Self::SegmentDamaged { path, octets } => {
                write!(f, "`{path}` is damaged after octet {octets}: what follows is lost")
            }
            Self::Problem { segment, problem } => write!(f, "segment {segment}: {problem}"),
            Self::NotAccepted(cause) => write!(f, "a connection could not be accepted: {cause}"),
            Self::SocketFailed { socket, cause } => write!(f, "`{socket}` cannot be read: {cause}"),
            Self::DropsUnknown(cause) => {
                write!(f, "what the kernel drops is not known: {cause}")
            }
        }
    }
}

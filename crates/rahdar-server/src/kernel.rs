//! What the kernel dropped because a socket's buffer was full.
//!
//! `/proc/net/udp` and `/proc/net/udp6` show the drop counter of every socket of the network
//! namespace, the same number that `SO_MEMINFO` gives, exact whether or not a later datagram
//! arrives (reliability.md §0.9; compared with the losses of a sender that counts in
//! `tests/it/overload.rs`). It is read as text because this house writes no unsafe code, and no
//! crate has a safe call for `SO_MEMINFO`.

use std::fs;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;

use rahdar_model::Timestamp;

/// Follows the drop counter of one socket.
#[derive(Debug)]
pub(crate) struct Drops {
    table: &'static str,
    inode: u64,
    /// The counter as last read. It has 32 bits and wraps.
    seen: u32,
}

impl Drops {
    /// Follows this socket, which has dropped nothing yet.
    ///
    /// # Errors
    /// If `/proc` cannot be read.
    pub(crate) fn of(socket: &UdpSocket) -> io::Result<Self> {
        let table = match socket.local_addr()? {
            SocketAddr::V4(_) => "/proc/self/net/udp",
            SocketAddr::V6(_) => "/proc/self/net/udp6",
        };
        let inode = fs::metadata(format!("/proc/self/fd/{}", socket.as_raw_fd()))?.ino();
        Ok(Self { table, inode, seen: 0 })
    }

    /// Goes on from this counter.
    pub(crate) fn go_on_from(&mut self, seen: u32) {
        self.seen = seen;
    }

    /// The inode of the socket.
    pub(crate) fn inode(&self) -> u64 {
        self.inode
    }

    /// The counter as last read.
    pub(crate) fn seen(&self) -> u32 {
        self.seen
    }

    /// Datagrams dropped since the last call.
    ///
    /// # Errors
    /// If `/proc` cannot be read; the next call that can counts what this one did not.
    pub(crate) fn since_last(&mut self) -> io::Result<u64> {
        let table = fs::read_to_string(self.table)?;
        let drops = counter(&table, &self.inode.to_string())
            .ok_or_else(|| io::Error::other(format!("`{}` does not list the socket", self.table)))?;
        let new = drops.wrapping_sub(self.seen);
        self.seen = drops;
        Ok(new.into())
    }
}

/// The last column of the line whose tenth column is this inode.
fn counter(table: &str, inode: &str) -> Option<u32> {
    table.lines().skip(1).find_map(|line| {
        let mut columns = line.split_ascii_whitespace().skip(9);
        (columns.next()? == inode).then(|| columns.last()?.parse().ok()).flatten()
    })
}

/// The boot of the machine, which no other boot has.
///
/// # Errors
/// If `/proc` cannot be read.
pub(crate) fn boot() -> io::Result<u128> {
    let path = "/proc/sys/kernel/random/boot_id";
    let digits = fs::read_to_string(path)?.trim().replace('-', "");
    u128::from_str_radix(&digits, 16).map_err(|_| io::Error::other(format!("`{path}` is no id")))
}

/// When the machine was started. No socket is older.
///
/// # Errors
/// If `/proc` cannot be read.
pub(crate) fn booted_at() -> io::Result<Timestamp> {
    let path = "/proc/stat";
    let stat = fs::read_to_string(path)?;
    let seconds = stat.lines().find_map(|line| line.strip_prefix("btime ")?.parse().ok());
    seconds.map(Timestamp::from_seconds).ok_or_else(|| io::Error::other(format!("`{path}` has no `btime`")))
}

/// Octets that a process without rights may ask for a socket's buffer (socket(7)); none if it is not told.
pub(crate) fn buffer_octets_max() -> Option<usize> {
    fs::read_to_string("/proc/sys/net/core/rmem_max").ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counter_stands_in_the_last_column() {
        let table = "\
   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  301: 0100007F:0807 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 98765 2 0000000000000000 17
  302: 0100007F:0808 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 98766 2 0000000000000000 0
";
        assert_eq!(counter(table, "98765"), Some(17));
        assert_eq!(counter(table, "98766"), Some(0));
        assert_eq!(counter(table, "9876"), None);
    }

    #[test]
    fn a_socket_that_is_not_read_drops_what_does_not_fit() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut drops = Drops::of(&socket).unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        let sent = 5_000;
        for _ in 0..sent {
            sender.send_to(&[0; 1_000], socket.local_addr().unwrap()).unwrap();
        }
        let dropped = drops.since_last().unwrap();
        socket.set_nonblocking(true).unwrap();
        let received = (0..).take_while(|_| socket.recv(&mut [0; 1_000]).is_ok()).count();
        assert_eq!(received as u64 + dropped, sent);
        assert!(dropped > 0);
        assert_eq!(drops.since_last().unwrap(), 0);
    }
}

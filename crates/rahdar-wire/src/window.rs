//! A sliding window over a reader: the one buffer of a decoder.

use std::io::{self, Read};

/// Octets by which the buffer grows, and of its beginning. Chosen here: large against a system call, small against
/// the memory of a collector.
const CHUNK_OCTETS: usize = 256 << 10;

/// The part of the input that a decoder looks at. It grows as far as the decoder asks, so the
/// decoder's limits are its limits.
pub(crate) struct Window<'a> {
    input: &'a mut dyn Read,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Octets of the input before `start`.
    passed: u64,
    ended: bool,
}

impl<'a> Window<'a> {
    /// A window at the beginning of `input`.
    pub(crate) fn new(input: &'a mut dyn Read) -> Self {
        Self { input, buffer: vec![0; CHUNK_OCTETS], start: 0, end: 0, passed: 0, ended: false }
    }

    /// What is in view.
    pub(crate) fn view(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Where in the input the view begins, in octets.
    pub(crate) fn offset(&self) -> u64 {
        self.passed
    }

    /// Moves the beginning of the view forward. More than is in view passes all of it.
    pub(crate) fn pass(&mut self, octets: usize) {
        let octets = octets.min(self.end - self.start);
        self.start += octets;
        self.passed += octets as u64;
    }

    /// Brings at least `octets` into view if the input has them; says whether it has.
    pub(crate) fn reach(&mut self, octets: usize) -> io::Result<bool> {
        while self.end - self.start < octets {
            if !self.more()? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Brings some more octets into view; false at the end of the input.
    pub(crate) fn more(&mut self) -> io::Result<bool> {
        if self.ended {
            return Ok(false);
        }
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == self.buffer.len() {
            self.buffer.resize(self.end + CHUNK_OCTETS, 0);
        }
        loop {
            match self.input.read(&mut self.buffer[self.end..]) {
                Ok(0) => {
                    self.ended = true;
                    return Ok(false);
                }
                Ok(read) => {
                    self.end += read;
                    return Ok(true);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Moves the beginning of the view forward by `octets`, in view or not; false if the input
    /// ends before.
    pub(crate) fn skip(&mut self, octets: u64) -> io::Result<bool> {
        let mut left = octets;
        loop {
            let here = left.min((self.end - self.start) as u64);
            self.pass(here as usize);
            left -= here;
            if left == 0 {
                return Ok(true);
            }
            if !self.more()? {
                return Ok(false);
            }
        }
    }
}

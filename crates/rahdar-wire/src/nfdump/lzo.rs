//! LZO1X: the fast compression of nfcapd's `-z`.
//!
//! A stream is a row of instructions. Each may copy octets from what was written before (a match:
//! length and distance), and then octets from the stream (literals). How an instruction below 16
//! is read depends on how many literals the one before copied. Source: the description of the
//! stream in the documentation of the Linux kernel (`lzo.rst`). There is no checksum.

/// Why a stream cannot be unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// It ends before its last instruction.
    Cut,
    /// It holds more than there is room for.
    TooLong,
    /// A match begins before the beginning.
    TooFar,
    /// Something follows its last instruction.
    Trailing,
}

/// How many literals the last instruction copied, as far as the next one asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    None,
    Some,
    /// Four or more, in a run of their own.
    Run,
}

/// The distance at which the farthest matches begin; as the distance of a match it is the end.
const FAR: usize = 16_384;

/// Unpacks a stream into `room`; how many octets it holds.
pub(super) fn unpack(stream: &[u8], room: &mut [u8]) -> Result<usize, Fault> {
    let mut input = Input { stream, at: 0 };
    let mut output = Output { room, length: 0 };
    let mut before = Before::None;
    // A first octet above 17 is a run of literals.
    if let Some(first @ 18..) = stream.first() {
        input.at = 1;
        let literals = usize::from(first - 17);
        output.literals(&mut input, literals)?;
        before = if literals < 4 { Before::Some } else { Before::Run };
    }
    loop {
        let instruction = usize::from(input.octet()?);
        let (length, distance, literals) = match instruction {
            0..16 if before == Before::None => {
                let length = input.length(instruction, 15)? + 3;
                output.literals(&mut input, length)?;
                before = Before::Run;
                continue;
            }
            0..16 => {
                let high = usize::from(input.octet()?) << 2;
                let near = high + (instruction >> 2) + 1;
                let (length, distance) = if before == Before::Run { (3, near + 2_048) } else { (2, near) };
                (length, distance, instruction & 3)
            }
            16..32 => {
                let length = input.length(instruction & 7, 7)? + 2;
                let (low, literals) = input.distance()?;
                let distance = FAR + ((instruction & 8) << 11) + low;
                if distance == FAR {
                    break;
                }
                (length, distance, literals)
            }
            32..64 => {
                let length = input.length(instruction & 31, 31)? + 2;
                let (low, literals) = input.distance()?;
                (length, low + 1, literals)
            }
            _ => {
                let length =
                    if instruction < 128 { 3 + (instruction >> 5 & 1) } else { 5 + (instruction >> 5 & 3) };
                let high = usize::from(input.octet()?) << 3;
                (length, high + (instruction >> 2 & 7) + 1, instruction & 3)
            }
        };
        output.repeat(distance, length)?;
        output.literals(&mut input, literals)?;
        before = if literals == 0 { Before::None } else { Before::Some };
    }
    if input.at == stream.len() { Ok(output.length) } else { Err(Fault::Trailing) }
}

/// The stream, and how far it was read.
struct Input<'s> {
    stream: &'s [u8],
    at: usize,
}

impl Input<'_> {
    fn octet(&mut self) -> Result<u8, Fault> {
        let octet = *self.stream.get(self.at).ok_or(Fault::Cut)?;
        self.at += 1;
        Ok(octet)
    }

    /// A length: what the instruction says, or, if that is 0, `more` and 255 for each octet of
    /// zero that follows and the first that is not.
    fn length(&mut self, said: usize, more: usize) -> Result<usize, Fault> {
        if said > 0 {
            return Ok(said);
        }
        let mut length = more;
        loop {
            match self.octet()? {
                0 => length += 255,
                last => return Ok(length + usize::from(last)),
            }
        }
    }

    /// A distance of fourteen bits, and how many literals follow.
    fn distance(&mut self) -> Result<(usize, usize), Fault> {
        let both = usize::from(u16::from_le_bytes([self.octet()?, self.octet()?]));
        Ok((both >> 2, both & 3))
    }
}

/// The room, and how much of it is filled.
struct Output<'r> {
    room: &'r mut [u8],
    length: usize,
}

impl Output<'_> {
    /// Copies octets from the stream.
    fn literals(&mut self, input: &mut Input<'_>, octets: usize) -> Result<(), Fault> {
        let from = input.stream[input.at..].get(..octets).ok_or(Fault::Cut)?;
        let to = self.room[self.length..].get_mut(..octets).ok_or(Fault::TooLong)?;
        to.copy_from_slice(from);
        input.at += octets;
        self.length += octets;
        Ok(())
    }

    /// Copies octets from what was written before. They may overlap what they become.
    fn repeat(&mut self, distance: usize, octets: usize) -> Result<(), Fault> {
        let from = self.length.checked_sub(distance).ok_or(Fault::TooFar)?;
        let end = self.length + octets;
        if end > self.room.len() {
            return Err(Fault::TooLong);
        }
        // Each round copies what is there, so the next can copy twice as much.
        while self.length < end {
            let there = (self.length - from).min(end - self.length);
            self.room.copy_within(from..from + there, self.length);
            self.length += there;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The last instruction of a stream.
    const END: [u8; 3] = [0x11, 0, 0];

    #[track_caller]
    fn check(instructions: &[u8], expected: Result<&[u8], Fault>) {
        let mut room = [0; 600];
        let stream = [instructions, &END].concat();
        let unpacked = unpack(&stream, &mut room).map(|length| &room[..length]);
        assert_eq!(unpacked, expected);
        for cut in 0..stream.len() {
            assert!(unpack(&stream[..cut], &mut [0; 600]).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn the_first_octet_may_be_a_run_of_literals() {
        check(b"\x14abc", Ok(b"abc"));
        check(b"\x16abcde", Ok(b"abcde"));
    }

    #[test]
    fn a_run_of_literals_may_be_long() {
        check(b"\x01abcd", Ok(b"abcd"));
        check(&[&[0, 2][..], &[b'x'; 20]].concat(), Ok(&[b'x'; 20]));
        check(&[&[0, 0, 1][..], &[b'x'; 274]].concat(), Ok(&[b'x'; 274]));
    }

    #[test]
    fn what_an_octet_below_sixteen_means_depends_on_what_came_before() {
        // After one to three literals: two octets, near.
        check(b"\x14abc\x08\x00", Ok(b"abcab"));
        // After a run: three octets, more than 2,048 away.
        let run = [&[0, 0, 0, 0, 0, 0, 0, 0, 0, 237][..], &[b'y'; 2_295], &[0x00, 0x3d], &END].concat();
        assert_eq!(unpack(&run, &mut [0; 4_000]), Ok(2_298));
    }

    #[test]
    fn matches_of_every_kind_are_copied() {
        check(b"\x15abcd\x4c\x00", Ok(b"abcdabc"));
        check(b"\x15abcd\x8c\x00", Ok(b"abcdabcda"));
        check(b"\x15abcd\x23\x0c\x00", Ok(b"abcdabcda"));
        check(b"\x12z\x20\x04\x00\x00", Ok(&[b'z'; 38]));
    }

    #[test]
    fn literals_may_follow_a_match() {
        check(b"\x15abcd\x4exxy", Err(Fault::TooFar));
        check(b"\x15abcd\x4e\x00xy\x04\x00", Ok(b"abcdabcxyxy"));
    }

    #[test]
    fn a_match_before_the_beginning_is_refused() {
        check(b"\x14abc\x4c\x00", Err(Fault::TooFar));
        check(b"\x14abc\x12\x04\x00", Err(Fault::TooFar));
    }

    #[test]
    fn nothing_is_written_beyond_the_room() {
        let stream = [&b"\x12z\x20\x00\x00\x00\x00\x00\x00\x01\x00\x00"[..], &END].concat();
        assert_eq!(unpack(&stream, &mut [0; 600]), Err(Fault::TooLong));
        assert_eq!(unpack(b"\x14abc\x11\0\0", &mut [0; 2]), Err(Fault::TooLong));
    }

    #[test]
    fn nothing_may_follow_the_end() {
        assert_eq!(unpack(b"\x14abc\x11\0\0\0", &mut [0; 9]), Err(Fault::Trailing));
    }
}

//! One read and one write: between a stream and the bytes of a connection.

use core::task::{Poll, ready};
use std::io::{self, ErrorKind, IoSlice};

use crate::Output;
use crate::adapter::pool::{self, PooledInput};

/// How much is read at once at most: whoever reads more waits more often for the rest. A message of 64 KiB comes in one read, with its header.
const MAX_READ_LEN: usize = 80 << 10;

/// How many pieces of the output go into one vectored write.
const MAX_SLICES: usize = 16;

/// Fills the input with what one read finds, or with the end. `output`, if it is told, gets storage for the answer as well.
pub(crate) fn fill(
    pooled: &mut PooledInput,
    mut output: Option<&mut Output>,
    read: impl FnOnce(&mut [u8]) -> Poll<io::Result<usize>>,
) -> Poll<io::Result<()>> {
    if let Some(output) = &mut output {
        pool::lend_storage(output);
    }
    let input = pooled.borrow();
    let space = input.space();
    let len = space.len().min(MAX_READ_LEN);
    let polled = read(&mut space[..len]);
    match polled {
        Poll::Ready(Ok(0)) => input.set_eof(),
        // A stream may claim more than it was given room for, behind which the storage may hold what another connection has received.
        Poll::Ready(Ok(claimed)) => input.filled(claimed.min(len)),
        Poll::Ready(Err(_)) | Poll::Pending => {
            pooled.give_back();
            if let Some(output) = output {
                pool::take_storage_back(output);
            }
        }
    }
    polled.map_ok(drop)
}

/// Drains from `output`, which is not empty, what one write takes; for a single slice a stream has a cheaper one.
// Always inlined, as are its callers up to the next loop: each of them would save all registers.
#[inline(always)]
pub(crate) fn drain(
    output: &mut Output,
    write: impl FnOnce(&[IoSlice<'_>]) -> Poll<io::Result<usize>>,
) -> Poll<io::Result<()>> {
    let (written, len) = match output.coalesced() {
        Some(bytes) => (ready!(write(&[IoSlice::new(bytes)]))?, bytes.len()),
        None => {
            let mut slices = [IoSlice::new(&[]); MAX_SLICES];
            let count = output.chunks_vectored(&mut slices);
            let slices = &slices[..count];
            (ready!(write(slices))?, slices.iter().map(|slice| slice.len()).sum())
        }
    };
    if written == 0 {
        return Poll::Ready(Err(ErrorKind::WriteZero.into()));
    }
    // Nor may it claim more than it was given.
    output.advance(written.min(len));
    Poll::Ready(Ok(()))
}

#[cfg(test)]
mod tests {
    use std::vec;

    use super::*;
    use crate::connection::input::READ_LEN;
    use crate::wire::frame::Header;

    /// How long a read is that has `storage_len` bytes to go to.
    fn read_len(storage_len: usize) -> usize {
        let (mut pooled, mut len) = (PooledInput::new(), 0);
        pooled.input().adopt(vec![0; storage_len]);
        let filled = fill(&mut pooled, None, |space| {
            len = space.len();
            Poll::Ready(Ok(len))
        });
        assert!(matches!(filled, Poll::Ready(Ok(()))));
        assert_eq!(pooled.input().unread().len(), len);
        len
    }

    #[test]
    fn a_read_that_claims_more_than_its_room_shows_no_more_of_the_storage() {
        for claim in [MAX_READ_LEN + 1, 1 << 20, usize::MAX] {
            let mut pooled = PooledInput::new();
            // What another connection has left behind.
            pooled.input().adopt(vec![b'x'; 1 << 20]);
            let filled = fill(&mut pooled, None, |space| {
                space.fill(b'o');
                Poll::Ready(Ok(claim))
            });
            assert!(matches!(filled, Poll::Ready(Ok(()))));
            assert_eq!(pooled.input().unread(), [b'o'; MAX_READ_LEN]);
        }
    }

    #[test]
    fn a_write_that_claims_more_than_it_was_given_skips_nothing() {
        let mut output = Output::new();
        for n in 0..MAX_SLICES as u8 {
            output.push(&[n]);
            output.chain(vec![n; 10].into());
        }
        let len = output.len();
        let drained = drain(&mut output, |slices| {
            assert_eq!(slices.len(), MAX_SLICES);
            Poll::Ready(Ok(usize::MAX))
        });
        assert!(matches!(drained, Poll::Ready(Ok(()))));
        assert_eq!((output.len(), output.chunk()), (len / 2, &[MAX_SLICES as u8 / 2][..]));
    }

    #[test]
    fn a_message_of_64_kib_comes_in_one_read_and_a_longer_one_in_pieces() {
        for len in [READ_LEN, READ_LEN + Header::MAX_LEN] {
            assert_eq!(read_len(len), len);
        }
        for len in [MAX_READ_LEN, MAX_READ_LEN + 1, 1 << 20] {
            assert_eq!(read_len(len), MAX_READ_LEN);
        }
    }
}

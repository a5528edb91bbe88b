//! However the transport takes the output, the peer gets the same bytes.

#[cfg(feature = "std")]
use std::io::IoSlice;

use bytes::Buf;
use tidewire::{Config, Connection, SendError};

use support::wire::{self, BINARY, CONTINUATION, FIN, Frame, PING, Role, TEXT};

/// Copied and chained payloads in every order, at the front and at the end.
fn fill(connection: &mut Connection) -> Result<(), SendError> {
    connection.send(wire::noise(5000))?;
    connection.send("small")?;
    connection.ping(b"ping")?;
    connection.send(wire::noise(4096))?;
    connection.send(wire::noise(4095))?;
    connection.send(wire::noise(6000))?;
    connection.send_fragment(wire::noise(4097), false)?;
    connection.send_fragment(b"tail", true)?;
    connection.send("end")
}

fn expected() -> Vec<Frame> {
    vec![
        Frame::new(FIN | BINARY, wire::noise(5000)),
        Frame::new(FIN | TEXT, "small"),
        Frame::new(FIN | PING, "ping"),
        Frame::new(FIN | BINARY, wire::noise(4096)),
        Frame::new(FIN | BINARY, wire::noise(4095)),
        Frame::new(FIN | BINARY, wire::noise(6000)),
        Frame::new(BINARY, wire::noise(4097)),
        Frame::new(FIN | CONTINUATION, "tail"),
        Frame::new(FIN | TEXT, "end"),
    ]
}

#[test]
fn partial_writes_of_every_size() -> Result<(), SendError> {
    for role in Role::BOTH {
        for size in (1..=16).chain([127, 4095, 4096, 4097, 5009, 5010, 5011, 10_000, 100_000]) {
            let mut connection = role.connection(Config::new());
            fill(&mut connection)?;
            let output = connection.output();
            let (mut bytes, len) = (Vec::new(), output.len());
            while output.has_remaining() {
                assert_eq!((output.len(), output.is_empty()), (len - bytes.len(), false));
                let chunk = output.chunk();
                let chunk = &chunk[..chunk.len().min(size)];
                bytes.extend_from_slice(chunk);
                let n = chunk.len();
                output.advance(n);
            }
            assert!(output.is_empty() && output.chunk().is_empty());
            assert_eq!(wire::parse(role, &bytes), expected(), "{role:?}, {size}");
        }
    }
    Ok(())
}

// Without `std`, what has to be written has no slices.
#[cfg(feature = "std")]
#[test]
fn vectored_writes_of_every_size_with_slices_of_every_number() -> Result<(), SendError> {
    for role in Role::BOTH {
        for slots in [1, 2, 3, 16] {
            for size in [100, 4096, 5010, 5015, 12_345, usize::MAX] {
                let mut connection = role.connection(Config::new());
                fill(&mut connection)?;
                let output = connection.output();
                let mut bytes = Vec::new();
                while output.has_remaining() {
                    let mut slices = vec![IoSlice::new(b""); slots];
                    let count = output.chunks_vectored(&mut slices);
                    assert!(count > 0 && slices[..count].iter().all(|slice| !slice.is_empty()));
                    assert_eq!(&*slices[0], output.chunk());
                    let mut written: Vec<u8> =
                        slices[..count].iter().flat_map(|slice| slice.to_vec()).collect();
                    assert!(count == slots || written.len() == output.remaining());
                    written.truncate(size);
                    bytes.extend_from_slice(&written);
                    output.advance(written.len());
                }
                assert_eq!(wire::parse(role, &bytes), expected(), "{role:?}, {slots}, {size}");
            }
        }
    }
    Ok(())
}

#[test]
fn sending_more_between_partial_writes() -> Result<(), SendError> {
    for role in Role::BOTH {
        for size in [1, 3, 1000, 3000, 5000, 7777, 14_000, 20_000] {
            let mut connection = role.connection(Config::new());
            let (mut bytes, mut all) = (Vec::new(), Vec::new());
            for round in 0..20 {
                if round < 10 {
                    fill(&mut connection)?;
                    all.extend(expected());
                }
                let output = connection.output();
                let mut missing = if round < 19 { size } else { usize::MAX };
                while output.has_remaining() && missing > 0 {
                    let len = output.chunk().len().min(missing);
                    bytes.extend_from_slice(&output.chunk()[..len]);
                    output.advance(len);
                    missing -= len;
                }
            }
            assert_eq!(wire::parse(role, &bytes), all, "{role:?}, {size}");
        }
    }
    Ok(())
}

#[test]
fn what_is_written_makes_room_when_that_is_worth_a_move() -> Result<(), SendError> {
    // Where what is owed begins in the storage of 20,014 bytes afterwards; `None` for another storage.
    let table = [
        // There is room for a header of 4 bytes and the payload.
        (16_000, 15_000, 4010, Some(15_000)),
        // If not, it moves if at least as much is written and there is room then for a header of any length.
        (16_000, 8000, 4011, Some(0)),
        (16_000, 7999, 4011, None),
        (16_000, 8000, 12_000, Some(0)),
        (16_000, 8000, 12_001, None),
    ];
    for (len, written, more, begins) in table {
        let mut server = Role::Server.connection(Config::new());
        server.send(&[0; 20_000])?;
        let all = server.output().len();
        server.output().advance(all);
        server.send(&vec![1; len - 4])?;
        let start = server.output().chunk().as_ptr().addr();
        assert_eq!(server.output().len(), len);
        server.output().advance(written);
        server.send(&vec![2; more])?;
        let begins_at = server.output().chunk().as_ptr().addr().wrapping_sub(start);
        assert_eq!(Some(begins_at).filter(|at| *at < 20_014), begins, "{len}, {written}, {more}");
        let expected =
            [&vec![1; len - written][..], &[0x82, 126], &(more as u16).to_be_bytes(), &vec![2; more]]
                .concat();
        assert_eq!(server.output().chunk(), expected);
    }
    Ok(())
}

#[test]
fn copying_it_out_equals_reading_its_chunks() -> Result<(), SendError> {
    for role in Role::BOTH {
        let mut connection = role.connection(Config::new());
        fill(&mut connection)?;
        let output = connection.output();
        let bytes = output.copy_to_bytes(output.remaining());
        assert_eq!(wire::parse(role, &bytes), expected());
    }
    Ok(())
}

#[test]
fn advancing_by_nothing_does_nothing() -> Result<(), SendError> {
    for role in Role::BOTH {
        let mut connection = role.connection(Config::new());
        connection.output().advance(0);
        fill(&mut connection)?;
        let len = connection.output().len();
        connection.output().advance(0);
        assert_eq!(connection.output().len(), len);
    }
    Ok(())
}

//! The stream of `pair`: it waits as its timeouts say, holds 64 KiB in each direction, and ends with either end.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use tidewire::blocking::{PairStream, Stream, pair};
use tidewire::{Config, Error, ProtocolError, TimedOut};

use support::load::watched;

const LEN: usize = 64 << 10;
const SHORT: Duration = Duration::from_millis(20);

fn streams() -> (PairStream, PairStream) {
    let (near, far) = pair(Config::new());
    (near.into_parts().0, far.into_parts().0)
}

#[track_caller]
fn assert_fails<T: std::fmt::Debug>(result: io::Result<T>, kind: ErrorKind) {
    assert!(matches!(&result, Err(error) if error.kind() == kind), "{result:?} instead of {kind:?}");
}

#[test]
fn a_read_waits_for_as_long_as_it_may_and_a_write_for_room() -> io::Result<()> {
    let (mut near, mut far) = streams();
    near.set_read_timeout(Some(SHORT))?;
    near.set_write_timeout(Some(SHORT))?;
    far.set_read_timeout(Some(SHORT))?;
    let mut space = vec![0; 2 * LEN];
    assert_fails(near.read(&mut space), ErrorKind::WouldBlock);
    // One direction takes so much and no more, in one piece or in several.
    assert_eq!(near.write(&[1; 1000])?, 1000);
    assert_eq!(near.write_vectored(&[IoSlice::new(&[2; 1000]), IoSlice::new(&vec![3; LEN])])?, LEN - 1000);
    assert_fails(near.write(&[4]), ErrorKind::WouldBlock);
    near.flush()?;
    // The other one is free.
    assert_eq!(far.write(b"back")?, 4);
    assert_eq!(near.read(&mut space)?, 4);
    assert_eq!(&space[..4], b"back");
    // What is read makes room for as much.
    assert_eq!(far.read(&mut space[..10])?, 10);
    assert_eq!(near.write(&[5; 100])?, 10);
    let mut all = space[..10].to_vec();
    while all.len() < LEN + 10 {
        let len = far.read(&mut space)?;
        all.extend_from_slice(&space[..len]);
    }
    assert_eq!(all, [&[1; 1000][..], &[2; 1000], &vec![3; LEN - 2000], &[5; 10]].concat());
    assert_fails(far.read(&mut space), ErrorKind::WouldBlock);
    Ok(())
}

#[test]
fn the_end_comes_after_what_was_written_and_wakes_who_waits() {
    watched(|_| {
        for is_dropped in [false, true] {
            let (mut near, mut far) = streams();
            near.write_all(b"last words").expect("room");
            if is_dropped {
                drop(near);
            } else {
                near.shutdown_write().expect("in memory");
                assert_fails(near.write(b"late"), ErrorKind::BrokenPipe);
                far.write_all(b"go on").expect("the other direction is open");
                let mut space = [0; 5];
                near.read_exact(&mut space).expect("it arrives");
                assert_eq!(&space, b"go on");
            }
            let mut rest = Vec::new();
            far.read_to_end(&mut rest).expect("the end");
            assert_eq!(rest, b"last words");
            if is_dropped {
                assert_fails(far.write(b"nobody"), ErrorKind::BrokenPipe);
            }
        }
        // Who waits already.
        let (near, mut far) = streams();
        let reading = thread::spawn(move || far.read(&mut [0; 10]));
        thread::sleep(SHORT);
        drop(near);
        assert_eq!(reading.join().expect("no panic").expect("the end"), 0);
        let (mut near, far) = streams();
        assert_eq!(near.write(&vec![0; LEN + 1]).expect("room"), LEN);
        let writing = thread::spawn(move || near.write(&[0]));
        thread::sleep(SHORT);
        drop(far);
        assert_fails(writing.join().expect("no panic"), ErrorKind::BrokenPipe);
        let (mut near, mut far) = streams();
        let reading = thread::spawn(move || far.read(&mut [0; 10]));
        thread::sleep(SHORT);
        near.shutdown_write().expect("in memory");
        assert_eq!(reading.join().expect("no panic").expect("the end"), 0);
        // And who waits for something other than the end.
        let (mut near, mut far) = streams();
        let reading = thread::spawn(move || far.read(&mut [0; 10]));
        thread::sleep(SHORT);
        near.write_all(b"x").expect("room");
        assert_eq!(reading.join().expect("no panic").expect("something"), 1);
        let (mut near, mut far) = streams();
        assert_eq!(near.write(&vec![0; LEN]).expect("room"), LEN);
        let writing = thread::spawn(move || near.write(&[0; 10]).map(|len| (len, near)));
        thread::sleep(SHORT);
        assert_eq!(far.read(&mut [0; 10]).expect("something"), 10);
        assert_eq!(writing.join().expect("no panic").expect("room").0, 10);
    });
}

#[test]
fn deadlines_hold_over_a_pair() -> Result<(), Error> {
    let config = Config::new().with_write_timeout(SHORT).with_close_timeout(SHORT);
    let (mut client, mut server) = pair(config);
    assert_eq!(client.try_recv()?, Poll::Pending);
    assert_eq!(client.recv_timeout(SHORT)?, Poll::Pending);
    server.send("Hello")?;
    assert_eq!(client.recv_timeout(SHORT)?, Poll::Ready(Some("Hello".into())));
    // More than the link holds.
    let sent = client.send(vec![0; 2 * LEN]);
    assert!(matches!(sent, Err(Error::TimedOut(TimedOut::Write))), "{sent:?}");
    let (mut client, server) = pair(config);
    let closed = client.close(None);
    assert!(matches!(closed, Err(Error::TimedOut(TimedOut::Close))), "{closed:?}");
    drop(server);
    let (mut client, server) = pair(config);
    drop(server);
    let received = client.recv();
    assert!(matches!(received, Err(Error::Protocol(ProtocolError::UnexpectedEof))), "{received:?}");
    let (mut client, server) = pair(config);
    drop(server);
    let sent = client.send("nobody");
    assert!(matches!(&sent, Err(Error::Io(error)) if error.kind() == ErrorKind::BrokenPipe), "{sent:?}");
    Ok(())
}

//! The counters of sockets and halves, whoever has them.

use std::thread::sleep;
use std::time::Duration;

use tidewire::blocking::{WebSocket, pair};
use tidewire::{Config, Traffic};

const SHORT: Duration = Duration::from_millis(2);

fn counts(traffic: Traffic) -> [u64; 3] {
    [traffic.messages, traffic.payload_len, traffic.pings]
}

#[test]
fn a_socket_and_its_halves_count_the_same_for_as_long_as_there_was_a_connection() {
    let (mut client, mut server) = pair(Config::new().without_keepalive());
    client.send("Hello").expect("open");
    client.ping(b"").expect("open");
    client.queue_fragment(b"frag", false).expect("open");
    client.queue_fragment(b"ment", true).expect("open");
    client.flush().expect("open");
    for _ in 0..2 {
        server.recv().expect("open");
    }
    assert_eq!((counts(client.sent()), counts(client.received())), ([2, 13, 1], [0; 3]));
    assert_eq!((counts(server.sent()), counts(server.received())), ([0; 3], [2, 13, 1]));

    let mut age = client.age();
    let mut is_older = |now: Duration| {
        sleep(SHORT);
        now >= std::mem::replace(&mut age, now + SHORT)
    };
    let (mut reader, writer) = client.split();
    assert!(is_older(reader.age()));
    writer.clone().send("again").expect("open");
    server.send("answer").expect("open");
    reader.recv().expect("open");
    assert_eq!((counts(writer.sent()), counts(reader.sent())), ([3, 18, 1], [3, 18, 1]));
    assert_eq!(counts(reader.received()), [1, 6, 0]);
    let client = reader.reunite(writer).expect("of one connection");
    assert!(is_older(client.age()));
    let (stream, connection, input) = client.into_parts();
    assert_eq!((counts(connection.sent()), counts(connection.received())), ([3, 18, 1], [1, 6, 0]));
    let client = WebSocket::from_parts(stream, connection, input);
    assert!(is_older(client.age()));
    assert_eq!(counts(client.sent()), [3, 18, 1]);
}

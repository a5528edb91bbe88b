//! The counters of sockets and halves, whoever has them.

use std::time::Duration;

use tidewire::tokio::{WebSocket, pair};
use tidewire::{Config, Traffic};
use tokio::time::sleep;

use support::tokio_stream::block_on;

fn counts(traffic: Traffic) -> [u64; 3] {
    [traffic.messages, traffic.payload_len, traffic.pings]
}

#[test]
fn a_socket_and_its_halves_count_the_same() {
    block_on(async {
        let (mut client, mut server) = pair(Config::new().without_keepalive());
        client.send("Hello").await.unwrap();
        client.ping(b"").await.unwrap();
        client.queue_fragment(b"frag", false).unwrap();
        client.queue_fragment(b"ment", true).unwrap();
        client.flush().await.unwrap();
        for _ in 0..2 {
            server.recv().await.unwrap().unwrap();
        }
        assert_eq!((counts(client.sent()), counts(client.received())), ([2, 13, 1], [0; 3]));
        assert_eq!((counts(server.sent()), counts(server.received())), ([0; 3], [2, 13, 1]));

        let (mut reader, writer) = client.split();
        writer.clone().send("again").await.unwrap();
        server.send("answer").await.unwrap();
        reader.recv().await.unwrap().unwrap();
        assert_eq!((counts(writer.sent()), counts(reader.sent())), ([3, 18, 1], [3, 18, 1]));
        assert_eq!(counts(reader.received()), [1, 6, 0]);
        let client = reader.reunite(writer).unwrap();
        let (stream, connection, input) = client.into_parts();
        assert_eq!((counts(connection.sent()), counts(connection.received())), ([3, 18, 1], [1, 6, 0]));
        let client = WebSocket::from_parts(stream, connection, input);
        assert_eq!(counts(client.sent()), [3, 18, 1]);
    });
}

#[test]
fn a_connection_is_as_old_as_its_opening_whoever_has_it() {
    const SECOND: Duration = Duration::from_secs(1);
    for config in [Config::new(), Config::new().without_keepalive()] {
        block_on(async {
            let (client, server) = pair(config);
            assert_eq!(server.age(), Duration::ZERO);
            sleep(SECOND).await;
            assert_eq!(server.age(), SECOND);
            let (reader, writer) = client.split();
            sleep(SECOND).await;
            assert_eq!(reader.age(), 2 * SECOND);
            let (stream, connection, input) = reader.reunite(writer).unwrap().into_parts();
            let client = WebSocket::from_parts(stream, connection, input);
            sleep(SECOND).await;
            assert_eq!(client.age(), 3 * SECOND);
        });
    }
}

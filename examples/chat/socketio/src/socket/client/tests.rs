use std::time::Duration;

use super::*;
use crate::engine::Encoded;

const SECOND: Duration = Duration::from_secs(1);

fn client() -> (Client<char>, Instant) {
    let now = Instant::now();
    (Client::new(Limits::default(), now), now)
}

/// A client in the main namespace.
fn joined() -> (Client<char>, Instant) {
    let (mut client, now) = client();
    join(&mut client, "/", now);
    (client, now)
}

fn join(client: &mut Client<char>, namespace: &str, now: Instant) {
    let connect = Event::Connect { namespace: namespace.into(), auth: "{}".into() };
    assert_eq!(receive(client, &format!("0{namespace},"), now), Ok(Some(connect)));
    assert!(client.accept(namespace, "sid", None).is_some());
}

fn receive(
    client: &mut Client<char>,
    text: &str,
    now: Instant,
) -> Result<Option<Event<char>>, InvalidPacket> {
    client.receive(Message::Text(text), now)
}

fn text(outgoing: Option<Outgoing>) -> String {
    match outgoing.expect("to be sent").packets() {
        [Encoded::Text(text)] => text.to_string(),
        packets => panic!("{packets:?}"),
    }
}

#[test]
fn a_client_is_let_in_or_not() {
    let (mut client, now) = client();
    let auth = r#"{"token":"x"}"#;
    let connect = Event::Connect { namespace: "/".into(), auth: auth.into() };
    assert_eq!(receive(&mut client, &format!("0{auth}"), now), Ok(Some(connect)));
    assert!(!client.is_in("/"));
    assert_eq!(text(client.accept("/", "abc", None)), r#"40{"sid":"abc"}"#);
    assert!(client.is_in("/"));
    assert_eq!(client.accept("/", "abc", None), None);

    assert!(receive(&mut client, "0/admin,", now).is_ok());
    assert_eq!(text(client.refuse("/admin", r#"{"message":"no"}"#)), r#"44/admin,{"message":"no"}"#);
    assert_eq!(receive(&mut client, r#"2/admin,["x"]"#, now), Err(InvalidPacket::Namespace));
    assert_eq!(client.joined().collect::<Vec<_>>(), ["/"]);
    // It may ask again.
    assert!(receive(&mut client, "0/admin,", now).is_ok());
}

#[test]
fn connect_comes_first_and_once() {
    for packet in [r#"2["x"]"#, "1", "31[]", r#"2/a,["x"]"#] {
        let (mut client, now) = client();
        assert_eq!(receive(&mut client, packet, now), Err(InvalidPacket::Namespace), "{packet}");
        assert!(receive(&mut client, "0", now).is_ok());
        // Nor before the answer.
        assert_eq!(receive(&mut client, packet, now), Err(InvalidPacket::Namespace), "{packet}");
    }
    let (mut client, now) = joined();
    assert_eq!(receive(&mut client, "0", now), Err(InvalidPacket::Namespace));
}

#[test]
fn events_come_from_the_namespaces_that_were_joined() {
    let (mut client, now) = joined();
    join(&mut client, "/custom", now);
    for namespace in ["/", "/custom"] {
        let data = Data::new(&[1]).expect("an array");
        let expected = Event::Message { namespace: namespace.into(), name: "x".into(), data, id: Some(4) };
        assert_eq!(receive(&mut client, &format!("2{namespace},4[\"x\",1]"), now), Ok(Some(expected)));
    }
    let gone = Event::Disconnect { namespace: "/custom".into() };
    assert_eq!(receive(&mut client, "1/custom,", now), Ok(Some(gone)));
    assert_eq!(receive(&mut client, "2/custom,[\"x\"]", now), Err(InvalidPacket::Namespace));
}

#[test]
fn what_was_under_way_at_a_disconnect_is_dropped() {
    let (mut client, now) = joined();
    assert_eq!(text(client.disconnect("/", now)), "41");
    assert_eq!(client.disconnect("/", now), None);
    assert_eq!(receive(&mut client, "2[\"x\"]", now), Ok(None));
    assert_eq!(receive(&mut client, "30[]", now), Ok(None));
    join(&mut client, "/", now);
    client.disconnect("/", now);
    assert_eq!(receive(&mut client, "1", now), Ok(None));
    assert_eq!(receive(&mut client, "2[\"x\"]", now), Err(InvalidPacket::Namespace));
}

#[test]
fn namespaces_are_bounded() {
    let (mut client, now) = client();
    for index in 0..16 {
        join(&mut client, &format!("/{index}"), now);
        // One that is left by the server counts until the client has heard of it.
        client.disconnect(&format!("/{index}"), now);
    }
    assert_eq!(receive(&mut client, "0/16,", now), Err(InvalidPacket::TooManyNamespaces));
    let (mut client, now) = joined();
    for index in 0..1000 {
        assert!(receive(&mut client, &format!("0/{index},"), now).is_ok());
        client.refuse(&format!("/{index}"), "{}");
        join(&mut client, "/same", now);
        assert!(receive(&mut client, "1/same", now).is_ok());
    }
    assert_eq!(client.namespaces.len(), 1);
}

#[test]
fn an_acknowledgement_is_handed_to_who_waits() {
    let (mut client, now) = joined();
    let data = Data::new(&["x"]).expect("an array");
    let (id, outgoing) = client.event_with_ack("/", "ask", &data, now + SECOND, 'a').expect("joined");
    assert_eq!(text(Some(outgoing)), format!(r#"42{id}["ask","x"]"#));
    assert_eq!(client.poll_timeout(), Some(now + SECOND));
    let answer = Event::Ack { waiter: 'a', data: Data::new(&[7]).expect("an array") };
    assert_eq!(receive(&mut client, &format!("3{id}[7]"), now), Ok(Some(answer)));
    // Not twice, and not one that was never asked for.
    assert_eq!(receive(&mut client, &format!("3{id}[7]"), now), Ok(None));
    assert_eq!(receive(&mut client, "377[7]", now), Ok(None));
    assert_eq!(client.poll_timeout(), None);
}

#[test]
fn acknowledgements_time_out_and_are_bounded() {
    let (mut client, now) = joined();
    let ask = |client: &mut Client<char>, seconds| {
        client.event_with_ack("/", "ask", &Data::default(), now + seconds * SECOND, 'w').map(|(id, _)| id)
    };
    let id = ask(&mut client, 1).expect("joined");
    for _ in 1..256 {
        ask(&mut client, 2).expect("joined");
    }
    assert_eq!(ask(&mut client, 2), Err(NotConnected::TooManyAcks));
    assert_eq!(client.take_expired(now + SECOND), Some('w'));
    assert_eq!(client.take_expired(now + SECOND), None);
    assert_eq!(receive(&mut client, &format!("3{id}[]"), now), Ok(None));
    let id = ask(&mut client, 3).expect("room for one");
    assert_eq!(client.forget_ack(id), Some('w'));
    client.disconnect("/", now);
    assert_eq!(client.take_expired(now + 9 * SECOND), None);
    assert_eq!(ask(&mut client, 1), Err(NotConnected::Left));
}

#[test]
fn a_client_has_to_be_in_some_namespace() {
    let (mut client, now) = client();
    assert_eq!(client.poll_timeout(), Some(now + 45 * SECOND));
    assert!(!client.is_idle(now + 44 * SECOND));
    assert!(client.is_idle(now + 45 * SECOND));
    // Asking is not enough.
    assert!(receive(&mut client, "0", now).is_ok());
    client.refuse("/", "{}");
    assert!(client.is_idle(now + 45 * SECOND));
    join(&mut client, "/", now);
    assert_eq!(client.poll_timeout(), None);
    assert!(receive(&mut client, "1", now + 50 * SECOND).is_ok());
    assert!(!client.is_idle(now + 94 * SECOND));
    assert!(client.is_idle(now + 95 * SECOND));
}

//! Payloads of Engine.IO and packets of Socket.IO: what is read can be written and read again, and is JSON to another reader as well.
#![no_main]

use std::time::Instant;

use chat_socketio::Limits;
use chat_socketio::engine::{Encoded, Message, Packet, packets};
use chat_socketio::socket::{Body, Client, Data, Decoder, Event, Outgoing, Packet as SocketPacket};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    let Ok(payload) = str::from_utf8(data) else { return };
    let limits = Limits::default();
    let (mut decoder, mut client) = (Decoder::new(limits), Client::<()>::new(limits, Instant::now()));
    let (mut is_decoding, mut is_connected) = (true, true);
    for packet in packets(payload) {
        let Ok(Packet::Message(message)) = packet else { continue };
        check_message(&message);
        if is_decoding {
            match decoder.decode(message.clone()) {
                Ok(Some(packet)) => check_packet(&packet, &limits),
                Ok(None) => {}
                Err(_) => is_decoding = false,
            }
        }
        if is_connected {
            is_connected = check_client(&mut client, message, &limits);
        }
    }
});

/// What a WebSocket would carry is the same message.
fn check_message(message: &Message<'_>) {
    match Encoded::from(message.clone()) {
        Encoded::Text(text) => assert_eq!(Packet::decode(&text), Ok(Packet::Message(message.clone()))),
        Encoded::Binary(payload) => assert_eq!(*message, Message::Binary(payload)),
    }
}

fn check_packet(packet: &SocketPacket, limits: &Limits) {
    let SocketPacket { namespace, body } = packet;
    assert!(namespace.starts_with('/') && namespace.len() <= limits.max_name_len);
    match body {
        Body::Connect(auth) => {
            let auth: Value = serde_json::from_str(auth).expect("JSON");
            assert!(auth.is_object() && depth(&auth) <= limits.max_depth);
        }
        Body::Event { name, data, id } => {
            assert!(name.len() <= limits.max_name_len);
            check_data(data, limits);
            if id.is_none() {
                assert_eq!(decode(&Outgoing::event(namespace, name, data)), *packet);
            }
        }
        Body::Ack { id, data } => {
            check_data(data, limits);
            assert_eq!(decode(&Client::<()>::ack(namespace, *id, data)), *packet);
        }
        Body::Disconnect => {}
    }
}

/// The packet of these messages.
fn decode(outgoing: &Outgoing) -> SocketPacket {
    let mut decoder = Decoder::new(Limits::default());
    let mut decoded = None;
    for packet in outgoing.packets() {
        assert_eq!(decoded, None);
        let message = match packet {
            Encoded::Text(text) => Message::Text(text.strip_prefix('4').expect("a message")),
            Encoded::Binary(payload) => Message::Binary(payload.clone()),
        };
        decoded = decoder.decode(message).expect("valid");
    }
    decoded.expect("complete")
}

fn check_data(data: &Data, limits: &Limits) {
    let arguments: Value = data.parse().expect("JSON");
    assert!(arguments.is_array() && depth(&arguments) <= limits.max_depth);
    let attachments = data.attachments();
    assert!(attachments.len() <= limits.max_attachments);
    assert!(attachments.iter().map(|attachment| attachment.len()).sum::<usize>() <= limits.max_payload_len);
    if attachments.is_empty() {
        return;
    }
    let mut named = vec![false; attachments.len()];
    placeholders(&arguments, &mut named);
    assert!(named.into_iter().all(|named| named));
}

/// Marks the attachments that are named. One that does not exist is a finding.
fn placeholders(value: &Value, named: &mut [bool]) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| placeholders(item, named)),
        Value::Object(fields) => {
            fields.values().for_each(|field| placeholders(field, named));
            if fields.get("_placeholder") == Some(&Value::Bool(true)) {
                let number = fields.get("num").and_then(Value::as_u64).expect("a number");
                named[usize::try_from(number).expect("an index")] = true;
            }
        }
        _ => {}
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or_default(),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or_default(),
        _ => 0,
    }
}

/// False once the client broke the protocol.
fn check_client(client: &mut Client<()>, message: Message<'_>, limits: &Limits) -> bool {
    let Ok(event) = client.receive(message, Instant::now()) else { return false };
    match event {
        Some(Event::Connect { namespace, .. }) => {
            assert!(!client.is_in(&namespace));
            // Every second one, by its name.
            if namespace.len() % 2 == 1 {
                assert!(client.accept(&namespace, "sid", None).is_some());
                assert!(client.is_in(&namespace));
            } else {
                assert!(client.refuse(&namespace, "{}").is_some());
            }
        }
        Some(Event::Message { namespace, .. }) => assert!(client.is_in(&namespace)),
        Some(Event::Disconnect { namespace }) => assert!(!client.is_in(&namespace)),
        // Nothing was ever asked.
        Some(Event::Ack { .. }) => panic!("an acknowledgement"),
        None => {}
    }
    assert!(client.joined().count() <= limits.max_namespaces);
    true
}

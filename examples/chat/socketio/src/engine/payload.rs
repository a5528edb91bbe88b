//! The body of a long-polling request or answer: packets, joined by U+001E.

use base64::Engine as _;

use crate::engine::packet::{BASE64, Encoded, InvalidPacket, Packet};

const SEPARATOR: char = '\u{1e}';

/// The packets of a POST, one after the other. Nothing is kept of those that were taken.
///
/// ```
/// use chat_socketio::engine::{Message, Packet, packets};
///
/// let mut packets = packets("4one\u{1e}3");
/// assert_eq!(packets.next(), Some(Ok(Packet::Message(Message::Text("one")))));
/// assert_eq!(packets.next(), Some(Ok(Packet::Pong(""))));
/// assert_eq!(packets.next(), None);
/// ```
pub fn packets(payload: &str) -> impl Iterator<Item = Result<Packet<'_>, InvalidPacket>> {
    payload.split(SEPARATOR).map(Packet::decode_polling)
}

/// The body that holds these packets.
pub(crate) fn encode(packets: impl Iterator<Item = Encoded>) -> String {
    let mut payload = String::new();
    for packet in packets {
        if !payload.is_empty() {
            payload.push(SEPARATOR);
        }
        match packet {
            Encoded::Text(text) => payload.push_str(&text),
            Encoded::Binary(binary) => {
                payload.push('b');
                BASE64.encode_string(&binary, &mut payload);
            }
        }
    }
    payload
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::engine::packet::Message;

    #[test]
    fn what_is_encoded_is_decoded_again() {
        let sent = [
            Encoded::message("hello €"),
            Encoded::Binary(Bytes::from_static(&[0, 255, 30])),
            Encoded::control("2"),
            Encoded::Binary(Bytes::new()),
            Encoded::message(""),
        ];
        let payload = encode(sent.iter().cloned());
        assert_eq!(payload, "4hello €\u{1e}bAP8e\u{1e}2\u{1e}b\u{1e}4");
        let received: Vec<_> = packets(&payload).map(|packet| packet.expect("valid")).collect();
        let again = encode(received.into_iter().map(|packet| match packet {
            Packet::Message(message) => message.into(),
            Packet::Ping(data) => Encoded::control(&format!("2{data}")),
            packet => panic!("{packet:?}"),
        }));
        assert_eq!(again, payload);
    }

    #[test]
    fn a_payload_cut_anywhere_is_decoded_or_refused() {
        let payload = "4hé\u{1e}bAP8e\u{1e}2\u{1e}4€";
        let whole: Vec<_> = packets(payload).collect();
        for (cut, _) in payload.char_indices() {
            let parts: Vec<_> = packets(&payload[..cut]).collect();
            // All but the last are those of the whole.
            let complete = parts.len() - 1;
            assert_eq!(parts[..complete], whole[..complete], "{cut}");
            let begins_anew = cut == 0 || payload[..cut].ends_with(SEPARATOR);
            assert_eq!(parts[complete] == Err(InvalidPacket::Empty), begins_anew, "{cut}");
        }
    }

    #[test]
    fn an_empty_packet_is_refused() {
        assert_eq!(packets("").next(), Some(Err(InvalidPacket::Empty)));
        let doubled: Vec<_> = packets("4a\u{1e}\u{1e}4b").collect();
        assert_eq!(doubled[1], Err(InvalidPacket::Empty));
        assert_eq!(doubled[2], Ok(Packet::Message(Message::Text("b"))));
    }
}

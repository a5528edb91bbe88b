//! Puts packets together whose attachments come in messages of their own.

use bytes::Bytes;

use crate::engine::Message;
use crate::limits::Limits;
use crate::socket::packet::{Head, InvalidPacket, Packet};

/// Makes packets of messages. It keeps one packet at most, and of its attachments only those that came.
#[derive(Debug)]
pub struct Decoder {
    limits: Limits,
    partial: Option<Partial>,
}

#[derive(Debug)]
struct Partial {
    head: Head,
    attachments: Vec<Bytes>,
    len: usize,
}

impl Decoder {
    /// Nothing has arrived.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, partial: None }
    }

    /// The next message; the packet that it completes.
    ///
    /// # Errors
    /// [`InvalidPacket`]. The connection has to be closed.
    pub fn decode(&mut self, message: Message<'_>) -> Result<Option<Packet>, InvalidPacket> {
        match (message, self.partial.take()) {
            (Message::Text(text), None) => {
                let head = Head::decode(text, &self.limits)?;
                if head.attachments == 0 {
                    return Ok(Some(head.packet));
                }
                self.partial = Some(Partial { head, attachments: Vec::new(), len: 0 });
                Ok(None)
            }
            (Message::Binary(payload), Some(mut partial)) => {
                partial.len += payload.len();
                if partial.len > self.limits.max_payload_len {
                    return Err(InvalidPacket::TooLong);
                }
                partial.attachments.push(payload);
                if partial.attachments.len() == partial.head.attachments {
                    return Ok(Some(partial.head.complete(partial.attachments)));
                }
                self.partial = Some(partial);
                Ok(None)
            }
            _ => Err(InvalidPacket::Order),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::packet::Body;

    const TWO: Message<'_> =
        Message::Text(r#"52-["x",{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]"#);

    fn binary(len: usize) -> Message<'static> {
        Message::Binary(vec![7; len].into())
    }

    #[test]
    fn a_packet_is_complete_with_its_last_attachment() {
        let mut decoder = Decoder::new(Limits::default());
        for _ in 0..2 {
            assert_eq!(decoder.decode(TWO), Ok(None));
            assert_eq!(decoder.decode(binary(1)), Ok(None));
            let packet = decoder.decode(binary(2)).expect("valid").expect("complete");
            let Body::Event { data, .. } = packet.body else { panic!("{packet:?}") };
            assert_eq!(data.attachments(), [Bytes::from_static(&[7]), Bytes::from_static(&[7, 7])]);
        }
    }

    #[test]
    fn nothing_comes_between_a_packet_and_its_attachments() {
        let mut decoder = Decoder::new(Limits::default());
        assert_eq!(decoder.decode(binary(1)), Err(InvalidPacket::Order));
        for attachments in 0..2 {
            decoder.decode(TWO).expect("valid");
            for _ in 0..attachments {
                decoder.decode(binary(1)).expect("announced");
            }
            assert_eq!(decoder.decode(Message::Text("1")), Err(InvalidPacket::Order));
        }
    }

    #[test]
    fn attachments_are_bounded_together() {
        let mut decoder = Decoder::new(Limits { max_payload_len: 100, ..Limits::default() });
        decoder.decode(TWO).expect("valid");
        decoder.decode(binary(60)).expect("announced");
        assert!(decoder.decode(binary(40)).expect("just enough").is_some());
        decoder.decode(TWO).expect("valid");
        decoder.decode(binary(60)).expect("announced");
        assert_eq!(decoder.decode(binary(41)), Err(InvalidPacket::TooLong));
    }
}

//! How the guests of a [`Kind`] of server speak.

use serde_json::{Value, json};

use crate::process::Kind;

const TEXT: &str = "Good morning! Who is coming to the harbour today?";

/// What a guest is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// Somebody has said something.
    Said,
    /// What the guest has said is accepted.
    Acknowledged,
    /// Something is not done.
    Refused,
    /// The guest has to say this, to show that it lives.
    Asked(&'static str),
    /// Something else.
    Other,
}

impl Kind {
    /// What a guest says first, and how the answer to each begins that it waits for.
    pub(crate) fn introduction(self, hello: &Value, room: &str) -> [(String, String); 2] {
        match self {
            Self::Chat | Self::Ws => [
                (hello.to_string(), r#"{"type":"welcome""#.to_owned()),
                (
                    json!({ "type": "join", "room": room }).to_string(),
                    format!(r#"{{"type":"joined","channel":{{"room":"{room}"}}"#),
                ),
            ],
            // CONNECT, and an event with an acknowledgement, in packets of Socket.IO 5 in messages of Engine.IO 4.
            Self::ChatSocketIo | Self::SocketIo => [
                (format!("40{hello}"), "40".to_owned()),
                (format!("420{}", json!(["join", room])), "430".to_owned()),
            ],
        }
    }

    pub(crate) fn say(self, id: u64, room: &str) -> String {
        match self {
            Self::Chat | Self::Ws => {
                json!({ "type": "say", "id": id, "to": { "room": room }, "text": TEXT }).to_string()
            }
            Self::ChatSocketIo => {
                format!("42{id}{}", json!(["chat message", TEXT, { "to": { "room": room }, "id": id }]))
            }
            Self::SocketIo => format!("42{id}{}", json!(["say", { "id": id, "room": room, "text": TEXT }])),
        }
    }

    pub(crate) fn told(self, text: &str) -> Told {
        let (said, acknowledged, refused) = match self {
            Self::Chat | Self::Ws => (r#"{"type":"said""#, r#"{"type":"ack""#, r#"{"type":"refused""#),
            Self::ChatSocketIo => (r#"42["chat message""#, "43", r#"42["refused""#),
            Self::SocketIo => (r#"42["said""#, "43", "44"),
        };
        match text {
            _ if text.starts_with("43") && text.contains(r#""refused""#) => Told::Refused,
            _ if text.starts_with(said) => Told::Said,
            _ if text.starts_with(acknowledged) => Told::Acknowledged,
            _ if text.starts_with(refused) => Told::Refused,
            "2" => Told::Asked("3"),
            _ => Told::Other,
        }
    }
}

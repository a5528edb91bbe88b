//! [`Auth`] and [`Wish`]: what a client shows when it connects, and what it asks for.

use chat_socketio::socket::Data;
use serde::Deserialize;

use crate::listener::Offset;
use crate::protocol::Subject;
use crate::rooms::{Channel, ClientId, Name, Position};

/// Numbers of messages that clients choose are below this one, so that JavaScript counts on to those that are chosen here.
pub(super) const FIRST_NUMBER: u64 = 1 << 52;

/// The part of `auth` that concerns the chat.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Auth {
    /// What the client calls itself, if it numbers its messages.
    pub(super) client: Option<ClientId>,
    /// What it has been sent.
    pub(super) offset: Option<Offset>,
}

impl Auth {
    /// `None` if it is none of this protocol.
    pub(super) fn parse(auth: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Texts {
            client: Option<ClientId>,
            offset: Option<String>,
        }

        let Texts { client, offset } = serde_json::from_str(auth).ok()?;
        let offset = match offset {
            Some(offset) => Some(Offset::parse(&offset)?),
            None => None,
        };
        Some(Self { client, offset })
    }
}

/// The second argument of `chat message`.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Say {
    /// To whom; to the lobby without it.
    pub(super) to: Option<Channel>,
    /// The client's number for it.
    pub(super) id: Option<u64>,
}

/// What a client asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// To say something.
    Say(String, Say),
    /// To join a room, of which it has read so much.
    Join(Name, Option<Position>),
    /// To leave it.
    Leave(Name),
}

impl Wish {
    /// `None` for an event that is none of this protocol.
    pub(super) fn parse(name: &str, data: &Data) -> Option<Self> {
        match name {
            "chat message" => with_option(data).map(|(text, say)| Self::Say(text, say.unwrap_or_default())),
            "join" => with_option(data).map(|(room, since)| Self::Join(room, since)),
            "leave" => data.parse::<(Name,)>().ok().map(|(room,)| Self::Leave(room)),
            _ => None,
        }
    }

    /// What a refusal refers to.
    pub(super) fn subject(&self) -> Subject {
        match self {
            Self::Say(_, Say { id, .. }) => Subject { room: None, id: *id },
            Self::Join(room, _) | Self::Leave(room) => Subject { room: Some(room.clone()), id: None },
        }
    }
}

/// One argument, or two.
fn with_option<'d, T: Deserialize<'d>, U: Deserialize<'d>>(data: &'d Data) -> Option<(T, Option<U>)> {
    data.parse::<(T,)>().map(|(first,)| (first, None)).or_else(|_| data.parse()).ok()
}

#[cfg(test)]
mod tests {
    use serde::Serialize;
    use serde_json::json;

    use super::*;

    fn parse(name: &str, arguments: &impl Serialize) -> Option<Wish> {
        Wish::parse(name, &Data::new(arguments).expect("an array"))
    }

    fn name(name: &str) -> Name {
        Name::new(name).expect("a name")
    }

    #[test]
    fn wishes() {
        let lobby = name("lobby");
        assert_eq!(parse("chat message", &("hi",)), Some(Wish::Say("hi".into(), Say::default())));
        let say = Say { to: Some(Channel::Room(lobby.clone())), id: Some(7) };
        let wish = parse("chat message", &json!(["hi", { "to": { "room": "lobby" }, "id": 7 }]));
        assert_eq!(wish, Some(Wish::Say("hi".into(), say)));
        assert_eq!(parse("chat message", &("hi", ())), Some(Wish::Say("hi".into(), Say::default())));
        assert_eq!(parse("join", &("lobby",)), Some(Wish::Join(lobby.clone(), None)));
        let since = Position::from([(name("p"), 3)]);
        assert_eq!(
            parse("join", &json!(["lobby", { "p": 3 }])),
            Some(Wish::Join(lobby.clone(), Some(since)))
        );
        assert_eq!(parse("leave", &("lobby",)), Some(Wish::Leave(lobby)));
        for (event, wrong) in [
            ("chat message", json!([])),
            ("chat message", json!([7])),
            ("chat message", json!(["hi", {}, 1])),
            ("chat message", json!(["hi", { "id": -1 }])),
            ("chat message", json!(["hi", { "echo": false }])),
            ("join", json!(["a b"])),
            ("join", json!(["lobby", 7])),
            ("leave", json!(["lobby", {}])),
            ("shout", json!(["hi"])),
        ] {
            assert_eq!(parse(event, &wrong), None, "{event} {wrong}");
        }
    }

    #[test]
    fn what_is_shown() {
        assert_eq!(Auth::parse(r#"{"pid":"x","token":{}}"#), Some(Auth::default()));
        let auth = Auth::parse(r#"{"offset":"{\"all\":{\"p\":1}}"}"#).expect("an offset");
        assert_eq!(auth.offset.and_then(|offset| offset.all), Some(Position::from([(name("p"), 1)])));
        for wrong in [r#"{"offset":{}}"#, r#"{"offset":"x"}"#, r#"{"client":"12"}"#, r#"{"client":7}"#] {
            assert_eq!(Auth::parse(wrong), None, "{wrong}");
        }
    }
}

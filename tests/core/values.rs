//! What is received, as values: kinds, conversions, comparisons.

use std::borrow::Cow;

use bytes::Bytes;
use tidewire::{Config, Event, Input, Message};

use support::wire::{self, Role};

#[test]
fn a_message_tells_its_kind_and_gives_its_content() {
    let text = Message::from("é");
    assert!(text.is_text() && !text.is_binary());
    assert_eq!((text.len(), text.as_text(), text.as_bytes()), (2, Some("é"), "é".as_bytes()));
    assert_eq!(text.clone().into_bytes(), "é");
    assert_eq!(text.into_text(), Ok("é".to_owned()));

    let binary = Message::from(b"data");
    assert!(binary.is_binary() && !binary.is_text());
    assert_eq!((binary.len(), binary.as_text(), binary.as_bytes()), (4, None, b"data".as_slice()));
    assert_eq!(binary.clone().into_bytes(), b"data".as_slice());
    assert_eq!(binary.clone().into_text(), Err(binary));
}

#[test]
fn a_message_gives_its_memory_away() {
    let text = "t".repeat(1000);
    let start = text.as_ptr();
    let text = Message::from(text).into_text().expect("a text");
    assert_eq!(text.as_ptr(), start);
    assert_eq!(Message::from(text).into_bytes().as_ptr(), start);
}

#[test]
fn a_text_equals_only_text_and_a_binary_message_only_bytes() {
    let (text, binary) = (Message::from("data"), Message::from(b"data"));
    let owned = String::from("data");
    assert!(text == *"data" && text == "data" && text == owned);
    assert!(text != "Data" && text != *b"data" && text != b"data" && text != b"data".as_slice());
    assert!(binary == *b"data" && binary == b"data" && binary == b"data".as_slice());
    assert!(binary == *b"data".as_slice() && binary == b"data".to_vec());
    assert!(binary != b"Data" && binary != *"data" && binary != "data" && binary != owned);
    assert_ne!(text, binary);
}

#[test]
fn messages_come_from_whatever_holds_text_or_bytes() {
    let texts: [Message; 4] = [
        "text".into(),
        String::from("text").into(),
        Cow::Borrowed("text").into(),
        Cow::<str>::Owned("text".into()).into(),
    ];
    assert!(texts.iter().all(|message| *message == "text"));
    let binaries: [Message; 5] = [
        b"data".into(),
        (*b"data").into(),
        b"data".as_slice().into(),
        b"data".to_vec().into(),
        Bytes::from_static(b"data").into(),
    ];
    assert!(binaries.iter().all(|message| message == b"data"));
}

#[test]
fn what_is_lent_is_compared_and_printed_like_what_it_lends() {
    for role in Role::BOTH {
        let (mut connection, mut input) = (role.connection(Config::new()), Input::new());
        input.extend_from_slice(&wire::text(role, "text"));
        input.extend_from_slice(&wire::binary(role, "data"));
        let Ok(Some(Event::Text(text))) = connection.receive(&mut input) else { panic!("a text") };
        let owned = String::from("text");
        assert!(text == *"text" && text == "text" && text == owned && text != "Text");
        assert_eq!((format!("{text}"), format!("{text:>6}")), ("text".into(), "  text".into()));
        let as_ref: &str = text.as_ref();
        assert_eq!(as_ref, "text");
        let Ok(Some(Event::Binary(payload))) = connection.receive(&mut input) else { panic!("binary") };
        assert!(payload == *b"data" && payload == b"data" && payload == b"data".as_slice());
        assert!(payload == b"data".to_vec() && payload != b"Data");
        assert_eq!(format!("{payload:?}"), "Payload(b\"data\")");
        let as_ref: &[u8] = payload.as_ref();
        assert_eq!(as_ref, b"data");
    }
}

use super::*;

fn decode(text: &str) -> Result<Packet, InvalidPacket> {
    Head::decode(text, &Limits::default()).map(|head| head.packet)
}

fn packet(namespace: &str, body: Body) -> Result<Packet, InvalidPacket> {
    Ok(Packet { namespace: namespace.into(), body })
}

fn data(json: &str) -> Data {
    Data::from_checked(json.into(), Vec::new())
}

fn event(name: &str, json: &str, id: Option<u64>) -> Body {
    Body::Event { name: name.into(), data: data(json), id }
}

#[test]
fn every_type_is_decoded() {
    assert_eq!(decode("0"), packet("/", Body::Connect("{}".into())));
    assert_eq!(decode(r#"0{"token":"123"}"#), packet("/", Body::Connect(r#"{"token":"123"}"#.into())));
    assert_eq!(decode("0/admin"), packet("/admin", Body::Connect("{}".into())));
    assert_eq!(decode("0/admin,{}"), packet("/admin", Body::Connect("{}".into())));
    assert_eq!(decode("1"), packet("/", Body::Disconnect));
    assert_eq!(decode("1/admin,"), packet("/admin", Body::Disconnect));
    assert_eq!(decode(r#"2["foo"]"#), packet("/", event("foo", "[]", None)));
    assert_eq!(decode(r#"2/admin,["a,b",1.0, [ ]]"#), packet("/admin", event("a,b", "[1.0, [ ]]", None)));
    assert_eq!(decode(r#"212[ "foo" , 1 ]"#), packet("/", event("foo", "[1]", Some(12))));
    assert_eq!(decode(r#"2/admin,13["fo\u00e9"]"#), packet("/admin", event("foé", "[]", Some(13))));
    assert_eq!(decode("2[7,true]"), packet("/", event("7", "[true]", None)));
    assert_eq!(decode("312[]"), packet("/", Body::Ack { id: 12, data: data("[]") }));
    assert_eq!(
        decode(r#"3/admin,13["bar"]"#),
        packet("/admin", Body::Ack { id: 13, data: data(r#"["bar"]"#) })
    );
}

#[test]
fn attachments_are_announced() {
    let one = r#"{"_placeholder":true,"num":0}"#;
    let head = Head::decode(&format!(r#"51-/admin,14["foo",{one}]"#), &Limits::default()).expect("valid");
    assert_eq!(head.attachments, 1);
    let packet = head.complete(vec![Bytes::from_static(b"x")]);
    let Body::Event { name, data, id } = packet.body else { panic!("{packet:?}") };
    assert_eq!((name.as_str(), data.as_json(), id), ("foo", format!("[{one}]").as_str(), Some(14)));
    assert_eq!(data.attachments(), [Bytes::from_static(b"x")]);
    for count in ["", "0", "11", "-1", "+1", " 1", "1.0", "1e0", "99999999999999999999", "é"] {
        assert_eq!(decode(&format!(r#"5{count}-["foo",{one}]"#)), Err(InvalidPacket::Attachments), "{count}");
        assert_eq!(decode(&format!("6{count}-1[{one}]")), Err(InvalidPacket::Attachments), "{count}");
    }
    for text in [r#"5["foo"]"#, "5", "51", "61"] {
        assert_eq!(decode(text), Err(InvalidPacket::Attachments), "{text}");
    }
    assert_eq!(decode(r#"51-["foo"]"#), Err(InvalidJson::Placeholders.into()));
    assert_eq!(
        decode(r#"52-["foo",{"_placeholder":true,"num":5},0]"#),
        Err(InvalidJson::Placeholders.into())
    );
}

#[test]
fn what_is_no_packet_is_refused() {
    for text in ["", "7", "abc", "é", " 2", "4", r#"4{"message":"x"}"#] {
        assert_eq!(decode(text), Err(InvalidPacket::UnknownType), "{text}");
    }
    for text in [
        "2[]",
        "2{}",
        r#"2"foo""#,
        "2[null]",
        "2[[]]",
        "312{}",
        "1{}",
        "11",
        "0[]",
        "01",
        "0null",
        r#"1/admin,["x"]"#,
    ] {
        assert_eq!(decode(text), Err(InvalidPacket::Payload), "{text}");
    }
    for text in ["2", "2[", "2abc[\"x\"]", "2-1[\"x\"]", "2[\"x\"]]", "0{", "31", "2/a", r#"2["\ud800"]"#] {
        assert!(
            matches!(decode(text), Err(InvalidPacket::Json(InvalidJson::Syntax) | InvalidPacket::Payload)),
            "{text}"
        );
    }
    for text in ["3[]", "3/a,[]", "29007199254740992[\"x\"]", "299999999999999999999999[\"x\"]"] {
        assert_eq!(decode(text), Err(InvalidPacket::Id), "{text}");
    }
    assert_eq!(
        decode(&format!("29007199254740991{}", r#"["x"]"#)),
        packet("/", event("x", "[]", Some(MAX_ID)))
    );
}

#[test]
fn names_and_depth_are_bounded() {
    let name = "x".repeat(127);
    assert!(decode(&format!("0/{name}")).is_ok());
    assert_eq!(decode(&format!("0/{name}x")), Err(InvalidPacket::NameTooLong));
    assert!(decode(&format!(r#"2["x{name}"]"#)).is_ok());
    assert_eq!(decode(&format!(r#"2["xx{name}"]"#)), Err(InvalidPacket::NameTooLong));
    let nested = |depth| format!(r#"2["x",{}{}]"#, "[".repeat(depth), "]".repeat(depth));
    assert!(decode(&nested(31)).is_ok());
    assert_eq!(decode(&nested(32)), Err(InvalidJson::TooDeep.into()));
    assert_eq!(decode(&nested(400_000)), Err(InvalidJson::TooDeep.into()));
}

/// Wherever it is cut, also inside a character: what is left is refused, or a packet of its own.
#[test]
fn a_packet_cut_anywhere_does_no_harm() {
    let whole = r#"52-/ädmin,123["fooé",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#;
    assert!(decode(whole).is_ok());
    for (cut, _) in whole.char_indices() {
        assert!(decode(&whole[..cut]).is_err(), "{cut}");
        let _ = decode(&whole[cut..]);
    }
}

#[test]
fn what_is_encoded_is_decoded_again() {
    let attachment = Bytes::from_static(&[1, 2, 3]);
    let plain = Data::new(&(1, "é\"")).expect("an array");
    let binary = Data::new(&[Data::placeholder(0)]).expect("an array").with_attachments([attachment.clone()]);
    for namespace in ["/", "/custom"] {
        for (name, data, id) in
            [("a", &plain, None), ("\"b\"", &binary, Some(7)), ("c", &Data::default(), Some(0))]
        {
            let outgoing = Outgoing::numbered_event(namespace, name, data, id);
            let body = Body::Event { name: name.into(), data: data.clone(), id };
            assert_eq!(again(&outgoing), Packet { namespace: namespace.into(), body });
        }
        for data in [&plain, &binary, &Data::default()] {
            let body = Body::Ack { id: 5, data: data.clone() };
            assert_eq!(
                again(&Outgoing::ack(namespace, 5, data)),
                Packet { namespace: namespace.into(), body }
            );
        }
        assert_eq!(
            again(&Outgoing::disconnect(namespace)),
            Packet { namespace: namespace.into(), body: Body::Disconnect }
        );
    }
}

fn again(outgoing: &Outgoing) -> Packet {
    let [Encoded::Text(text), attachments @ ..] = outgoing.packets() else { panic!("{outgoing:?}") };
    let head = Head::decode(text.strip_prefix('4').expect("a message"), &Limits::default()).expect("valid");
    assert_eq!(head.attachments, attachments.len());
    let attachments = attachments.iter().map(|attachment| match attachment {
        Encoded::Binary(payload) => payload.clone(),
        Encoded::Text(text) => panic!("{text}"),
    });
    head.complete(attachments.collect())
}

#[test]
fn the_wire_form_is_that_of_the_protocol() {
    let texts = |outgoing: Outgoing| match &outgoing.packets()[0] {
        Encoded::Text(text) => text.to_string(),
        packet => panic!("{packet:?}"),
    };
    assert_eq!(texts(Outgoing::connect("/", "abc", None)), r#"40{"sid":"abc"}"#);
    assert_eq!(texts(Outgoing::connect("/admin", "abc", None)), r#"40/admin,{"sid":"abc"}"#);
    assert_eq!(texts(Outgoing::connect("/", "abc", Some("def"))), r#"40{"sid":"abc","pid":"def"}"#);
    assert_eq!(texts(Outgoing::connect_error("/x", r#"{"message":"no"}"#)), r#"44/x,{"message":"no"}"#);
    assert_eq!(texts(Outgoing::disconnect("/admin")), "41/admin,");
    assert_eq!(texts(Outgoing::event("/", "auth", &data("[{}]"))), r#"42["auth",{}]"#);
    assert_eq!(texts(Outgoing::ack("/", 456, &data("[1]"))), "43456[1]");
}

#[test]
fn a_text_is_put_behind_the_other_arguments() {
    let texts = |outgoing: Outgoing| outgoing.packets().to_vec();
    let event = Outgoing::event("/x", "a", &data("[1]").with_attachments(vec![Bytes::from_static(&[7])]));
    let longer = texts(event.with_text("\"]"));
    assert_eq!(longer[0], Encoded::Text(r#"451-/x,["a",1,"\"]"]"#.into()));
    assert_eq!(longer[1..], event.packets()[1..]);
    let longer = texts(Outgoing::event("/", "a", &Data::default()).with_text(""));
    assert_eq!(longer, [Encoded::Text(r#"42["a",""]"#.into())]);
    assert_eq!(
        texts(Outgoing::ack("/", 7, &Data::default()).with_text("b")),
        [Encoded::Text("437[\"b\"]".into())]
    );
}

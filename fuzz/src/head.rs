//! The head of an HTTP message once more, naively: lines that end in CR LF, each a name and a value but for the first.

/// A head that was accepted, line by line.
pub struct Lines<'d> {
    pub first: &'d [u8],
    pub headers: Vec<(&'d str, &'d [u8])>,
}

impl<'d> Lines<'d> {
    /// Splits `head`, and asserts that no parser can read it differently: no bare CR or LF, no folding, no space before a colon.
    pub fn new(head: &'d [u8]) -> Self {
        let mut lines = Vec::new();
        let mut rest = head;
        while let Some(len) = rest.windows(2).position(|end| end == b"\r\n") {
            let line = &rest[..len];
            assert!(!line.iter().any(|byte| b"\r\n\0".contains(byte)), "{line:?} is no line");
            lines.push(line);
            rest = &rest[len + 2..];
        }
        assert_eq!((rest, lines.pop()), (&b""[..], Some(&b""[..])), "a head ends in an empty line");
        let first = lines.remove(0);
        Self { first, headers: lines.into_iter().map(header).collect() }
    }

    /// The value of the only header of this name.
    #[track_caller]
    pub fn single(&self, name: &str) -> &'d str {
        let values: Vec<_> = self.values(name).collect();
        assert_eq!(values.len(), 1, "{name} is single");
        values[0]
    }

    /// The values of all headers of this name.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &'d str> {
        let headers = self.headers.iter().filter(move |(other, _)| other.eq_ignore_ascii_case(name));
        headers.map(|(_, value)| str::from_utf8(value).expect("text"))
    }

    /// True if `token` is in the list of this name, whatever its case.
    pub fn lists(&self, name: &str, token: &str) -> bool {
        let mut elements = self.values(name).flat_map(|value| value.split(','));
        elements.any(|element| element.trim_matches([' ', '\t']).eq_ignore_ascii_case(token))
    }
}

fn header(line: &[u8]) -> (&str, &[u8]) {
    let colon = line.iter().position(|&byte| byte == b':').expect("a colon");
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    let is_token = !name.is_empty() && name.iter().all(|byte| is_token_byte(*byte));
    assert!(is_token, "{name:?} is no token");
    (str::from_utf8(name).expect("ASCII"), value.trim_ascii())
}

/// RFC 9110 5.6.2.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

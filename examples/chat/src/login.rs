//! [`Login`]: who a browser is, in a signed cookie; and the token that only the pages of that login know.
//!
//! The server stores nothing: the cookie says who it is, until when, and a signature over both (HMAC-SHA-256) proves it.
//! The token is a signature over the login's number. A page of another site can make a browser send the cookie, but has no token.

use std::fmt::Write;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::rooms::{Name, Person};

/// How long a login lasts, in seconds.
pub const LOGIN_SECONDS: u64 = 12 * 3600;

/// The characters of the mark behind a name: none that looks like another.
const MARKS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// The longest name that somebody may choose, in bytes.
const MAX_CHOSEN_LEN: usize = 32;

/// A visit of a browser, with a name from the moment that it has logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// At random. It changes when somebody logs in, so that a number that was planted before is worth nothing.
    id: u128,
    /// In seconds since 1970.
    until: u64,
    person: Option<Person>,
}

impl Login {
    /// A visit before the login.
    ///
    /// # Errors
    /// If the operating system has no random numbers.
    pub fn anonymous(now: u64) -> Result<Self, getrandom::Error> {
        Ok(Self { id: random()?, until: now + LOGIN_SECONDS, person: None })
    }

    /// A login with a name of one's choice. A mark behind the name is nobody else's: `ann` becomes `ann#k3f9x2`.
    ///
    /// `None` if that is no name.
    ///
    /// # Errors
    /// If the operating system has no random numbers.
    pub fn new(chosen: &str, is_moderator: bool, now: u64) -> Result<Option<Self>, getrandom::Error> {
        if chosen.len() > MAX_CHOSEN_LEN || chosen.contains('#') {
            return Ok(None);
        }
        let id: u128 = random()?;
        let mark = (0..6).map(|place| char::from(MARKS[(id >> (5 * place)) as usize % MARKS.len()]));
        let name = Name::new(&format!("{chosen}#{}", mark.collect::<String>()));
        Ok(name.map(|name| Self {
            id,
            until: now + LOGIN_SECONDS,
            person: Some(Person { name, is_moderator }),
        }))
    }

    /// Who it is, after the login.
    #[must_use]
    pub fn person(&self) -> Option<&Person> {
        self.person.as_ref()
    }
}

/// Signs logins, and recognises them.
#[derive(Clone)]
pub struct Keys(Hmac<Sha256>);

impl Keys {
    /// From 32 random bytes.
    #[must_use]
    pub fn new(secret: &[u8; 32]) -> Self {
        // RFC 2104 2: a key that is shorter than a block is filled up with zeros.
        let mut block = [0; 64];
        block[..secret.len()].copy_from_slice(secret);
        Self(Hmac::new(&block.into()))
    }

    /// The value of the cookie.
    #[must_use]
    pub fn sign(&self, login: &Login) -> String {
        let (role, name) = match &login.person {
            None => ("visitor", String::new()),
            Some(Person { name, is_moderator: true }) => ("moderator", hex(name.as_str().as_bytes())),
            Some(Person { name, .. }) => ("guest", hex(name.as_str().as_bytes())),
        };
        let signed = format!("{:032x}.{}.{role}.{name}", login.id, login.until);
        let mac = self.mac("login", &signed).finalize().into_bytes();
        format!("{signed}.{}", hex(&mac))
    }

    /// The login of a cookie; `None` if it is forged, altered or over.
    #[must_use]
    pub fn verify(&self, cookie: &str, now: u64) -> Option<Login> {
        let (signed, mac) = cookie.rsplit_once('.')?;
        // In constant time.
        self.mac("login", signed).verify_slice(&unhex(mac)?).ok()?;
        let mut parts = signed.split('.');
        let id = u128::from_str_radix(parts.next()?, 16).ok()?;
        let until = parts.next()?.parse().ok().filter(|until| now < *until)?;
        let (role, name) = (parts.next()?, parts.next()?);
        let is_moderator = role == "moderator";
        let person = if role == "visitor" {
            None
        } else {
            Some(Person { name: Name::new(std::str::from_utf8(&unhex(name)?).ok()?)?, is_moderator })
        };
        Some(Login { id, until, person })
    }

    /// The token that the pages of a login send with all that changes something.
    #[must_use]
    pub fn token(&self, login: &Login) -> String {
        hex(&self.mac("token", &format!("{:032x}", login.id)).finalize().into_bytes())
    }

    /// True if the token belongs to the login.
    #[must_use]
    pub fn is_token_of(&self, token: &str, login: &Login) -> bool {
        let mac = self.mac("token", &format!("{:032x}", login.id));
        unhex(token).is_some_and(|token| mac.verify_slice(&token).is_ok())
    }

    /// A signature for one purpose is none for another.
    fn mac(&self, purpose: &str, text: &str) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        mac.update(purpose.as_bytes());
        mac.update(b":");
        mac.update(text.as_bytes());
        mac
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys")
    }
}

/// 128 random bits from the operating system.
///
/// # Errors
/// If it has none.
pub fn random() -> Result<u128, getrandom::Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    Ok(u128::from_be_bytes(bytes))
}

/// True if both are equal, in a time that does not tell where they differ.
#[must_use]
pub fn is_same_secret(one: &str, other: &str) -> bool {
    // The digests are of one length, and a guess of one says nothing about the secret.
    let key = Keys::new(&[0; 32]);
    key.mac("secret", one).verify_slice(&key.mac("secret", other).finalize().into_bytes()).is_ok()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn unhex(hex: &str) -> Option<Vec<u8>> {
    if !hex.len().is_multiple_of(2) || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Keys {
        Keys::new(&[7; 32])
    }

    fn login(name: &str) -> Login {
        Login::new(name, false, 1_000).expect("random").expect("a name")
    }

    #[test]
    fn a_login_is_recognised_until_it_is_over() {
        for login in [login("ann"), login("世界"), Login::anonymous(1_000).expect("random")] {
            let cookie = keys().sign(&login);
            assert!(cookie.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.'), "{cookie}");
            assert_eq!(keys().verify(&cookie, 1_000 + LOGIN_SECONDS - 1), Some(login));
            assert_eq!(keys().verify(&cookie, 1_000 + LOGIN_SECONDS), None);
        }
    }

    #[test]
    fn a_login_that_is_altered_in_any_place_is_none() {
        let cookie = keys().sign(&login("ann"));
        for place in 0..cookie.len() {
            for other in ["0", "1", ".", "f", ""] {
                let mut altered = cookie.clone();
                altered.replace_range(place..=place, other);
                if altered != cookie {
                    assert_eq!(keys().verify(&altered, 1_000), None, "{altered}");
                }
            }
        }
        assert_eq!(Keys::new(&[8; 32]).verify(&cookie, 1_000), None);
        for wrong in ["", ".", "....", "é", &keys().token(&login("ann"))] {
            assert_eq!(keys().verify(wrong, 1_000), None, "{wrong}");
        }
    }

    #[test]
    fn a_token_belongs_to_one_login() {
        let (ann, bob) = (login("ann"), login("ann"));
        let token = keys().token(&ann);
        assert!(keys().is_token_of(&token, &ann));
        assert!(!keys().is_token_of(&token, &bob));
        assert!(!keys().is_token_of("", &ann));
        assert!(!Keys::new(&[8; 32]).is_token_of(&token, &ann));
    }

    #[test]
    fn two_of_one_name_are_told_apart() {
        let (one, other) = (login("ann"), login("ann"));
        let name = |login: &Login| login.person().expect("a person").name.to_string();
        assert_ne!(name(&one), name(&other));
        assert!(name(&one).starts_with("ann#") && name(&one).len() == 10, "{}", name(&one));
    }

    #[test]
    fn a_name_is_chosen_without_a_mark() {
        for wrong in ["", "a b", "ann#k3f9x2", "#", &"x".repeat(33), "<b>"] {
            assert_eq!(Login::new(wrong, false, 0).expect("random"), None, "{wrong}");
        }
    }

    #[test]
    fn secrets_are_compared_whole() {
        assert!(is_same_secret("tide", "tide"));
        for other in ["", "tid", "tidf", "tidee"] {
            assert!(!is_same_secret("tide", other));
        }
    }
}

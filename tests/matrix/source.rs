//! Rust source as far as it has to be understood to find tests and modules: tokens, without comments.

/// What is left of the source: all of it that can name a test or a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    Word(String),
    /// The content of a string literal.
    Text(String),
    Punctuation(char),
}

impl Token {
    pub(crate) fn is(&self, punctuation: char) -> bool {
        *self == Self::Punctuation(punctuation)
    }

    pub(crate) fn word(&self) -> Option<&str> {
        if let Self::Word(word) = self { Some(word) } else { None }
    }
}

/// The tokens of a file. Numbers count as words; of characters and lifetimes nothing is left.
pub(crate) fn tokens(source: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        rest = if rest.starts_with("//") {
            rest.split_once('\n').map_or("", |(_, rest)| rest)
        } else if rest.starts_with("/*") {
            behind_block_comment(rest)
        } else if let Some((text, rest)) = string(rest) {
            tokens.push(Token::Text(text.into()));
            rest
        } else if first == '\'' {
            behind_quote(&rest[1..])
        } else if is_in_word(first) {
            let (word, rest) = split_word(rest);
            tokens.push(Token::Word(word.into()));
            rest
        } else {
            if !first.is_whitespace() {
                tokens.push(Token::Punctuation(first));
            }
            &rest[first.len_utf8()..]
        };
    }
    tokens
}

fn is_in_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn split_word(source: &str) -> (&str, &str) {
    source.split_at(source.find(|c| !is_in_word(c)).unwrap_or(source.len()))
}

/// Block comments nest.
fn behind_block_comment(source: &str) -> &str {
    let (mut depth, mut rest) = (0, source);
    loop {
        rest = if let Some(rest) = rest.strip_prefix("/*") {
            depth += 1;
            rest
        } else if let Some(rest) = rest.strip_prefix("*/") {
            depth -= 1;
            rest
        } else {
            let mut characters = rest.chars();
            characters.next();
            characters.as_str()
        };
        if depth == 0 || rest.is_empty() {
            return rest;
        }
    }
}

/// The content of the string literal that `source` begins with, raw or not, and what follows it.
fn string(source: &str) -> Option<(&str, &str)> {
    let literal = source.trim_start_matches(['b', 'c']);
    if source.len() - literal.len() > 1 {
        return None;
    }
    if let Some(raw) = literal.strip_prefix('r') {
        let content = raw.trim_start_matches('#');
        let end = format!("\"{}", &raw[..raw.len() - content.len()]);
        return content.strip_prefix('"')?.split_once(&end);
    }
    let content = literal.strip_prefix('"')?;
    let mut is_escaped = false;
    let end = content.find(|c| {
        let ends = c == '"' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        ends
    })?;
    Some((&content[..end], &content[end + 1..]))
}

/// What follows the character or the lifetime whose quote was taken already.
fn behind_quote(source: &str) -> &str {
    let mut characters = source.chars();
    match (characters.next(), characters.next()) {
        (Some('\\'), Some(_)) => characters.as_str().split_once('\'').map_or("", |(_, rest)| rest),
        (Some(_), Some('\'')) => characters.as_str(),
        _ => split_word(source).1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_strings_characters_and_lifetimes_hide_nothing_and_show_nothing() {
        let source = r####"
            // fn comment "
            /* fn block /* nested " */ ' */ fn a<'x>(x: &'x str) { "fn \" text"; 'y'; '\''; '"'; '\u{e9}'; b'"'; }
            br#"raw " text"#; b"bytes"; c"c"; r"back\slash"; r#type
        "####;
        let words: Vec<_> =
            tokens(source).into_iter().filter(|token| !matches!(token, Token::Punctuation(_))).collect();
        let word = |word: &str| Token::Word(word.into());
        let text = |text: &str| Token::Text(text.into());
        let expected = [
            word("fn"),
            word("a"),
            word("x"),
            word("str"),
            text("fn \\\" text"),
            word("b"),
            text("raw \" text"),
            text("bytes"),
            text("c"),
            text("back\\slash"),
            word("r"),
            word("type"),
        ];
        assert_eq!(words, expected);
    }
}

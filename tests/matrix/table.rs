//! The tables: rows of fields between bars.

/// What shows that something holds, or why nothing here can.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    By(Vec<String>),
    Not(String),
}

impl Shown {
    pub(crate) fn tests(&self) -> &[String] {
        match self {
            Self::By(tests) => tests,
            Self::Not(_) => &[],
        }
    }

    /// Either names between commas, or a dash and a reason.
    pub(crate) fn parse(field: &str) -> Result<Self, String> {
        if let Some(reason) = field.strip_prefix('-') {
            let reason = reason.trim();
            let is_reason = reason.contains(' ');
            return if is_reason {
                Ok(Self::Not(reason.into()))
            } else {
                Err("a dash without a reason".into())
            };
        }
        let names: Vec<_> = field.split(',').map(str::trim).collect();
        let is_word = |word: &str| {
            !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        let is_name = |name: &&str| name.split("::").all(is_word);
        match names.iter().find(|name| !is_name(name)) {
            Some(name) => Err(format!("{name:?} is no name of a test")),
            None => Ok(Self::By(names.into_iter().map(Into::into).collect())),
        }
    }
}

/// A row of `requirements.txt`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Requirement {
    pub(crate) number: u32,
    /// Such as `6455`.
    pub(crate) rfc: u32,
    /// Such as `5.5.1`.
    pub(crate) section: String,
    pub(crate) who: String,
    pub(crate) level: String,
    pub(crate) text: String,
    pub(crate) shown: Shown,
}

pub(crate) fn requirements(table: &str) -> Result<Vec<Requirement>, String> {
    let requirement = |[number, section, who, level, text, shown]: [&str; 6]| {
        let number = number.parse().map_err(|_| format!("{number:?} is no number"))?;
        let (rfc, section) = section
            .strip_prefix("RFC ")
            .and_then(|section| section.split_once(' '))
            .ok_or_else(|| format!("{section:?} names no section of an RFC"))?;
        let rfc = rfc.parse().map_err(|_| format!("{rfc:?} is no number"))?;
        if !["client", "server", "both"].contains(&who) {
            return Err(format!("{who:?} is neither client nor server nor both"));
        }
        if !["MUST", "SHOULD", "MAY"].contains(&level) {
            return Err(format!("{level:?} is neither MUST nor SHOULD nor MAY"));
        }
        let shown = Shown::parse(shown)?;
        let (section, who, level, text) = (section.into(), who.into(), level.into(), text.into());
        Ok(Requirement { number, rfc, section, who, level, text, shown })
    };
    rows(table, requirement)
}

/// The numbered rows of the table in SECURITY.md, each with what stands between back-quotes in its last field.
pub(crate) fn promises(page: &str) -> Vec<(usize, Vec<String>)> {
    let row = |line: &str| {
        let fields: Vec<_> = line.strip_prefix('|')?.strip_suffix('|')?.split('|').map(str::trim).collect();
        let number = fields.first()?.parse().ok()?;
        let shown_by = fields.last()?.split('`').skip(1).step_by(2);
        Some((number, shown_by.map(Into::into).collect()))
    };
    page.lines().filter_map(row).collect()
}

/// What `parse` makes of every line, comments and empty lines aside.
pub(crate) fn rows<R, const N: usize>(
    table: &str,
    parse: impl Fn([&str; N]) -> Result<R, String>,
) -> Result<Vec<R>, String> {
    let lines = (1..).zip(table.lines()).filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let row = |(number, line): (usize, &str)| {
        let fields: Vec<_> = line.split(" | ").collect();
        let count = fields.len();
        let fields = <[&str; N]>::try_from(fields).map_err(|_| format!("{count} fields instead of {N}"));
        let fields = fields.and_then(|fields| {
            let is_empty = fields.iter().any(|field| field.trim().is_empty());
            if is_empty { Err("an empty field".into()) } else { Ok(fields) }
        });
        fields.and_then(&parse).map_err(|error| format!("line {number}: {error}: {line}"))
    };
    lines.map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_its_fields_and_either_tests_or_a_reason() {
        let read = |row: &str| requirements(&format!("# number | and so on\n\n{row}\n"));
        let rows = read("7 | RFC 6455 5.1 | both | MUST | Do | it_does, it_does_so").expect("a row");
        let [row] = &rows[..] else { panic!("{rows:?}") };
        assert_eq!((row.number, row.rfc, row.section.as_str()), (7, 6455, "5.1"));
        assert_eq!(row.shown, Shown::By(vec!["it_does".into(), "it_does_so".into()]));
        let rows = read("7 | RFC 6455 5.1 | both | MUST | Do | - not here").expect("a row");
        assert_eq!(rows[0].shown, Shown::Not("not here".into()));
        for wrong in [
            "7 | RFC 6455 5.1 | both | MUST | Do",
            "7 | RFC 6455 5.1 | both | MUST | Do | it_does | - not here",
            "7 | RFC 6455 5.1 | both | MUST | Do | it_does, - not here",
            "7 | RFC 6455 5.1 | both | MUST | Do | -",
            "7 | RFC 6455 5.1 | both | MUST | Do | it_does,",
            "7 | RFC 6455 5.1 | both | MUST | Do | it does",
            "7 | RFC 6455 5.1 | both | MUST |  | it_does",
            "7 | RFC 6455 5.1 | all | MUST | Do | it_does",
            "7 | RFC 6455 5.1 | both | must | Do | it_does",
            "7 | 6455 5.1 | both | MUST | Do | it_does",
            "x | RFC 6455 5.1 | both | MUST | Do | it_does",
        ] {
            let error = read(wrong).expect_err(wrong);
            assert!(error.starts_with("line 3: "), "{error}");
        }
    }

    #[test]
    fn a_promise_is_a_numbered_row_with_names_between_back_quotes() {
        let page =
            "| # | promise | shown by |\n|--:|---|---|\n| 1 | `x` | `a_test`, `a/path` |\n| 2 | | |\ntext\n";
        assert_eq!(promises(page), [(1, vec!["a_test".into(), "a/path".into()]), (2, vec![])]);
    }
}

//! The report: printed as it comes, and kept for the pages.

use std::fmt::Display;

use crate::table::Table;

#[derive(Default)]
pub(crate) struct Report {
    text: String,
    tables: Vec<Table>,
}

impl Report {
    /// A paragraph, or a heading.
    pub(crate) fn say(&mut self, text: impl Display) {
        let text = format!("{text}\n\n");
        print!("{text}");
        self.text += &text;
    }

    /// How the contenders of a section were set up.
    pub(crate) fn say_setups<'a>(&mut self, setups: impl IntoIterator<Item = (&'a str, &'a str)>) {
        let lines: Vec<_> =
            setups.into_iter().map(|(name, setup)| format!("- **{name}**: {setup}")).collect();
        self.say(lines.join("\n"));
    }

    pub(crate) fn add(&mut self, table: Table) {
        self.say(table.to_string().trim_end());
        self.tables.push(table);
    }

    /// All that was said.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The table of that title.
    pub(crate) fn table(&self, title: &str) -> Result<&Table, String> {
        let table = self.tables.iter().find(|table| table.title() == title);
        table.ok_or_else(|| format!("there is no table \"{title}\""))
    }
}

/// A length as people say it.
pub(crate) fn length(len: usize) -> String {
    match len {
        0..1024 => format!("{len} B"),
        1024..1_048_576 => format!("{} KiB", len >> 10),
        _ => format!("{} MiB", len >> 20),
    }
}

//! [`Journal`]: a file that remembers what was acknowledged.
//!
//! Each line is a [`Record`] in JSON. A message is appended before it is acknowledged. So it is there again after the process was killed:
//! the system has it, though perhaps not yet the disk. When the file has grown, what the rooms still remember is written anew, beside the old file,
//! to which messages are appended meanwhile.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::rooms::{Entry, Outlet, Record, Rooms};

/// The file is written anew when it is this long, or twice as long as it was when it was last written.
const MIN_LEN: u64 = 1 << 20;

/// An append-only file of bounded length. See the [module](self).
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    len: u64,
    max_len: u64,
    /// What was appended since a [`Rewrite`] began.
    since: Option<Vec<u8>>,
    /// Holds the lock, so that no second process writes to the same file.
    _lock: File,
}

impl Journal {
    /// Opens the file, tells the rooms what is in it, and begins it anew.
    ///
    /// A last line that was cut when the process was killed is not there: nobody was told of it.
    ///
    /// # Errors
    /// What the system says; `InvalidData` with the number of the line that is none; `WouldBlock` if another process has the file.
    pub fn open<O: Outlet>(path: &Path, rooms: &mut Rooms<O>) -> io::Result<Self> {
        let lock =
            OpenOptions::new().create(true).truncate(false).write(true).open(path.with_extension("lock"))?;
        lock.try_lock().map_err(|error| io::Error::new(io::ErrorKind::WouldBlock, error.to_string()))?;
        match File::open(path) {
            Ok(file) => restore(BufReader::new(file), rooms)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let Rewritten { file, len } =
            Rewrite { path: path.into(), records: rooms.records().collect() }.write()?;
        fs::rename(path.with_extension("new"), path)?;
        Ok(Self { path: path.into(), file, len, max_len: MIN_LEN.max(2 * len), since: None, _lock: lock })
    }

    /// Stores a message. When this returns, a kill does not lose it.
    ///
    /// # Errors
    /// What the system says. The file is as before then.
    pub fn append(&mut self, entry: &Entry) -> io::Result<()> {
        let mut line = serde_json::to_vec(&Line { said: entry })?;
        line.push(b'\n');
        if let Err(error) = self.file.write_all(&line) {
            // A part of a line must not stand before the next one.
            self.file.set_len(self.len)?;
            self.file.seek(SeekFrom::Start(self.len))?;
            return Err(error);
        }
        self.len += line.len() as u64;
        self.since.iter_mut().for_each(|since| since.extend_from_slice(&line));
        Ok(())
    }

    /// If the file has grown: what is to be [written](Rewrite::write) anew, and then given to [`finish`](Self::finish).
    pub fn shrink<O: Outlet>(&mut self, rooms: &Rooms<O>) -> Option<Rewrite> {
        if self.len <= self.max_len || self.since.is_some() {
            return None;
        }
        self.since = Some(Vec::new());
        Some(Rewrite { path: self.path.clone(), records: rooms.records().collect() })
    }

    /// Puts the new file in place of the old one, with what was appended meanwhile.
    ///
    /// # Errors
    /// What the system says, or has said. The old file is still in use then.
    pub fn finish(&mut self, rewritten: io::Result<Rewritten>) -> io::Result<()> {
        let since = self.since.take().unwrap_or_default();
        // Not at each message, if it fails.
        self.max_len = 2 * self.len;
        let Rewritten { mut file, len } = rewritten?;
        file.write_all(&since)?;
        fs::rename(self.path.with_extension("new"), &self.path)?;
        (self.file, self.len) = (file, len + since.len() as u64);
        self.max_len = MIN_LEN.max(2 * len);
        Ok(())
    }
}

/// All that the rooms remembered at some moment.
#[derive(Debug)]
pub struct Rewrite {
    path: PathBuf,
    records: Vec<Record>,
}

/// A new file, beside the old one.
#[derive(Debug)]
pub struct Rewritten {
    file: File,
    len: u64,
}

impl Rewrite {
    /// Writes the new file to the disk. That takes a while: hold no lock, and block no task.
    ///
    /// # Errors
    /// What the system says.
    pub fn write(self) -> io::Result<Rewritten> {
        let (file, len) = write_anew(&self.path, self.records)?;
        Ok(Rewritten { file, len })
    }
}

/// [`Record::Said`] with an entry that is lent.
#[derive(Serialize)]
struct Line<'a> {
    said: &'a Entry,
}

fn restore<O: Outlet>(mut file: impl BufRead, rooms: &mut Rooms<O>) -> io::Result<()> {
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        file.read_until(b'\n', &mut line)?;
        if line.last() != Some(&b'\n') {
            break;
        }
        let record = serde_json::from_slice(&line)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, format!("line {number}: {error}")))?;
        rooms.restore(record);
    }
    Ok(())
}

/// Writes records beside the file. Returns the new one with its length.
fn write_anew(path: &Path, records: Vec<Record>) -> io::Result<(File, u64)> {
    let beside = path.with_extension("new");
    let mut file = BufWriter::new(create_private(&beside)?);
    for record in records {
        serde_json::to_writer(&mut file, &record)?;
        file.write_all(b"\n")?;
    }
    let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
    // The name must not point to a file that is not on the disk.
    file.sync_data()?;
    let len = file.stream_position()?;
    Ok((file, len))
}

/// A file that nobody else may read: private messages are in it.
fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::rooms::{Channel, ClientId, Limits, Name, Notice};

    struct Nobody;

    impl Outlet for Nobody {
        type Cache = ();

        fn deliver(&self, _: &Notice<()>) -> bool {
            false
        }
    }

    /// A folder that is gone at the end.
    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            static COUNT: AtomicU32 = AtomicU32::new(0);
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let path = std::env::temp_dir().join(format!("tidewire-chat-{}-{count}", std::process::id()));
            fs::create_dir(&path).expect("a folder");
            Self(path)
        }

        fn journal(&self) -> PathBuf {
            self.0.join("all.jsonl")
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn name(name: &str) -> Name {
        Name::new(name).expect("a name")
    }

    fn rooms(origin: &str) -> Rooms<Nobody> {
        let limits = Limits { max_history_count: 3, ..Limits::default() };
        Rooms::new(name(origin), limits, |_, _| true)
    }

    fn entry(seq: u64) -> Entry {
        let (to, client) = (Channel::Room(name("lobby")), ClientId::new(7));
        Entry {
            origin: name("p"),
            seq,
            to,
            from: name("ann"),
            client,
            id: seq,
            time: seq,
            text: "x".repeat(1_000),
        }
    }

    fn texts(rooms: &Rooms<Nobody>) -> Vec<u64> {
        let seq = |record| if let Record::Said(entry) = record { Some(entry.seq) } else { None };
        rooms.records().filter_map(seq).collect()
    }

    fn store(journal: &mut Journal, rooms: &mut Rooms<Nobody>, seq: u64) {
        journal.append(&entry(seq)).expect("stored");
        rooms.apply(entry(seq), None);
        if let Some(rewrite) = journal.shrink(rooms) {
            journal.finish(rewrite.write()).expect("shrunk");
        }
    }

    #[test]
    fn what_was_stored_is_there_after_a_kill() {
        let folder = Folder::new();
        let mut before = rooms("p");
        let mut journal = Journal::open(&folder.journal(), &mut before).expect("a journal");
        store(&mut journal, &mut before, 1);
        store(&mut journal, &mut before, 2);
        // A kill in the middle of a line.
        journal.file.write_all(b"{\"said\":{\"ori").expect("written");
        drop(journal);
        for _ in 0..2 {
            let mut after = rooms("q");
            Journal::open(&folder.journal(), &mut after).expect("a journal");
            assert_eq!((after.origin(), texts(&after)), (&name("p"), vec![1, 2]));
        }
    }

    #[test]
    fn the_file_is_bounded() {
        let folder = Folder::new();
        let mut rooms_before = rooms("p");
        let mut journal = Journal::open(&folder.journal(), &mut rooms_before).expect("a journal");
        for seq in 1..=3_000 {
            store(&mut journal, &mut rooms_before, seq);
            let len = fs::metadata(folder.journal()).expect("a file").len();
            assert_eq!(len, journal.len);
            assert!(len <= MIN_LEN + 2_000, "{len}");
        }
        drop(journal);
        let mut after = rooms("q");
        Journal::open(&folder.journal(), &mut after).expect("a journal");
        assert_eq!(texts(&after), [2_998, 2_999, 3_000]);
    }

    #[test]
    fn what_is_stored_while_the_file_is_written_anew_is_there() {
        let folder = Folder::new();
        let mut before = rooms("p");
        let mut journal = Journal::open(&folder.journal(), &mut before).expect("a journal");
        let mut seq = 0;
        let mut append = |journal: &mut Journal, before: &mut Rooms<Nobody>| {
            seq += 1;
            journal.append(&entry(seq)).expect("stored");
            before.apply(entry(seq), None);
            seq
        };
        let there = |folder: &Folder| {
            let mut after = rooms("q");
            restore(BufReader::new(File::open(folder.journal()).expect("a file")), &mut after)
                .expect("whole");
            texts(&after)
        };
        for fails in [true, false] {
            let rewrite = loop {
                append(&mut journal, &mut before);
                if let Some(rewrite) = journal.shrink(&before) {
                    break rewrite;
                }
            };
            let rewritten = rewrite.write();
            let last = append(&mut journal, &mut before);
            assert!(journal.shrink(&before).is_none(), "one at a time");
            assert_eq!(there(&folder), [last - 2, last - 1, last]);
            let rewritten = if fails { Err(io::Error::other("no space")) } else { rewritten };
            assert_eq!(journal.finish(rewritten).is_err(), fails);
            let len = fs::metadata(folder.journal()).expect("a file").len();
            assert_eq!((len, len < 10_000), (journal.len, !fails));
            assert_eq!(there(&folder), [last - 2, last - 1, last]);
            let last = append(&mut journal, &mut before);
            assert_eq!(there(&folder), [last - 2, last - 1, last]);
        }
    }

    #[test]
    fn two_processes_do_not_share_a_file() {
        let folder = Folder::new();
        let journal = Journal::open(&folder.journal(), &mut rooms("p")).expect("a journal");
        let second = Journal::open(&folder.journal(), &mut rooms("q")).expect_err("it is locked");
        assert_eq!(second.kind(), io::ErrorKind::WouldBlock);
        drop(journal);
        Journal::open(&folder.journal(), &mut rooms("q")).expect("a journal");
    }

    #[test]
    fn a_line_that_is_none_is_named() {
        let folder = Folder::new();
        fs::write(folder.journal(), "{\"origin\":\"p\"}\n{\"what\":1}\n").expect("written");
        let error = Journal::open(&folder.journal(), &mut rooms("q")).expect_err("it is no journal");
        assert!(error.to_string().starts_with("line 2: "), "{error}");
    }
}

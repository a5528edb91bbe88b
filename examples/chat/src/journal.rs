//! [`Journal`]: a file that remembers what was acknowledged.
//!
//! Each line is a [`Record`](crate::rooms::Record) in JSON. A message is appended before it is acknowledged. So it is there again after the process was killed:
//! the system has it, though perhaps not yet the disk. When the file has grown, what the rooms still remember is written anew.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::rooms::{Entry, Outlet, Rooms};

/// The file is written anew when it is this long, or twice as long as it was when it was last written.
const MIN_LEN: u64 = 1 << 20;

/// An append-only file of bounded length. See the [module](self).
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    len: u64,
    max_len: u64,
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
        let (file, len) = write_anew(path, rooms)?;
        Ok(Self { path: path.into(), file, len, max_len: MIN_LEN.max(2 * len), _lock: lock })
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
        Ok(())
    }

    /// Writes the file anew if it has grown, and forgets what the rooms have forgotten.
    ///
    /// # Errors
    /// What the system says. The old file is still in use then.
    pub fn shrink<O: Outlet>(&mut self, rooms: &Rooms<O>) -> io::Result<()> {
        if self.len > self.max_len {
            // Not at each message, if it fails.
            self.max_len = 2 * self.len;
            (self.file, self.len) = write_anew(&self.path, rooms)?;
            self.max_len = MIN_LEN.max(2 * self.len);
        }
        Ok(())
    }
}

/// [`Record::Said`](crate::rooms::Record::Said) with an entry that is lent.
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

/// Writes all that the rooms remember beside the file, and then puts it in its place. Returns it with its length.
fn write_anew<O: Outlet>(path: &Path, rooms: &Rooms<O>) -> io::Result<(File, u64)> {
    let beside = path.with_extension("new");
    let mut file = BufWriter::new(create_private(&beside)?);
    for record in rooms.records() {
        serde_json::to_writer(&mut file, &record)?;
        file.write_all(b"\n")?;
    }
    let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
    // The name must not point to a file that is not on the disk.
    file.sync_data()?;
    fs::rename(&beside, path)?;
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
    use crate::rooms::{Channel, ClientId, Limits, Name, Notice, Record};

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
        journal.shrink(rooms).expect("shrunk");
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

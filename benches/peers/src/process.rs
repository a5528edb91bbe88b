//! Servers in processes of their own, so that their CPU time and memory can be told from the load generator's.
//!
//! The parent starts this program again, or another build of it, with `--serve`. The child prints the port that it listens on and then answers each
//! line on its standard input with one number: `cpu` with the nanoseconds of CPU time of all its threads, `memory`
//! with its resident bytes, `count` with zero, from where valgrind counts its instructions if it runs there. It ends with `end`, or with its
//! standard input.

use std::error::Error;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, nice, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::clock;
use crate::servers::{self, Contender, Setting};

/// A server that runs until this is dropped.
pub(crate) struct Process {
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
    pub(crate) port: u16,
}

impl Process {
    pub(crate) fn start(contender: Contender<'_>, setting: Setting) -> Result<Self, Box<dyn Error>> {
        let mut command = Command::new(contender.program()?);
        // A path of another length shifts the heap: between two copies of one program that is up to 5 %.
        command.arg0("tidewire-peers");
        Self::spawn(command, contender, setting)
    }

    /// One whose instructions are counted.
    pub(crate) fn start_counted(contender: Contender<'_>, setting: Setting) -> Result<Self, Box<dyn Error>> {
        let mut command = Command::new("valgrind");
        command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
        command.arg(format!("--zero-before=*{COUNT_FROM_HERE}*")).arg(contender.program()?);
        command.stderr(Stdio::piped());
        Self::spawn(command, contender, setting)
    }

    fn spawn(
        mut command: Command,
        contender: Contender<'_>,
        setting: Setting,
    ) -> Result<Self, Box<dyn Error>> {
        // Options that another build may not know break the comparison with it.
        command.args(["--serve", &contender.server.id(), "--workers", &setting.workers.to_string()]);
        command.args(["--buffer-len", &setting.buffer_len.to_string()]);
        if let Some(core) = setting.core {
            command.args(["--core", &core.to_string()]);
        }
        for (name, _) in KEEP_FREED {
            command.env_remove(name);
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let commands = child.stdin.take().expect("piped");
        let answers = BufReader::new(child.stdout.take().expect("piped"));
        let mut process = Self { child, commands, answers, port: 0 };
        process.port = process.answer()?;
        Ok(process)
    }

    /// The CPU time that it has used so far.
    pub(crate) fn cpu(&mut self) -> Result<Duration, Box<dyn Error>> {
        self.commands.write_all(b"cpu\n")?;
        Ok(Duration::from_nanos(self.answer()?))
    }

    /// The bytes of it that are in memory now.
    pub(crate) fn memory(&mut self) -> Result<u64, Box<dyn Error>> {
        self.commands.write_all(b"memory\n")?;
        self.answer()
    }

    /// Counts instructions from here.
    pub(crate) fn count(&mut self) -> Result<(), Box<dyn Error>> {
        self.commands.write_all(b"count\n")?;
        self.answer::<u64>().map(drop)
    }

    /// Ends it, and returns the number of instructions since [`count`](Self::count).
    pub(crate) fn instructions(mut self) -> Result<u64, Box<dyn Error>> {
        self.commands.write_all(b"end\n")?;
        let mut log = String::new();
        self.child.stderr.take().ok_or("it is not counted")?.read_to_string(&mut log)?;
        let count = log.lines().find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok());
        Ok(count.ok_or(log)?)
    }

    fn answer<T: std::str::FromStr<Err: Error + 'static>>(&mut self) -> Result<T, Box<dyn Error>> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        Ok(line.trim().parse()?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may be gone already, and then it has said why.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the child does: serves until the parent closes its standard input.
pub(crate) fn serve(id: &str, setting: Setting) -> Result<(), Box<dyn Error>> {
    let server = servers::all().find(|server| server.id() == id).ok_or("there is no such server")?;
    if let Some(core) = setting.core {
        pin(core)?;
    }
    raise_file_limit()?;
    shift_heap();
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    println!("{}", listener.local_addr()?.port());
    std::thread::spawn(|| {
        answer_parent().expect("a parent that listens");
        std::process::exit(0);
    });
    Ok((server.serve)(listener, setting)?)
}

/// Has the heap of each process begin elsewhere in a page: where buffers lie in theirs decides how fast the kernel copies, and is nobody's merit.
fn shift_heap() {
    // Not the number of the process: those of one contender have the same distance in every round.
    let by = RandomState::new().hash_one(0) as usize % 256 * 16;
    // More than any piece that is free already.
    std::mem::forget(Vec::<u8>::with_capacity((8 << 10) + by));
}

fn answer_parent() -> io::Result<()> {
    for line in io::stdin().lines() {
        match line?.as_str() {
            "cpu" => println!("{}", clock::process_time().as_nanos()),
            "count" => println!("{}", count_from_here()),
            "end" => break,
            _ => println!("{}", resident()?),
        }
    }
    Ok(())
}

/// The name of the function that follows, for valgrind.
const COUNT_FROM_HERE: &str = "count_from_here";

#[inline(never)]
fn count_from_here() -> u64 {
    std::hint::black_box(0)
}

/// The resident bytes of this process.
fn resident() -> io::Result<u64> {
    // Exact, unlike `statm`, whose counters are updated in batches.
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup")?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Rss:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    Ok(kib.ok_or(io::ErrorKind::InvalidData)? << 10)
}

/// What makes the system's allocator keep what is freed, so that whoever needs it next takes no page faults.
const KEEP_FREED: [(&str, &str); 2] =
    [("MALLOC_MMAP_THRESHOLD_", "33554432"), ("MALLOC_TRIM_THRESHOLD_", "1073741824")];

/// Starts this program anew with an allocator that keeps what is freed, unless it is one already. The servers' does not.
pub(crate) fn keep_freed_memory() -> io::Result<()> {
    if std::env::var_os(KEEP_FREED[0].0).is_some() {
        return Ok(());
    }
    Err(Command::new(std::env::current_exe()?).args(std::env::args_os().skip(1)).envs(KEEP_FREED).exec())
}

/// One core for the server and another for the load generator.
pub(crate) fn two_cores() -> Result<(usize, usize), Box<dyn Error>> {
    let allowed = sched_getaffinity(None)?;
    let mut cores = (0..CpuSet::MAX_CPU).filter(|&core| allowed.is_set(core));
    match (cores.next(), cores.next()) {
        (Some(server), Some(load)) => Ok((server, load)),
        _ => Err("this section needs two cores".into()),
    }
}

/// Keeps cores awake until it is dropped. What it takes to put one to sleep and to wake it up is more than all else that a server of one connection
/// does, and never the same.
pub(crate) struct Awake {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Awake {
    /// Starts a thread on each core that has nothing to do, and gives way to whatever has.
    pub(crate) fn keep(cores: impl IntoIterator<Item = usize>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let threads = cores.into_iter().map(|core| {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || {
                // Of this thread alone, on Linux.
                nice(19).expect("a lower priority is always allowed");
                pin(core).expect("a core that may be used");
                // Without a pause, which the host of a virtual machine would notice.
                while !stop.load(Ordering::Relaxed) {}
            })
        });
        Self { threads: threads.collect(), stop }
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.join().expect("no panic");
        }
    }
}

/// Keeps this thread, and those it will start, on one core.
pub(crate) fn pin(core: usize) -> io::Result<()> {
    let mut cores = CpuSet::new();
    cores.set(core);
    Ok(sched_setaffinity(None, &cores)?)
}

/// Runs `work` with this thread on one core, if one is given, and on all that it had before afterwards.
pub(crate) fn pinned<T>(core: Option<usize>, work: impl FnOnce() -> T) -> io::Result<T> {
    let before = sched_getaffinity(None)?;
    core.map_or(Ok(()), pin)?;
    let result = work();
    sched_setaffinity(None, &before)?;
    Ok(result)
}

/// Allows as many open files as may be allowed, and says how many these are.
pub(crate) fn raise_file_limit() -> io::Result<u64> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?;
    Ok(limit.maximum.unwrap_or(u64::MAX))
}

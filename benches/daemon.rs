//! The real daemon: from a rename into the drop directory to the final name, ten thousand files at once, the start, and
//! the cost of idling.
//!
//! `ENROLD_TEST_FSYNC=1 ./test --with cargo bench --bench daemon` measures everything; words after `--` choose:
//! `postgres`, `mariadb`, `sqlite`, `many`, `idle`, and a number of seconds for `idle` (300 by default).

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used)]

mod site;

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use enrold::db::Params;
use site::{Bench, Outcome};

/// Number of timed drops.
const DROPS: usize = 200;
/// Number of files at once.
const MANY: usize = 10_000;

fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let seconds = words.iter().find_map(|word| word.parse().ok()).unwrap_or(300);
    let chosen: Vec<&String> = words.iter().filter(|word| word.parse::<u64>().is_err()).collect();
    let wants = |name: &str| chosen.is_empty() || chosen.iter().any(|word| *word == name);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let folder = tempfile::tempdir()?;
    runtime.block_on(async {
        for engine in ["postgres", "mariadb", "sqlite"].into_iter().filter(|engine| wants(engine)) {
            let bench = Bench::new(engine, folder.path(), 1_000, 10).await?;
            drops(engine, &bench, folder.path())?;
            applied(&bench, DROPS + 1).await?;
            bench.drop().await?;
        }
        for engine in ["sqlite", "postgres"].into_iter().filter(|_| wants("many")) {
            let bench = Bench::new(engine, folder.path(), MANY as i64, 10).await?;
            many(engine, &bench, folder.path())?;
            applied(&bench, MANY).await?;
            bench.drop().await?;
        }
        for engine in ["sqlite", "postgres"].into_iter().filter(|_| wants("idle")) {
            let bench = Bench::new(engine, folder.path(), 1_000, 10).await?;
            idle(engine, &bench, folder.path(), Duration::from_secs(seconds))?;
            bench.drop().await?;
        }
        Ok(())
    })
}

/// Fails unless this many files were applied, each once.
async fn applied(bench: &Bench, files: usize) -> Outcome<()> {
    let mut conn = bench.engine.database.connect().await?;
    let sql = "SELECT COUNT(*) FROM {enrold_run} WHERE kind = 'import' AND state = 'done'";
    let runs = conn.number(sql, &Params::new()).await?;
    conn.close().await;
    assert_eq!(runs, files as i64, "each file is applied once");
    Ok(())
}

/// The daemon and its drop directory; it is killed when the value is dropped.
struct Running {
    child: Child,
    sync: PathBuf,
    ready: Duration,
}

impl Running {
    /// Starts the daemon and waits for READY.
    fn start(bench: &Bench, folder: &Path) -> Outcome<Self> {
        let home = folder.join(format!("daemon{}", enrold::clock::nanos()));
        let sync = home.join("sync");
        std::fs::create_dir_all(&sync)?;
        let socket = UnixDatagram::bind(home.join("notify"))?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_enrold"));
        for (key, value) in
            [("database.url", bench.url.clone()), ("state.path", text(&home)), ("inbox.path", text(&sync))]
        {
            command.arg("--set").arg(format!("{key}={value}"));
        }
        command.arg("run").env("NOTIFY_SOCKET", home.join("notify")).stdout(Stdio::null()).stderr(Stdio::null());
        let begun = Instant::now();
        let child = command.spawn()?;
        let mut buffer = [0; 512];
        loop {
            let length = socket.recv(&mut buffer)?;
            if String::from_utf8_lossy(&buffer[..length]).lines().any(|line| line == "READY=1") {
                break;
            }
        }
        Ok(Self { child, sync, ready: begun.elapsed() })
    }

    /// Drops a file by a rename.
    fn leave(&self, name: &str, content: &str) -> Outcome<()> {
        let hidden = self.sync.join(format!(".{name}"));
        std::fs::write(&hidden, content)?;
        Ok(std::fs::rename(hidden, self.sync.join(name))?)
    }

    fn until_done(&self, name: &str) {
        let done = self.sync.join(format!("{name}.done"));
        while !done.exists() {
            std::thread::sleep(Duration::from_micros(500));
        }
    }

    /// Processor time used so far, in seconds.
    fn processor(&self) -> Outcome<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let after = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let ticks: Vec<f64> =
            after.split_whitespace().skip(11).take(2).filter_map(|field| field.parse().ok()).collect();
        Ok(ticks.iter().sum::<f64>() / 100.0)
    }

    /// A line of `/proc/PID/status`, in MiB.
    fn mebibytes(&self, name: &str) -> Outcome<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        Ok(line.trim_start_matches(':').trim().trim_end_matches(" kB").parse::<f64>().unwrap_or_default() / 1024.0)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// A file of ten lines: one course, ten users.
fn ten_lines(number: usize) -> String {
    let line = |user: usize| format!("add,u{},c{},student\n", (number * 10 + user) % 1_000 + 1, number / 100 + 1);
    format!("operation,username,course,role\n{}", (0..10).map(line).collect::<String>())
}

/// Drops files one by one; each is timed from its rename to its final name, which follows commit and effects.
fn drops(engine: &str, bench: &Bench, folder: &Path) -> Outcome<()> {
    let daemon = Running::start(bench, folder)?;
    daemon.leave("warm.csv", &ten_lines(0))?;
    daemon.until_done("warm.csv");
    let mut took = Vec::new();
    for number in 0..DROPS {
        let name = format!("e{number}.csv");
        let content = ten_lines(number);
        let begun = Instant::now();
        daemon.leave(&name, &content)?;
        daemon.until_done(&name);
        took.push(begun.elapsed().as_secs_f64() * 1000.0);
    }
    took.sort_by(f64::total_cmp);
    println!(
        "{engine}: READY after {:.0} ms; {DROPS} drops of 10 lines, rename to .done: p50 {:.0} ms, p99 {:.0} ms, worst {:.0} ms",
        daemon.ready.as_secs_f64() * 1000.0,
        took[DROPS / 2],
        took[DROPS * 99 / 100],
        took[DROPS - 1],
    );
    Ok(())
}

/// Ten thousand files of one line, at once.
fn many(engine: &str, bench: &Bench, folder: &Path) -> Outcome<()> {
    let daemon = Running::start(bench, folder)?;
    let begun = Instant::now();
    for number in 0..MANY {
        daemon.leave(&format!("m{number:05}.csv"), &format!("add,student,n{},ic{}\n", number + 1, number % 10 + 1))?;
    }
    let dropped = begun.elapsed().as_secs_f64();
    for number in (0..MANY).rev() {
        daemon.until_done(&format!("m{number:05}.csv"));
    }
    println!(
        "{engine}: {MANY} files dropped in {dropped:.1} s, all done after {:.1} s; {:.1} s of processor, resident at most {:.1} MiB",
        begun.elapsed().as_secs_f64(),
        daemon.processor()?,
        daemon.mebibytes("VmHWM")?,
    );
    Ok(())
}

/// Measures the daemon without work.
fn idle(engine: &str, bench: &Bench, folder: &Path, time: Duration) -> Outcome<()> {
    let daemon = Running::start(bench, folder)?;
    // The first start runs every task once.
    std::thread::sleep(Duration::from_secs(5));
    let before = daemon.processor()?;
    std::thread::sleep(time);
    let used = daemon.processor()? - before;
    println!(
        "{engine}: idle for {} s: {used:.2} s of processor ({:.3} %), resident {:.1} MiB",
        time.as_secs(),
        100.0 * used / time.as_secs_f64(),
        daemon.mebibytes("VmRSS")?,
    );
    Ok(())
}

//! A view with very many rows, on a small site: the set is held, and the memory of the program does not grow with it.
//! It must not measure time.

use std::process::{Command, Stdio};

use enrold::db::Dialect;
use enrold::outcome::PROBLEMS_SHOWN;

use crate::servers::run_on;
use crate::set_faults::night;
use crate::site::Site;

/// Rows of the flood, unless `ENROLD_TEST_ROWS` sets a number (2,000,000 take a minute).
const ROWS: u64 = 60_000;

#[test]
fn a_flood_of_rows_is_held_in_constant_memory() {
    run_on(Dialect::Postgres, a_flood_is_held);
}

async fn a_flood_is_held(mut site: Site) {
    let program = night(&mut site).await;
    let before = site.dump().await;
    let rows = std::env::var("ENROLD_TEST_ROWS").ok().and_then(|text| text.parse().ok()).unwrap_or(ROWS);
    let mut peaks = Vec::new();
    // First rows with unknown users, then as many with users of the site in unknown courses.
    for (name, of) in [("'x' || n", rows / 10), ("'x' || n", rows), ("'u' || (n % 9 + 1)", rows)] {
        site.view(&format!("SELECT {name} AS who, 'nowhere' || n AS place FROM generate_series(1, {of}) n")).await;
        let (code, peak, out) = peak_kib(&mut program.command(&["--json", "sync", "night"]));
        let report: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!((code, &report["state"], &report["lines"]["failed"]), (3, &"held".into(), &of.into()), "{out}");
        let breaches: Vec<&str> =
            report["breaches"].as_array().unwrap().iter().filter_map(|breach| breach["what"].as_str()).collect();
        assert_eq!(breaches, ["unknown", "more-rows"]);
        assert!(report["problems"].as_array().unwrap().len() <= PROBLEMS_SHOWN, "the report stays small");
        site.nothing_changed(&before, name).await;
        eprintln!("{of} rows: {peak} KiB");
        peaks.push(peak);
    }
    assert!(peaks[1].max(peaks[2]) < peaks[0] + 16 * 1_024, "KiB for a tenth, all, all of known people: {peaks:?}");
    site.view("SELECT who, place FROM records").await;
    program.run(&["sync", "night"]).ends(0);
    site.nothing_changed(&before, "the good night after it").await;
}

/// Exit code, peak memory and answer of a command. The kernel's high-water mark is polled until the end.
fn peak_kib(command: &mut Command) -> (i32, u64, String) {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    let answer = std::thread::spawn(move || std::io::read_to_string(&mut out).unwrap());
    let (status, mut peak) = (format!("/proc/{}/status", child.id()), 0);
    loop {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let mark = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak = mark.and_then(|mark| mark.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(peak);
        if let Some(ended) = child.try_wait().unwrap() {
            return (ended.code().unwrap(), peak, answer.join().unwrap());
        }
        std::thread::park_timeout(std::time::Duration::from_millis(10));
    }
}

//! The daemon is killed by SIGKILL at random moments while files are dropped: 200 times, or `ENROLD_TEST_KILLS` times
//! on SQLite, a fifth of it on the servers. It must not know the steps of a file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::time::Duration;
use std::time::SystemTime;

use enrold::db::{Dialect, Params};
use sha2::{Digest, Sha256};

use crate::kill::at_once;
use crate::program::Program;
use crate::running::{Running, names};
use crate::servers::on_each_database;
use crate::site::{NOW, Site};

on_each_database!(random_kills_lose_nothing_and_double_nothing);

async fn random_kills_lose_nothing_and_double_nothing(mut site: Site) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seed = number("ENROLD_TEST_SEED").unwrap_or(0);
    let kills = number("ENROLD_TEST_KILLS").unwrap_or(200);
    let kills = if site.conn.dialect() == Dialect::Lite { kills } else { kills / 5 };
    eprintln!("{kills} kills, ENROLD_TEST_SEED={seed}");
    let mut storm = Storm::begin(&mut site, seed).await;
    for kill in 0..kills as i64 {
        let mut daemon = storm.program.at(NOW + kill * 60).start();
        let calm = storm.chance.below(3) > 0;
        if calm {
            // All work is done, then a file is dropped: the kill hits its processing.
            storm.wait(&mut site, &mut daemon);
        }
        for _ in 0..storm.chance.below(3) + u64::from(calm) {
            storm.drop_one();
        }
        // Otherwise the kill hits the start, or the processing of what the previous kill left.
        let moment = storm.chance.below(if calm { 60_000 } else { 150_000 });
        std::thread::sleep(Duration::from_micros(moment));
        daemon.kill();
    }
    let mut last = storm.program.at(NOW + kills as i64 * 60).start();
    storm.wait(&mut site, &mut last);
    last.stop();
    storm.proves(&mut site).await;
}

/// Pseudo-random numbers from a seed (SplitMix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// The feeding system: the dropped files, and the expected site after each was applied once, in order.
struct Storm {
    program: Program,
    chance: Chance,
    dropped: Vec<(String, String)>,
    enrolled: BTreeSet<(u64, u64)>,
}

impl Storm {
    async fn begin(site: &mut Site, seed: u64) -> Self {
        site.campus().await;
        site.setting("unenrolaction", Some("0")).await;
        site.instance("flatfile", 1, 0, "student").await;
        let program = Program::on(site);
        std::fs::create_dir(program.dir.join("spool")).unwrap();
        let spool = format!("hook.spool={}", program.dir.join("spool").display());
        let program = program
            .set(&spool)
            .set("inbox.settle=0")
            .set("retention.reports_days=0")
            .set("run.effect_rows=1")
            .set("guard.mode=off");
        Self { program, chance: Chance(seed), dropped: Vec::new(), enrolled: BTreeSet::new() }
    }

    /// Drops a file, sometimes under an earlier name, sometimes with the bytes of an earlier one. A second application
    /// of an earlier file would revert what a later one did to the same few users.
    fn drop_one(&mut self) {
        let at = self.dropped.len();
        let again = at > 0 && self.chance.below(5) == 0;
        let text = if again {
            let earlier = self.chance.below(at as u64) as usize;
            self.dropped[earlier].1.clone()
        } else {
            self.lines(at)
        };
        let usual = self.program.inbox().join("enrols.csv");
        let name = if self.chance.below(3) == 0 && !usual.exists() {
            "enrols.csv".to_owned()
        } else {
            format!("enrols-{at}.csv")
        };
        let marked = self.chance.below(4) == 0;
        self.apply(&text);
        let hidden = self.program.inbox().join(".sending");
        std::fs::write(&hidden, &text).unwrap();
        // The file clock has a coarse resolution: the order of files must not depend on it.
        let moment = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW as u64 + at as u64);
        File::options().write(true).open(&hidden).unwrap().set_modified(moment).unwrap();
        if marked {
            self.program.drop_file(&format!("{name}.ok"), "");
        }
        std::fs::rename(hidden, self.program.inbox().join(&name)).unwrap();
        self.dropped.push((name, text));
    }

    fn lines(&mut self, at: usize) -> String {
        let mut text = String::new();
        let mut named = BTreeSet::new();
        for _ in 0..=self.chance.below(4) {
            let (who, whither) = (1 + self.chance.below(9), 1 + self.chance.below(3));
            if named.insert((who, whither)) {
                let operation = if self.chance.below(5) < 3 { "add" } else { "del" };
                text += &format!("{operation},student,u{who},c{whither}\n");
            }
        }
        if self.chance.below(3) == 0 {
            text += &format!("add,student,nobody{at},c1\n");
        }
        text
    }

    fn apply(&mut self, text: &str) {
        for line in text.lines().filter(|line| !line.contains("nobody")) {
            let parts: Vec<&str> = line.split(',').collect();
            let pair = (parts[2][1..].parse().unwrap(), parts[3][1..].parse().unwrap());
            if parts[0] == "add" {
                self.enrolled.insert(pair);
            } else {
                self.enrolled.remove(&pair);
            }
        }
    }

    /// Waits until every file has its final name and no work is left.
    fn wait(&self, site: &mut Site, daemon: &mut Running) {
        daemon.until_logged("this daemon leads");
        let inbox = self.program.inbox();
        daemon.until("the end of all files", || {
            let names = names(&inbox);
            let done = names.iter().filter(|name| is_done(name)).count();
            done == self.dropped.len() && !names.iter().any(|name| name == "lock.txt") && at_once(site.is_quiet())
        });
    }

    async fn proves(&self, site: &mut Site) {
        let inbox = self.program.inbox();
        let sql = "SELECT source, sha256 FROM {enrold_run} WHERE kind = 'import' AND state IN ('done', 'done-with-errors') ORDER BY id";
        let rows = site.conn.rows(sql, &Params::new()).await.unwrap();
        let applied: Vec<(String, String)> = rows.iter().map(|row| (row.text(0), row.text(1))).collect();
        let path = |name: &str| inbox.join(name).display().to_string();
        let dropped: Vec<(String, String)> =
            self.dropped.iter().map(|(name, text)| (path(name), digest(text))).collect();
        let strange = applied.iter().zip(&dropped).position(|(one, other)| one != other);
        if let Some(at) = strange.or((applied.len() != dropped.len()).then_some(applied.len().min(dropped.len()))) {
            let near = |runs: &[(String, String)]| {
                format!("{:#?}", runs.iter().skip(at.saturating_sub(2)).take(6).collect::<Vec<_>>())
            };
            let (applied, dropped) = (near(&applied), near(&dropped));
            panic!("each drop is applied once, in turn; not so at {at}: applied {applied}, dropped {dropped}");
        }
        let enrolled: Vec<String> =
            self.enrolled.iter().map(|(who, whither)| format!("u{who} c{whither} student")).collect();
        assert_eq!(site.enrolled_as().await, enrolled);
        site.each_drop_once(self.dropped.len()).await;
        site.one_spooled_for_each_run(&self.program.dir.join("spool")).await;
        self.directory_is_tidy();
        let sql = "SELECT COUNT(CASE WHEN state = 'interrupted' THEN 1 END), COUNT(*) FROM {enrold_run}";
        let runs = site.conn.row(sql, &Params::new()).await.unwrap().unwrap();
        eprintln!("{} drops, {} runs, {} of them interrupted", self.dropped.len(), runs.int(1), runs.int(0));
    }

    /// Each drop has its file and its report, failed ones both lists, and there are no other files.
    fn directory_is_tidy(&self) {
        let mut found: BTreeMap<&str, usize> = BTreeMap::new();
        for name in names(&self.program.inbox()) {
            let endings = [".ok.done", ".report.json", ".errors.csv", ".retry.csv"];
            let ending = endings.into_iter().find(|ending| name.ends_with(ending) || name.contains(".ok.done."));
            let sort = ending.or(is_done(&name).then_some(".done"));
            *found.entry(sort.unwrap_or_else(|| panic!("{name} is left over"))).or_default() += 1;
        }
        let failed = self.dropped.iter().filter(|(_, text)| text.contains("nobody")).count();
        let count = |ending: &str| found.get(ending).copied().unwrap_or_default();
        assert_eq!(count(".done"), self.dropped.len());
        assert_eq!(count(".report.json"), self.dropped.len());
        assert!(count(".errors.csv") >= failed, "{found:?}, {failed} with a line that fails");
        assert_eq!(count(".errors.csv"), count(".retry.csv"));
    }
}

fn is_done(name: &str) -> bool {
    (name.ends_with(".done") || name.contains(".done.")) && !name.contains(".ok.done")
}

fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

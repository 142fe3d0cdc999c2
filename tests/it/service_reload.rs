//! SIGHUP: what a changed configuration changes in a running daemon, what is refused, what needs a restart.
//! It must not test the configuration's layers.

use std::path::Path;
use std::process::Stdio;

use crate::outside::enrols;
use crate::program::{Program, on_the_sample};
use crate::running::Running;

fn write_config(program: &Program, inbox: &Path, more: &str) {
    program.write("enrold.toml", format!("inbox.path = '{}'\n{more}", inbox.display()));
}

/// A daemon with a configuration file, without higher-ranking settings of the test.
fn start(program: &Program) -> Running {
    let config = program.dir.join("enrold.toml");
    let mut daemon = program.spawn(&["--config", &config.display().to_string(), "run"], Stdio::null());
    daemon.until_logged("run 1, sync flatfile");
    daemon
}

#[test]
fn a_changed_configuration_takes_effect() {
    on_the_sample(async |mut site, program| {
        let old = program.inbox();
        let new = program.dir.join("elsewhere");
        std::fs::create_dir(&new).unwrap();
        write_config(&program, &old, "inbox.settle = 3600\nlog.level = 'info'\n");
        let mut daemon = start(&program);
        // With the old settings, it would settle for an hour.
        std::fs::write(new.join("one.csv"), enrols(0)).unwrap();
        let more = "inbox.settle = 0\nlog.level = 'debug'\nguard.hold_empty = false\ninbox.done_mode = 'delete'\ntasks.retention.schedule = '* * * * *'\n";
        write_config(&program, &new, more);
        daemon.signal("HUP");
        daemon.until_logged("the configuration is read anew");
        daemon.until("one.csv in the new directory", || new.join("one.csv.report.json").exists());
        daemon.until("its end", || !new.join("one.csv").exists());
        std::fs::write(new.join("empty.csv"), "").unwrap();
        daemon.until("an empty file that is not held", || new.join("empty.csv.report.json").exists());
        assert!(!new.join("empty.csv.held").exists());
        // Nothing is logged from now on: the new drop directory shows that the configuration was read.
        let last = program.dir.join("last");
        std::fs::create_dir(&last).unwrap();
        std::fs::write(last.join("nothing.csv"), "").unwrap();
        write_config(&program, &last, "log.level = 'error'\nguard.mode = 'hold'\n");
        daemon.signal("HUP");
        daemon.until("an empty file that is held", || last.join("nothing.csv.held").exists());
        let log = daemon.stop();
        assert!(!log.contains("nothing.csv"), "{log}");
        assert_eq!(site.applied().await.0, 1);
    });
}

/// At its start, the daemon waits for a database that accepts the connection but does not answer.
#[test]
fn a_reload_during_the_start_is_not_lost() {
    let dir = tempfile::tempdir().unwrap();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("database.url=postgres://nobody@{}/moodle", silent.local_addr().unwrap());
    let mut daemon = Program::bare(dir.path()).set(&url).start();
    let connection = silent.accept().unwrap();
    daemon.signal("HUP");
    drop((connection, silent));
    daemon.until_logged("the configuration is read anew");
}

#[test]
fn a_broken_configuration_changes_nothing() {
    on_the_sample(async |_, program| {
        let inbox = program.inbox();
        write_config(&program, &inbox, "");
        let mut daemon = start(&program);
        write_config(&program, Path::new("/nowhere"), "inbox.settle = 'long'\nguard.mode = 'perhaps'\nno.such = 1\n");
        daemon.signal("HUP");
        for problem in
            ["the configuration is not read anew, the old one stays in force", "inbox.settle", "guard.mode", "no"]
        {
            daemon.until_logged(problem);
        }
        program.drop_file("one.csv", enrols(0));
        daemon.until_there("one.csv.done");
        daemon.stop();
    });
}

/// Logged again at each reload for as long as it applies.
#[test]
fn what_needs_a_restart_is_told() {
    on_the_sample(async |_, program| {
        let inbox = program.inbox();
        write_config(&program, &inbox, "");
        let mut daemon = start(&program);
        let more =
            "http.listen = '127.0.0.1:1'\nrun.lock_timeout = 5\ndatabase.connect_timeout = 3\nlog.format = 'json'\n";
        write_config(&program, &inbox, more);
        for times in 1..3 {
            daemon.signal("HUP");
            daemon.until_logged_often(
                times,
                "database.connect_timeout, run.lock_timeout, http.listen, log.format changed: this needs a restart",
            );
        }
        write_config(&program, &inbox, "");
        daemon.signal("HUP");
        daemon.until_logged_often(3, "the configuration is read anew");
        program.drop_file("one.csv", enrols(0));
        daemon.until_there("one.csv.done");
        let log = daemon.stop();
        assert_eq!(log.matches("needs a restart").count(), 2, "{log}");
    });
}

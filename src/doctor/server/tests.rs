//! Tests every judgement about a server without a server.

use super::*;
use crate::doctor::Level;

fn level(dialect: Dialect, version: &str) -> Level {
    Version::read(dialect, version).finding().level
}

#[test]
fn versions_are_tested_expected_to_work_or_too_old() {
    let cases = [
        (Dialect::Postgres, "15.18 (Debian 15.18-0+deb12u1)", Level::Ok),
        (Dialect::Postgres, "12.1", Level::Warning),
        (Dialect::Postgres, "17beta1", Level::Warning),
        (Dialect::Postgres, "11.22", Level::Error),
        (Dialect::Maria, "10.11.19-MariaDB-0+deb12u1-log", Level::Ok),
        (Dialect::Maria, "10.6.0-MariaDB", Level::Warning),
        (Dialect::Maria, "11.4.2-MariaDB", Level::Warning),
        (Dialect::Maria, "10.5.29-MariaDB", Level::Error),
        (Dialect::Maria, "8.0.31", Level::Warning),
        (Dialect::Maria, "8.4.0", Level::Warning),
        (Dialect::Maria, "8.0.30-commercial", Level::Error),
        (Dialect::Lite, "3.46.0", Level::Ok),
    ];
    for (dialect, version, expected) in cases {
        assert_eq!(level(dialect, version), expected, "{version}");
    }
}

fn judged(pairs: &[(&str, &str)]) -> Vec<(Level, &'static str)> {
    let mut variables: Variables =
        [("transaction_isolation", "READ-COMMITTED")].map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    variables.extend(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    of_variables(&variables).iter().map(|finding| (finding.level, finding.code)).collect()
}

#[test]
fn statement_logs_refuse_read_committed() {
    assert!(judged(&[("log_bin", "ON"), ("binlog_format", "STATEMENT")]).contains(&(Level::Error, "binlog-format")));
    for harmless in
        [[("log_bin", "OFF"), ("binlog_format", "STATEMENT")], [("log_bin", "ON"), ("binlog_format", "MIXED")]]
    {
        assert_eq!(judged(&harmless), [(Level::Ok, "isolation")]);
    }
}

#[test]
fn a_cluster_is_told_with_its_limits() {
    let on = [
        ("wsrep_on", "ON"),
        ("wsrep_cluster_size", "3"),
        ("wsrep_max_ws_rows", "0"),
        ("wsrep_max_ws_size", "2147483647"),
    ];
    assert!(judged(&on).contains(&(Level::Warning, "galera")));
    let variables: Variables = on.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let findings = of_variables(&variables);
    let galera = findings.iter().find(|finding| finding.code == "galera").unwrap();
    assert!(galera.en.found.contains("3 nodes") && galera.fr.found.contains("2147483647 octets"));
    assert!(!judged(&[("wsrep_on", "OFF")]).iter().any(|(_, code)| *code == "galera"));
}

#[test]
fn a_replica_and_another_isolation_cannot_work() {
    assert!(judged(&[("read_only", "ON")]).contains(&(Level::Error, "read-only")));
    assert!(judged(&[("transaction_isolation", "REPEATABLE-READ")]).contains(&(Level::Error, "isolation")));
}

#[test]
fn the_lock_mode_of_numbers_is_explained() {
    assert!(judged(&[("innodb_autoinc_lock_mode", "0")]).contains(&(Level::Warning, "autoinc")));
    assert!(judged(&[("innodb_autoinc_lock_mode", "1")]).contains(&(Level::Ok, "autoinc")));
    assert_eq!(judged(&[("innodb_autoinc_lock_mode", "2")]), [(Level::Ok, "isolation")]);
}

#[test]
fn clocks_may_differ_by_five_seconds() {
    assert_eq!(clock_finding(5).level, Level::Ok);
    assert_eq!(clock_finding(-5).level, Level::Ok);
    assert!(clock_finding(6).en.found.contains("6 s ahead of"));
    assert!(clock_finding(-90).fr.found.contains("90 s en retard sur"));
    assert_eq!(clock_finding(-90).level, Level::Warning);
}

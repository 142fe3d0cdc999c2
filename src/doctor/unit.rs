//! Finds the service that reads the same configuration, and says whether this process has its account and its sandbox.
//! It must not read the settings of the unit, nor judge what they allow.

use std::fs;
use std::path::{Path, PathBuf};

use crate::doctor::finding::{Finding, words};

/// Where units are installed, below the root directory.
const UNITS: [&str; 4] =
    ["etc/systemd/system", "usr/local/lib/systemd/system", "usr/lib/systemd/system", "lib/systemd/system"];

/// A service of enrold that is installed on this host.
pub(super) struct Unit {
    name: String,
    /// The command that examines with its account and its sandbox.
    command: String,
}

/// The service that reads these files, as `--config` names them, below `/etc/enrold/enrold.toml`; `None` if it is not
/// installed, or if no service reads them.
pub(super) fn of(root: &Path, files: &[PathBuf]) -> Option<Unit> {
    let site = match files {
        [] => None,
        [file] => Some(file.strip_prefix("/etc/enrold").ok()?.to_str()?.strip_suffix(".toml")?),
        _ => return None,
    };
    let is_installed = |file: &str| UNITS.iter().any(|dir| root.join(dir).join(file).exists());
    let (name, file, command) = match site.filter(|site| *site != "enrold") {
        None => ("enrold.service".to_owned(), "enrold.service", "enroldctl doctor".to_owned()),
        Some(site) => (format!("enrold@{site}.service"), "enrold@.service", format!("enroldctl -s {site} doctor")),
    };
    is_installed(file).then_some(Unit { name, command })
}

impl Unit {
    /// Whether this process has the account and the sandbox of the service: systemd has started it in the unit itself,
    /// or `enroldctl` with the settings of the unit.
    pub(super) fn finding(&self, root: &Path) -> Finding {
        let name = &self.name;
        // What cannot be read names no unit.
        let groups = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
        let mut units = groups.lines().filter_map(|line| line.rsplit('/').next());
        if units.any(|unit| unit == name || unit.starts_with("enroldctl-")) {
            return Finding::ok(
                "service",
                words(format!("examined with the account and the sandbox of {name}"), ""),
                words(format!("examiné avec le compte et le bac à sable de {name}"), ""),
            );
        }
        let command = &self.command;
        Finding::warning(
            "service",
            words(
                format!(
                    "{name} has an account and a sandbox of its own (User=, ProtectSystem=, ReadWritePaths=): what is \
                     said here of directories, secrets and the database holds for this account in this shell only"
                ),
                format!("as root: '{command}'"),
            ),
            words(
                format!(
                    "{name} a un compte et un bac à sable à lui (User=, ProtectSystem=, ReadWritePaths=) : ce qui est \
                     dit ici des répertoires, des secrets et de la base ne vaut que pour ce compte, dans ce shell"
                ),
                format!("en tant que root : « {command} »"),
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Level;

    fn host(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        dir
    }

    #[test]
    fn the_service_is_the_one_that_reads_the_same_configuration() {
        let both = host(&[("usr/lib/systemd/system/enrold.service", ""), ("etc/systemd/system/enrold@.service", "")]);
        let found = |host: &tempfile::TempDir, files: &[&str]| {
            let files: Vec<PathBuf> = files.iter().map(PathBuf::from).collect();
            of(host.path(), &files).map(|unit| [unit.name, unit.command])
        };
        let named = |name: &str, command: &str| Some([name.to_owned(), command.to_owned()]);
        let single = named("enrold.service", "enroldctl doctor");
        assert_eq!(found(&both, &[]), single);
        assert_eq!(found(&both, &["/etc/enrold/enrold.toml"]), single);
        assert_eq!(found(&both, &["/etc/enrold/law.toml"]), named("enrold@law.service", "enroldctl -s law doctor"));
        for files in [&["demo/enrold.toml"][..], &["/etc/enrold/a.toml", "/etc/enrold/b.toml"]] {
            assert_eq!(found(&both, files), None, "{files:?}");
        }
        let single = host(&[("lib/systemd/system/enrold.service", "")]);
        assert_eq!(found(&single, &["/etc/enrold/law.toml"]), None);
        assert_eq!(found(&host(&[]), &[]), None);
    }

    #[test]
    fn a_process_is_of_the_service_by_its_control_group() {
        for (group, level) in [
            ("0::/system.slice/enrold.service\n", Level::Ok),
            ("0::/system.slice/enroldctl-4711.service\n", Level::Ok),
            ("1:name=systemd:/system.slice/enrold.service\n0::/\n", Level::Ok),
            ("0::/system.slice/system-enrold.slice/enrold@law.service\n", Level::Warning),
            ("0::/user.slice/user-0.slice/session-1.scope\n", Level::Warning),
            ("", Level::Warning),
        ] {
            let host = host(&[("etc/systemd/system/enrold.service", ""), ("proc/self/cgroup", group)]);
            let finding = of(host.path(), &[]).unwrap().finding(host.path());
            assert_eq!(finding.level, level, "{group}");
            assert_eq!(finding.en.todo.contains("'enroldctl doctor'"), level == Level::Warning, "{group}");
        }
    }
}

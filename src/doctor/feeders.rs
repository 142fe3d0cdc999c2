//! Checks whether the drop directory has the group and the mode by which feeders leave files there.
//! It must not change them, nor ask who the feeders are.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::doctor::finding::{Finding, words};

/// Where tmpfiles.d(5) has its files, below the root directory: one in an earlier directory replaces those of its name.
const TMPFILES: [&str; 4] = ["etc/tmpfiles.d", "run/tmpfiles.d", "usr/local/lib/tmpfiles.d", "usr/lib/tmpfiles.d"];

/// The group that stands for all that a user namespace (`PrivateUsers=`) does not have.
const HIDDEN: u32 = 65_534;

/// A set group identifier, and the rights of a group to list, enter and write.
const OF_FEEDERS: u32 = 0o2070;

/// The group and the mode that systemd-tmpfiles gives a directory.
struct Line {
    /// The file with the line.
    file: PathBuf,
    group: String,
    /// `None` if an existing directory keeps its mode.
    mode: Option<u32>,
}

/// Compares the drop directory with the line of systemd-tmpfiles for it. Without one it is checked below `state`, the
/// state directory of a service, which systemd gives to the service as a whole; `None` for any other.
pub(super) fn examine(root: &Path, inbox: &Path, state: Option<&Path>) -> Option<Finding> {
    // A missing directory has a finding of its own.
    let found = fs::metadata(inbox).ok()?;
    match line_of(root, inbox) {
        Ok(Some(line)) => line.broken(root, inbox, &found),
        Ok(None) => state.filter(|state| inbox.starts_with(state)).and_then(|state| without_line(inbox, state, &found)),
        Err(error) => Some(Finding::warning(
            "inbox-group",
            words(
                format!("what systemd-tmpfiles does with inbox.path = {} is not known: {error}", inbox.display()),
                "let the account that runs enrold read the files of tmpfiles.d",
            ),
            words(
                format!("on ne sait pas ce que systemd-tmpfiles fait de inbox.path = {} : {error}", inbox.display()),
                "laissez le compte qui exécute enrold lire les fichiers de tmpfiles.d",
            ),
        )),
    }
}

/// The first line for the directory, by the names of the files.
fn line_of(root: &Path, inbox: &Path) -> io::Result<Option<Line>> {
    let mut files = BTreeMap::new();
    for dir in TMPFILES {
        let entries = match fs::read_dir(root.join(dir)) {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "conf") {
                files.entry(path.file_name().map(ToOwned::to_owned)).or_insert(path);
            }
        }
    }
    for file in files.into_values() {
        let text = fs::read(&file)?;
        let found = String::from_utf8_lossy(&text).lines().find_map(|line| parsed(line, inbox));
        if let Some((mode, group)) = found {
            return Ok(Some(Line { file, group, mode }));
        }
    }
    Ok(None)
}

/// Mode and group of a line that creates this directory.
fn parsed(line: &str, inbox: &Path) -> Option<(Option<u32>, String)> {
    let mut fields = line.split_whitespace();
    let kind = fields.next()?;
    if !kind.starts_with(['d', 'D', 'e', 'v', 'q', 'Q']) || Path::new(fields.next()?) != inbox {
        return None;
    }
    let given = |field: Option<&str>, unset: &str| match field {
        None | Some("-") => unset.to_owned(),
        Some(text) => text.to_owned(),
    };
    // ":" and "~" before a mode keep that of a directory that exists, or a part of it.
    let mode = u32::from_str_radix(&given(fields.next(), "0755"), 8).ok();
    Some((mode, given(fields.nth(1), "root")))
}

/// The groups of the host, by number.
fn groups(root: &Path) -> BTreeMap<u32, String> {
    // Groups that it does not have are shown as numbers, and not compared.
    let text = fs::read_to_string(root.join("etc/group")).unwrap_or_default();
    let group = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        Some((fields.nth(1)?.parse().ok()?, name.to_owned()))
    };
    text.lines().filter_map(group).collect()
}

fn mode(found: &Metadata) -> u32 {
    found.mode() & 0o7777
}

impl Line {
    fn broken(&self, root: &Path, inbox: &Path, found: &Metadata) -> Option<Finding> {
        let groups = groups(root);
        let is_known = found.gid() != HIDDEN && groups.values().any(|name| *name == self.group);
        let group = groups.get(&found.gid()).cloned().unwrap_or_else(|| found.gid().to_string());
        let has_mode = self.mode.is_none_or(|mode| mode == self::mode(found));
        if has_mode && (!is_known || group == self.group) {
            return None;
        }
        let (dir, file) = (inbox.display(), self.file.display());
        let has = format!("{group} {:04o}", mode(found));
        let set = self.mode.map_or_else(|| self.group.clone(), |mode| format!("{} {mode:04o}", self.group));
        let command = format!("systemd-tmpfiles --create {file}");
        Some(Finding::warning(
            "inbox-group",
            words(
                format!(
                    "inbox.path = {dir} has another group and mode ({has}) than {file} gives it ({set}): feeders may \
                     not be able to leave files there, or enrold to read them. systemd gives all of a StateDirectory= \
                     to the service when the owner of that directory is not User="
                ),
                command.clone(),
            ),
            words(
                format!(
                    "inbox.path = {dir} a un autre groupe et un autre mode ({has}) que ceux que lui donne {file} \
                     ({set}) : ceux qui déposent ne peuvent peut-être plus y écrire, ou enrold lire leurs fichiers. \
                     systemd donne tout un StateDirectory= au service quand le propriétaire de ce répertoire n'est \
                     pas User="
                ),
                command,
            ),
        ))
    }
}

fn without_line(inbox: &Path, state: &Path, found: &Metadata) -> Option<Finding> {
    let of_service = fs::metadata(state).ok()?.gid();
    let (mode, dir) = (mode(found), inbox.display());
    if mode & 0o002 != 0 || (found.gid() != of_service && mode & OF_FEEDERS == OF_FEEDERS) {
        return None;
    }
    let line = format!("d {dir} 2770 enrold enrold-drop -");
    Some(Finding::warning(
        "inbox-group",
        words(
            format!(
                "inbox.path = {dir} has the group of state.path, or the mode {mode:04o}: feeders cannot leave files \
                 there that enrold can read"
            ),
            format!(
                "give it the group of the feeders by a line in /etc/tmpfiles.d/enrold-drop.conf, '{line}', and \
                 'systemd-tmpfiles --create enrold-drop.conf'"
            ),
        ),
        words(
            format!(
                "inbox.path = {dir} a le groupe de state.path, ou le mode {mode:04o} : ceux qui déposent ne peuvent \
                 pas y laisser de fichiers qu'enrold puisse lire"
            ),
            format!(
                "donnez-lui le groupe de ceux qui déposent par une ligne dans /etc/tmpfiles.d/enrold-drop.conf, \
                 « {line} », et « systemd-tmpfiles --create enrold-drop.conf »"
            ),
        ),
    ))
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A host whose drop directory has the group of the account of the test, by the name `mine`.
    struct Host(tempfile::TempDir);

    impl Host {
        fn new(mode: u32) -> Self {
            let host = Self(tempfile::tempdir().unwrap());
            fs::create_dir_all(host.inbox()).unwrap();
            fs::set_permissions(host.inbox(), Permissions::from_mode(mode)).unwrap();
            let gid = fs::metadata(host.inbox()).unwrap().gid();
            host.file("etc/group", &format!("mine:x:{gid}:\nenrold-drop:x:{}:\n", gid + 1))
        }

        fn inbox(&self) -> PathBuf {
            self.0.path().join("state/sync")
        }

        /// With a file, in which `INBOX` stands for the drop directory.
        fn file(self, path: &str, text: &str) -> Self {
            let to = self.0.path().join(path);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::write(to, text.replace("INBOX", &self.inbox().display().to_string())).unwrap();
            self
        }

        /// What is found, without the path of the root.
        fn found(&self, is_service: bool) -> Option<[String; 2]> {
            let state = self.0.path().join("state");
            let finding = examine(self.0.path(), &self.inbox(), is_service.then_some(&*state))?;
            Some([finding.en.found, finding.en.todo].map(|text| text.replace(self.0.path().to_str().unwrap(), "")))
        }
    }

    #[test]
    fn the_group_and_the_mode_are_those_of_tmpfiles() {
        let conf = "usr/lib/tmpfiles.d/enrold.conf";
        for (mode, line, expected) in [
            (0o2770, "d INBOX 2770 enrold mine -", None),
            (0o2770, "d! INBOX 2770 enrold mine", None),
            (0o755, "d INBOX - enrold mine", None),
            (0o2770, "d INBOX 2770 enrold enrold-drop -", Some("(mine 2770) than /CONF gives it (enrold-drop 2770)")),
            (0o770, "d INBOX 2770 enrold mine -", Some("(mine 0770) than /CONF gives it (mine 2770)")),
            (0o770, "d INBOX/ 3770 enrold mine -", Some("(mine 0770) than /CONF gives it (mine 3770)")),
            (0o700, "D INBOX :2770 enrold enrold-drop", Some("(mine 0700) than /CONF gives it (enrold-drop)")),
            // A group of another source of accounts is not compared.
            (0o2770, "d INBOX 2770 enrold elsewhere -", None),
            (0o700, "d INBOX/archive 0700 enrold enrold -\n#d INBOX 2770 enrold mine", None),
        ] {
            let found = Host::new(mode).file(conf, &format!("{line}\n")).found(false);
            let expected = expected.map(|text| text.replace("CONF", conf));
            match (&found, &expected) {
                (None, None) => {}
                (Some([found, todo]), Some(expected)) => {
                    assert!(found.contains(expected), "{line}: {found}");
                    assert_eq!(*todo, format!("systemd-tmpfiles --create /{conf}"));
                }
                _ => panic!("{mode:o} {line}: {found:?}"),
            }
        }
    }

    #[test]
    fn a_file_of_the_operator_replaces_the_one_of_its_name() {
        let host = Host::new(0o3770).file("usr/lib/tmpfiles.d/enrold.conf", "d INBOX 2770 enrold mine -\n");
        assert!(host.found(false).is_some());
        let host = host.file("etc/tmpfiles.d/enrold.conf", "d INBOX 3770 enrold mine -\n");
        assert_eq!(host.found(false), None);
        // The first line counts.
        let host = host.file("usr/lib/tmpfiles.d/feeds.conf", "d INBOX 0700 enrold mine -\n");
        assert_eq!(host.found(false), None);
        let host = host.file("usr/lib/tmpfiles.d/drop.conf", "d INBOX 0700 enrold mine -\n");
        assert!(host.found(false).unwrap()[0].contains("than /usr/lib/tmpfiles.d/drop.conf"));
    }

    #[test]
    fn without_a_line_only_what_lies_in_the_state_directory_of_a_service_is_checked() {
        let host = Host::new(0o2770);
        assert_eq!(host.found(false), None);
        let [found, todo] = host.found(true).unwrap();
        assert!(found.contains("inbox.path = /state/sync has the group of state.path, or the mode 2770"), "{found}");
        assert!(todo.contains("'d /state/sync 2770 enrold enrold-drop -'"), "{todo}");
        assert_eq!(Host::new(0o777).found(true), None, "everybody can write there");
    }
}

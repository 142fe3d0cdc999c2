//! What a hostile directory can hold: links, pipes, files that change, names that are paths.
//! It must not need another account.

use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{PermissionsExt, symlink};

use rustix::fs::{FileType, mknodat};
use tempfile::TempDir;

use super::*;
use crate::disk::{TooLarge, is_changed, is_stopped};

struct Place {
    above: TempDir,
    dir: Dir,
}

impl Place {
    /// A directory with `a.csv`, and a secret beside it.
    fn new() -> Self {
        let above = tempfile::tempdir().unwrap();
        std::fs::create_dir(above.path().join("drop")).unwrap();
        std::fs::write(above.path().join("secret"), "S3CRET").unwrap();
        let dir = Dir::open(&above.path().join("drop")).unwrap();
        std::fs::write(dir.join(OsStr::new("a.csv")), "one\ntwo\n").unwrap();
        Self { above, dir }
    }

    fn refused(&self, name: &str) -> String {
        let error = self.dir.open_file(OsStr::new(name)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
        error.to_string()
    }
}

fn a() -> &'static OsStr {
    OsStr::new("a.csv")
}

#[test]
fn only_regular_files_of_the_directory_are_opened_and_nothing_waits() {
    let place = Place::new();
    let path = place.dir.path();
    symlink("../secret", path.join("link")).unwrap();
    symlink("a.csv", path.join("inner")).unwrap();
    symlink("nowhere", path.join("broken")).unwrap();
    mknodat(CWD, path.join("pipe"), FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(path.join("socket")).unwrap();
    std::fs::create_dir(path.join("directory")).unwrap();
    for name in ["link", "inner", "broken"] {
        assert_eq!(place.refused(name), "a symbolic link; put the file itself here");
        // Swapped in after its status was read.
        let opened = place.dir.beneath(OsStr::new(name), OFlags::RDONLY).unwrap_err();
        assert_eq!(opened.kind(), ErrorKind::InvalidInput, "{opened}");
    }
    for name in ["pipe", "socket", "directory"] {
        assert_eq!(place.refused(name), "not a regular file");
        let swapped = place.dir.beneath(OsStr::new(name), OFlags::RDONLY);
        let swapped = swapped.and_then(|fd| RegularFile::new(fd, u64::MAX, CancellationToken::new()));
        assert_eq!(swapped.unwrap_err().kind(), ErrorKind::InvalidInput, "{name}");
    }
    for name in ["../secret", "/etc/passwd", "..", ".", "", "directory/x", "a\0"] {
        assert_eq!(place.refused(name), "no name of a file in a directory");
    }
    let mut read = String::new();
    place.dir.open_file(a()).unwrap().cursor().read_to_string(&mut read).unwrap();
    assert_eq!(read, "one\ntwo\n");
    assert!(place.above.path().join("secret").exists());
}

#[test]
fn without_openat2_links_are_not_followed_either() {
    let place = Place::new();
    symlink("../secret", place.dir.path().join("link")).unwrap();
    symlink("..", place.dir.path().join("up")).unwrap();
    let open = |name: &str, flags| step(&*place.dir.fd, OsStr::new(name), flags | OFlags::NONBLOCK);
    assert!(open("a.csv", OFlags::RDONLY).is_ok());
    assert_eq!(open("link", OFlags::RDONLY).unwrap_err(), Errno::LOOP);
    assert!(matches!(open("up", OFlags::RDONLY | OFlags::DIRECTORY).unwrap_err(), Errno::LOOP | Errno::NOTDIR));
}

#[test]
fn directories_are_made_and_entered_without_links() {
    let place = Place::new();
    let year = place.dir.make_dir(OsStr::new("2026")).unwrap();
    assert_eq!(std::fs::metadata(year.path()).unwrap().permissions().mode() & 0o777, 0o700);
    assert!(place.dir.make_dir(OsStr::new("2026")).is_ok(), "it may be there");
    symlink("..", year.path().join("11")).unwrap();
    assert!(year.open_dir(OsStr::new("11")).is_err());
    assert!(year.make_dir(OsStr::new("11")).is_err());
}

#[test]
fn a_new_file_has_its_mode_and_is_never_written_through_a_link() {
    let place = Place::new();
    symlink("../secret", place.dir.path().join("out")).unwrap();
    let error = place.dir.create_new(OsStr::new("out"), 0o640).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    let made = place.dir.create_new(OsStr::new("made"), 0o666).unwrap();
    assert_eq!(made.metadata().unwrap().permissions().mode() & 0o777, 0o666, "whatever the umask");
    place.dir.rename_over(OsStr::new("made"), OsStr::new("out")).unwrap();
    assert_eq!(std::fs::read(place.above.path().join("secret")).unwrap(), b"S3CRET");
    assert!(place.dir.status(OsStr::new("out")).unwrap().is_file());
    let error = place.dir.rename_new(a(), &place.dir, OsStr::new("out")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
}

#[test]
fn every_pass_says_when_the_bytes_are_others() {
    let place = Place::new();
    let file = place.dir.open_file(a()).unwrap();
    let (sha256, bytes) = file.digest().unwrap();
    assert_eq!(bytes, 8);
    let mut read = String::new();
    file.pass(&sha256).read_to_string(&mut read).unwrap();
    assert_eq!(read, "one\ntwo\n");
    let mut later = file.pass(&sha256);
    later.seek(SeekFrom::Start(4)).unwrap();
    read.clear();
    later.read_to_string(&mut read).unwrap();
    assert_eq!(read, "two\n", "what lies before counts too");
    // The same size; the time of change is set back.
    let path = place.dir.join(a());
    let before = std::fs::metadata(&path).unwrap().modified().unwrap();
    std::fs::write(&path, "one\ntwx\n").unwrap();
    std::fs::File::options().write(true).open(&path).unwrap().set_modified(before).unwrap();
    assert!(file.now().unwrap().stands_as(file.opened()), "sizes and times say nothing");
    assert!(!file.is_still(&sha256).unwrap());
    let mut again = Vec::new();
    assert!(is_changed(&file.pass(&sha256).read_to_end(&mut again).unwrap_err()));
    let mut unfinished = file.pass(&sha256);
    unfinished.read_exact(&mut [0; 2]).unwrap();
    assert!(is_changed(&unfinished.finish().unwrap_err()));
}

#[test]
fn a_name_that_leads_elsewhere_changes_nothing_for_an_open_file() {
    let place = Place::new();
    let file = place.dir.open_file(a()).unwrap();
    let (sha256, _) = file.digest().unwrap();
    std::fs::remove_file(place.dir.join(a())).unwrap();
    symlink("../secret", place.dir.join(a())).unwrap();
    file.verify(&sha256).unwrap();
    assert!(!place.dir.status(a()).unwrap().is_same_file(file.opened()));
}

#[test]
fn a_file_has_a_largest_size_and_reading_can_be_stopped() {
    let place = Place::new();
    let stop = CancellationToken::new();
    let dir = place.dir.clone().bounded(10, &stop);
    let file = dir.open_file(a()).unwrap();
    std::fs::File::options().append(true).open(dir.join(a())).unwrap().write_all(b"three\n").unwrap();
    let grown = file.digest().unwrap_err();
    assert!(TooLarge::of(&grown).is_some(), "{grown}");
    assert!(TooLarge::of(&dir.open_file(a()).unwrap_err()).is_some());
    let large = place.dir.clone().bounded(u64::MAX, &stop).open_file(a()).unwrap();
    stop.cancel();
    assert!(is_stopped(&large.digest().unwrap_err()));
}

//! Receives the system's events about the drop directory: open files, files renamed into place; only this module uses
//! `notify`. It must not decide what is complete, as any event may be missing (network mounts, overflow).

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use notify::event::{AccessKind, AccessMode, CreateKind, ModifyKind, RenameMode};
use notify::{ErrorKind, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;

use super::names::{self, Sort};
use crate::disk::Dir;

/// What the events say about one name.
#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    created: bool,
    open: bool,
    moved: bool,
    told: u64,
}

/// What the events between two scans say about names of the directory; it never grows beyond their number.
#[derive(Clone, Default)]
pub struct Marks(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    marks: HashMap<OsString, Mark>,
    looks: u64,
}

/// One hint about a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It was created.
    Created(OsString),
    /// It was written to.
    Written(OsString),
    /// Its writer closed it.
    Closed(OsString),
    /// It was renamed into place, so its writer has finished.
    Moved(OsString),
    /// We renamed it back to its own name; `true` if there was an event of its writer meanwhile.
    GivenBack(OsString, bool),
    /// It was removed, or renamed away.
    Gone(OsString),
    /// Events were lost: nothing is known any more.
    Lost,
}

impl Marks {
    fn known(&self) -> MutexGuard<'_, Known> {
        // After a panic the marks are still usable: they are only hints.
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Records a hint.
    pub fn hear(&self, heard: Heard) {
        let mut known = self.known();
        let told = known.looks;
        let (name, change): (OsString, fn(&mut Mark)) = match heard {
            Heard::Created(name) => (name, |mark| *mark = Mark { created: true, ..Mark::default() }),
            Heard::Written(name) => (name, |mark| (mark.open, mark.moved) = (true, false)),
            Heard::Closed(name) => (name, |mark| (mark.open, mark.created) = (false, false)),
            Heard::Moved(name) => (name, |mark| *mark = Mark { moved: true, ..Mark::default() }),
            Heard::GivenBack(name, open) => {
                // Nothing shows that it is complete: it must stay unchanged, or its writer must close it.
                known.marks.insert(name, Mark { open, told, ..Mark::default() });
                return;
            }
            Heard::Gone(name) => {
                known.marks.remove(&name);
                return;
            }
            Heard::Lost => return known.marks.clear(),
        };
        let mark = known.marks.entry(name).or_default();
        change(mark);
        mark.told = told;
    }

    /// A scan begins: later events may be about files that it does not see.
    pub(super) fn scan_begins(&self) {
        self.known().looks += 1;
    }

    /// Forgets the marks from before the present scan for names that it did not see. Those of claimed files are kept
    /// until the event of their renaming: such a file may have its own name again before that event, which then moves
    /// the knowledge about its writer to that name.
    pub(super) fn keep(&self, seen: impl Fn(&OsStr) -> bool) {
        let mut known = self.known();
        let now = known.looks;
        let is_claimed = |name: &OsStr| matches!(names::sort(name), Sort::Working(..));
        known.marks.retain(|name, mark| mark.told >= now || seen(name) || is_claimed(name));
    }

    /// True if the file was renamed into place and not written to since.
    pub(super) fn is_moved(&self, name: &OsStr) -> bool {
        self.known().marks.get(name).is_some_and(|mark| mark.moved)
    }

    /// True if the name appeared, and there was no event of a writer that closed it.
    pub(super) fn is_new(&self, name: &OsStr) -> bool {
        self.known().marks.get(name).is_some_and(|mark| mark.created)
    }

    /// True if there was a write, and no event that the file was closed.
    fn is_written(&self, name: &OsStr) -> bool {
        self.known().marks.get(name).is_some_and(|mark| mark.open)
    }

    /// True if a writer has not closed the file. A name that appeared with content may be a hard link, which has no
    /// writer; one that appeared empty has one.
    pub(super) fn is_open(&self, name: &OsStr, size: u64) -> bool {
        self.known().marks.get(name).is_some_and(|mark| mark.open || (mark.created && size == 0))
    }
}

/// A watch on the drop directory; it ends when dropped.
pub struct Watch {
    _watcher: RecommendedWatcher,
    dir: PathBuf,
    ended: Arc<AtomicBool>,
    identity: (u64, u64),
}

impl Watch {
    /// Watches a directory: marks names, and wakes the task that scans.
    ///
    /// # Errors
    /// A message for operators, with what to do; the regular scan finds all files as well, only later.
    pub fn start(dir: &Path, marks: &Marks, wake: &Arc<Notify>) -> Result<Self, String> {
        let identity = identity(dir).ok_or_else(|| format!("{} is no directory that can be read", dir.display()))?;
        marks.hear(Heard::Lost);
        let ended = Arc::new(AtomicBool::new(false));
        let mut ear = Ear { marks: marks.clone(), dir: dir.to_owned(), ended: Arc::clone(&ended), given_back: None };
        let wake = Arc::clone(wake);
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if let Some(heard) = ear.listen(event) {
                ear.marks.hear(heard);
                wake.notify_one();
            }
        })
        .map_err(|error| advice(&error))?;
        watcher.watch(dir, RecursiveMode::NonRecursive).map_err(|error| advice(&error))?;
        Ok(Self { _watcher: watcher, dir: dir.to_owned(), ended, identity })
    }

    /// True while the watched directory is the one at that path: one that was removed and created again is another one,
    /// even if it has the same inode.
    pub fn is_alive(&self) -> bool {
        !self.ended.load(Ordering::SeqCst) && identity(&self.dir) == Some(self.identity)
    }
}

fn identity(dir: &Path) -> Option<(u64, u64)> {
    let here = Dir::open(dir).and_then(|dir| dir.here()).ok()?;
    Some((here.device, here.inode))
}

fn advice(error: &notify::Error) -> String {
    match &error.kind {
        ErrorKind::MaxFilesWatch => {
            "the system's limit of watches is reached: raise it with sysctl fs.inotify.max_user_watches=524288"
                .to_owned()
        }
        ErrorKind::Io(io) if io.raw_os_error() == Some(rustix::io::Errno::MFILE.raw_os_error()) => {
            "the system's limit of watchers is reached: raise it with sysctl fs.inotify.max_user_instances=512"
                .to_owned()
        }
        _ => error.to_string(),
    }
}

/// Turns events into hints.
struct Ear {
    marks: Marks,
    dir: PathBuf,
    ended: Arc<AtomicBool>,
    /// A renaming of a claimed file whose second event is due: its tracker, and whether the file was being written.
    given_back: Option<(usize, bool)>,
}

impl Ear {
    /// The hint of an event about a name that may be input; events about our own outputs give none.
    fn listen(&mut self, event: notify::Result<Event>) -> Option<Heard> {
        let Ok(event) = event else { return Some(Heard::Lost) };
        if event.need_rescan() {
            return Some(Heard::Lost);
        }
        let path = event.paths.last()?;
        if *path == self.dir {
            return self.listen_to_directory(event.kind);
        }
        let name = path.file_name()?.to_owned();
        let sort = names::sort(&name);
        if sort == Sort::Aside {
            return None;
        }
        match event.kind {
            EventKind::Create(CreateKind::Folder) => None,
            EventKind::Create(_) => Some(Heard::Created(name)),
            EventKind::Modify(ModifyKind::Data(_)) => Some(Heard::Written(name)),
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => Some(Heard::Closed(name)),
            EventKind::Modify(ModifyKind::Name(RenameMode::To)) => {
                let back = self.given_back.take().filter(|(number, _)| event.tracker() == Some(*number));
                Some(back.map_or(Heard::Moved(name.clone()), |(_, open)| Heard::GivenBack(name, open)))
            }
            EventKind::Modify(ModifyKind::Name(RenameMode::From)) => {
                if let (Sort::Working(..), Some(number)) = (sort, event.tracker()) {
                    self.given_back = Some((number, self.marks.is_written(&name)));
                }
                Some(Heard::Gone(name))
            }
            EventKind::Remove(_) => Some(Heard::Gone(name)),
            _ => None,
        }
    }

    /// Ends the watch if the directory itself was removed, moved or unmounted: no more events will come.
    fn listen_to_directory(&self, kind: EventKind) -> Option<Heard> {
        if !matches!(kind, EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_))) {
            return None;
        }
        self.ended.store(true, Ordering::SeqCst);
        Some(Heard::Lost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name() -> OsString {
        OsString::from("a.csv")
    }

    #[test]
    fn a_writer_is_open_until_it_closes() {
        let marks = Marks::default();
        marks.hear(Heard::Created(name()));
        assert!(marks.is_open(&name(), 0) && !marks.is_open(&name(), 10), "a hard link has no writer");
        marks.hear(Heard::Written(name()));
        assert!(marks.is_open(&name(), 10));
        marks.hear(Heard::Closed(name()));
        assert!(!marks.is_open(&name(), 0));
        marks.hear(Heard::Written(name()));
        marks.hear(Heard::Lost);
        assert!(!marks.is_open(&name(), 10), "nothing is known any more");
    }

    #[test]
    fn whoever_renames_is_done_until_somebody_writes_again() {
        let marks = Marks::default();
        marks.hear(Heard::Moved(name()));
        assert!(marks.is_moved(&name()));
        marks.hear(Heard::Written(name()));
        assert!(!marks.is_moved(&name()) && marks.is_open(&name(), 10));
    }

    #[test]
    fn a_file_that_is_given_back_is_not_one_that_was_renamed_into_place() {
        let marks = Marks::default();
        let dir = PathBuf::from("/sync");
        let ended = Arc::new(AtomicBool::new(false));
        let mut ear = Ear { marks: marks.clone(), dir: dir.clone(), ended: Arc::clone(&ended), given_back: None };
        let working = names::working(&name(), &names::new_token(&name()));
        let renamed = |mode, name: &OsStr, number| {
            Event::new(EventKind::Modify(ModifyKind::Name(mode))).add_path(dir.join(name)).set_tracker(number)
        };
        let mut hear = |event| {
            if let Some(heard) = ear.listen(Ok(event)) {
                marks.hear(heard);
            }
        };
        hear(renamed(RenameMode::To, &name(), 1));
        assert!(marks.is_moved(&name()));
        hear(renamed(RenameMode::From, &name(), 2));
        hear(renamed(RenameMode::To, &working, 2));
        hear(
            Event::new(EventKind::Modify(ModifyKind::Data(notify::event::DataChange::Any)))
                .add_path(dir.join(&working)),
        );
        // It was renamed back, and a scan ran before that event.
        marks.scan_begins();
        marks.keep(|seen| seen == name());
        hear(renamed(RenameMode::From, &working, 3));
        hear(renamed(RenameMode::To, &name(), 3));
        assert!(!marks.is_written(&working));
        assert!(!marks.is_moved(&name()) && marks.is_open(&name(), 10), "its writer has not closed it");
        hear(renamed(RenameMode::To, &name(), 4));
        assert!(marks.is_moved(&name()), "another file of that name");
        assert!(!ended.load(Ordering::SeqCst));
        hear(Event::new(EventKind::Remove(notify::event::RemoveKind::Folder)).add_path(dir.clone()));
        assert!(ended.load(Ordering::SeqCst));
    }

    #[test]
    fn what_is_heard_during_a_look_is_kept_for_the_next() {
        let marks = Marks::default();
        marks.hear(Heard::Moved("old.csv".into()));
        marks.scan_begins();
        marks.hear(Heard::Moved(name()));
        marks.keep(|_| false);
        assert!(marks.is_moved(&name()) && !marks.is_moved(OsStr::new("old.csv")));
    }
}

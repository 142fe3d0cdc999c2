//! What the system tells of the drop directory: who has a file open, what was renamed into place. The only place that
//! knows `notify`; it must not decide what is complete, and every hint may be missing (network mounts, overflow).

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

/// What is known of one name.
#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    created: bool,
    open: bool,
    moved: bool,
    told: u64,
}

/// What is known of the names of the directory, gathered between two looks; it never grows beyond their number.
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
    /// It came to be here.
    Created(OsString),
    /// Somebody wrote to it.
    Written(OsString),
    /// Its writer closed it.
    Closed(OsString),
    /// It was renamed into place: whoever renames is done.
    Moved(OsString),
    /// We gave it back under its own name; `true` if its writer was heard of meanwhile.
    GivenBack(OsString, bool),
    /// It is gone.
    Gone(OsString),
    /// Hints were lost: nothing is known any more.
    Lost,
}

impl Marks {
    fn known(&self) -> MutexGuard<'_, Known> {
        // Whoever panicked with the lock left marks that are hints at most.
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Takes a hint.
    pub fn hear(&self, heard: Heard) {
        let mut known = self.known();
        let told = known.looks;
        let (name, change): (OsString, fn(&mut Mark)) = match heard {
            Heard::Created(name) => (name, |mark| *mark = Mark { created: true, ..Mark::default() }),
            Heard::Written(name) => (name, |mark| (mark.open, mark.moved) = (true, false)),
            Heard::Closed(name) => (name, |mark| (mark.open, mark.created) = (false, false)),
            Heard::Moved(name) => (name, |mark| *mark = Mark { moved: true, ..Mark::default() }),
            Heard::GivenBack(name, open) => {
                // Nobody has said that it is complete: it must stand still, or its writer must close it.
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

    /// A look begins: what is heard from now on is about what it may not have seen.
    pub(super) fn scan_begins(&self) {
        self.known().looks += 1;
    }

    /// Forgets what was heard before the present look of names that it did not see. A claimed file may have its own
    /// name again before that is heard, and what is known of its writer goes with it: it is forgotten when it is heard
    /// to be gone.
    pub(super) fn keep(&self, seen: impl Fn(&OsStr) -> bool) {
        let mut known = self.known();
        let now = known.looks;
        let is_claimed = |name: &OsStr| matches!(names::sort(name), Sort::Working(..));
        known.marks.retain(|name, mark| mark.told >= now || seen(name) || is_claimed(name));
    }

    /// True if the file was renamed into place and nobody has written to it since.
    pub(super) fn is_moved(&self, name: &OsStr) -> bool {
        self.known().marks.get(name).is_some_and(|mark| mark.moved)
    }

    /// True if the name appeared, and nothing was heard of a writer that closed it.
    pub(super) fn is_new(&self, name: &OsStr) -> bool {
        self.known().marks.get(name).is_some_and(|mark| mark.created)
    }

    /// True if a writer was heard of, and not that it closed the file.
    fn is_written(&self, name: &OsStr) -> bool {
        self.known().marks.get(name).is_some_and(|mark| mark.open)
    }

    /// True if a writer was heard of and not its end. A name that appeared with content may be a hard link, which has
    /// no writer; one that appeared empty has one.
    pub(super) fn is_open(&self, name: &OsStr, size: u64) -> bool {
        self.known().marks.get(name).is_some_and(|mark| mark.open || (mark.created && size == 0))
    }
}

/// A watch on the drop directory; dropped, it ends.
pub struct Watch {
    _watcher: RecommendedWatcher,
    dir: PathBuf,
    ended: Arc<AtomicBool>,
    identity: (u64, u64),
}

impl Watch {
    /// Watches a directory: marks names, and wakes whoever looks.
    ///
    /// # Errors
    /// In words for an operator, with what to do; the regular look finds everything all the same, only later.
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

    /// True while the directory that is watched is the one of that path: one that was removed and made again is
    /// another, even if the file system gives it the same number.
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

/// Understands events.
struct Ear {
    marks: Marks,
    dir: PathBuf,
    ended: Arc<AtomicBool>,
    /// The rename of a claimed file that is under way: its number, and whether somebody was writing.
    given_back: Option<(usize, bool)>,
}

impl Ear {
    /// What an event says about names that may be input; our own outputs say nothing.
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

    /// The directory itself was removed, moved or unmounted: nothing more will be heard of it.
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
        // It was given back, and a look was taken before that is heard.
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

//! The moments of a run that can be observed: by a progress bar, a test that acts as Moodle, a crash test. It must not
//! change what a run does.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// A moment in the life of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Some of the input has been read.
    Read {
        /// Lines of a file, or bytes of a set, that have been read so far.
        done: u64,
        /// How many there are.
        of: u64,
    },
    /// The lines are staged and resolved.
    Staged,
    /// Passwords are hashed next; nothing is locked.
    Hashing,
    /// Some of the work of a job or rule is planned and applied; `done` is 0 when it begins.
    Applying {
        /// The cause that the journal records for the changes: `import`, or the name of the job or rule.
        cause: &'static str,
        /// Lines of a file, or steps of a rule, that are done.
        done: u64,
        /// How many there are.
        of: u64,
    },
    /// A step of the plan is in the journal and not applied yet; a removal in one statement is only counted so far.
    Planned {
        /// Changes that this step plans.
        changes: i64,
    },
    /// A step of the plan was applied.
    Applied,
    /// Everything is applied, the commit comes next.
    Committing,
    /// A part of a run in parts is committed, the next one comes.
    PartCommitted {
        /// Parts committed so far.
        part: usize,
        /// Parts of the run.
        of: usize,
    },
    /// The run is committed, effects come next.
    Committed,
    /// A chunk of the effects is written.
    Effects {
        /// Changes whose effects are written so far.
        done: u64,
        /// Changes of the run, or 0 if that is not known; more than `done` reaches if a crash has interrupted them.
        of: u64,
    },
    /// All effects and the file of the hook are written; they are marked as written next.
    Spooled,
    /// The run has ended, with any outcome: the mails that it queued may be sent.
    Ended,
}

type Watch = dyn Fn(Moment) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync;

/// The function that is called at each moment; none by default.
#[derive(Clone, Default)]
pub struct Observer(Option<Arc<Watch>>);

impl Observer {
    /// No function is called.
    pub fn none() -> Self {
        Self(None)
    }

    /// A function that is awaited at each moment: the run goes on when it is done.
    pub fn new<F, T>(watch: F) -> Self
    where
        F: Fn(Moment) -> T + Send + Sync + 'static,
        T: Future<Output = ()> + Send + 'static,
    {
        Self(Some(Arc::new(move |moment| Box::pin(watch(moment)))))
    }

    /// Calls the function and awaits it.
    pub async fn reached(&self, moment: Moment) {
        if let Some(watch) = &self.0 {
            watch(moment).await;
        }
    }
}

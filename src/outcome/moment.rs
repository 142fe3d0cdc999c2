//! The moments of a run that somebody may watch: a progress bar, a test that plays Moodle, a crash test.
//! It must not change what a run does.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// A moment in the life of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Some lines of the file have been read.
    Read {
        /// Lines read so far.
        lines: u64,
        /// Lines in the file.
        of: u64,
    },
    /// The lines are staged and resolved.
    Staged,
    /// A step of the plan stands in the journal and is not applied yet; what is removed at once is known and stands
    /// nowhere.
    Planned {
        /// Changes that this step plans.
        changes: i64,
    },
    /// A step of the plan was applied.
    Applied,
    /// Everything is applied, the commit comes next.
    Committing,
    /// A part of a run that is cut is committed, the next one comes.
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
        done: i64,
    },
    /// All effects are written, also the file of the hook; the mark that they are comes next.
    Spooled,
    /// The run has ended, whatever became of it: mails that it has queued may go.
    Ended,
}

type Watch = dyn Fn(Moment) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync;

/// Who is told of each moment; by default nobody.
#[derive(Clone, Default)]
pub struct Observer(Option<Arc<Watch>>);

impl Observer {
    /// Nobody watches.
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

    /// Tells the watcher and waits for it.
    pub async fn reached(&self, moment: Moment) {
        if let Some(watch) = &self.0 {
            watch(moment).await;
        }
    }
}

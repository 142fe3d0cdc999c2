//! `enrold run`: the daemon, or one pass of it.
//! It must not know what the daemon does with a file or a task.

use std::sync::{Arc, Mutex, PoisonError};

use crate::cli::{Exit, Setting, log, output};
use crate::config::Sources;
use crate::daemon::Daemon;
use crate::outcome::{Report, State};

/// The arguments of `run`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// One pass over the drop directory and all due tasks, then end
    #[arg(long)]
    once: bool,
}

pub(super) async fn run(
    setting: &Setting,
    options: &Options,
    sources: Sources,
    log: log::Handle,
) -> anyhow::Result<Exit> {
    let told = Announced::default();
    let daemon = daemon(setting, sources, log, options.once.then(|| told.clone()))?;
    if !options.once {
        daemon.run().await?;
        return Ok(Exit::Done);
    }
    let outcome = daemon.once().await;
    if setting.json {
        let reports = told.reports();
        let documents: Vec<_> =
            reports.iter().map(|report| crate::report::document(report, setting.locale())).collect();
        let message = outcome.as_ref().err().map(ToString::to_string);
        output::json(&serde_json::json!({ "reports": documents, "message": message }));
        if message.is_some() {
            return Ok(Exit::Failed);
        }
    }
    outcome?;
    Ok(told.exit())
}

/// The daemon of the settings; `told` collects its reports, which are printed as well.
pub(super) fn daemon(
    setting: &Setting,
    sources: Sources,
    log: log::Handle,
    told: Option<Announced>,
) -> anyhow::Result<Daemon> {
    let (locale, prints) = (setting.locale(), !setting.json && !setting.quiet);
    Ok(Daemon {
        settings: Arc::clone(&setting.settings),
        database: Arc::new(setting.database()?),
        clock: setting.clock,
        wait: setting.wait,
        reload: Box::new(move || crate::config::load(&sources).map(|loaded| loaded.settings)),
        log_level: Box::new(move |level| log.set_level(level)),
        reporter: told.map(|told| -> Box<crate::daemon::Reporter> {
            Box::new(move |report| {
                // A run that changed nothing is not printed.
                if prints && !report.is_quiet() {
                    output::report(report, locale);
                    output::line("");
                }
                told.add(report);
            })
        }),
    })
}

/// The reports of a pass.
#[derive(Clone, Default)]
pub(super) struct Announced(Arc<Mutex<Vec<Report>>>);

impl Announced {
    fn add(&self, report: &Report) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(report.clone());
    }

    /// The reports so far.
    pub fn reports(&self) -> Vec<Report> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The most severe code of all reports: a failed file, then a held one, then failed lines.
    fn exit(&self) -> Exit {
        let reports = self.reports();
        let worst =
            |exit: Exit| reports.iter().any(|report| report.state != State::Skipped && Exit::of_report(report) == exit);
        [Exit::Failed, Exit::Held, Exit::RowErrors].into_iter().find(|exit| worst(*exit)).unwrap_or(Exit::Done)
    }
}

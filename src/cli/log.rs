//! The log of the process: text or JSON lines on standard error, or the journal's own protocol.
//! It must not know where a line comes from, or write to standard output, which is for results.

use std::io::{IsTerminal, stderr};

use tracing_journald::{Priority, PriorityMappings};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

use crate::cli::terminal::shows_colours;
use crate::config::{LogFormat, LogLevel};

/// A layer of any form above the filter.
type Form = Box<dyn Layer<Filtered> + Send + Sync>;
type Filtered = tracing_subscriber::layer::Layered<reload::Layer<EnvFilter, Registry>, Registry>;

/// The running log.
#[derive(Clone, Debug)]
pub struct Handle {
    filter: reload::Handle<EnvFilter, Registry>,
    asked: Option<LogLevel>,
}

impl Handle {
    /// Changes the level of the log, unless the command line asked for one (`-v`, `-q`).
    pub fn set_level(&self, level: LogLevel) {
        // It fails only where another log was started first, in a test.
        drop(self.filter.reload(filter(self.asked.unwrap_or(level))));
    }
}

/// Starts the log of the process. `asked` is the command line's level, which always overrides the configuration's. If
/// the journal cannot be reached, the log is text on standard error and begins with a warning.
pub fn start(asked: Option<LogLevel>, level: LogLevel, format: LogFormat) -> Handle {
    let (filter, handle) = filtered(asked, level);
    let (form, problem) = match resolved(format, std::env::var("JOURNAL_STREAM").ok().as_deref(), standard_error()) {
        LogFormat::Json => (json(), None),
        LogFormat::Journal => match journal() {
            Ok(form) => (form, None),
            Err(error) => (text(), Some(error)),
        },
        LogFormat::Text | LogFormat::Auto => (text(), None),
    };
    // A second start, in a test, keeps the first one's log.
    drop(tracing_subscriber::registry().with(filter).with(form).try_init());
    if let Some(error) = problem {
        tracing::warn!("the journal cannot be reached ({error}): the log goes to standard error as text");
    }
    handle
}

fn filtered(asked: Option<LogLevel>, level: LogLevel) -> (reload::Layer<EnvFilter, Registry>, Handle) {
    let (layer, filter) = reload::Layer::new(filter(asked.unwrap_or(level)));
    (layer, Handle { filter, asked })
}

/// Only the program's own lines: those of libraries may contain anything.
fn filter(level: LogLevel) -> EnvFilter {
    EnvFilter::new(format!("off,enrold={level}"))
}

/// `auto` is the journal if `JOURNAL_STREAM` names the device and inode of standard error (systemd.exec(5)), because a
/// child whose standard error goes elsewhere inherits the variable as well.
fn resolved(format: LogFormat, journal_stream: Option<&str>, standard_error: Option<String>) -> LogFormat {
    match format {
        LogFormat::Auto if journal_stream.is_some() && journal_stream == standard_error.as_deref() => {
            LogFormat::Journal
        }
        LogFormat::Auto => LogFormat::Text,
        chosen => chosen,
    }
}

/// True if standard error goes to the journal.
pub fn is_journal() -> bool {
    resolved(LogFormat::Auto, std::env::var("JOURNAL_STREAM").ok().as_deref(), standard_error()) == LogFormat::Journal
}

fn standard_error() -> Option<String> {
    rustix::fs::fstat(stderr()).ok().map(|found| format!("{}:{}", found.st_dev, found.st_ino))
}

/// Without a time: the journal, cron or the container adds one.
fn text() -> Form {
    let colours = shows_colours(stderr().is_terminal());
    fmt::layer().with_writer(stderr).with_target(false).without_time().with_ansi(colours).boxed()
}

fn json() -> Form {
    fmt::layer().json().flatten_event(true).with_current_span(false).with_span_list(false).with_writer(stderr).boxed()
}

/// Fields have the names `ENROLD_…`; an info line has the journal's priority `info`.
fn journal() -> std::io::Result<Form> {
    let priorities = PriorityMappings {
        info: Priority::Informational,
        debug: Priority::Debug,
        trace: Priority::Debug,
        ..PriorityMappings::new()
    };
    let layer = tracing_journald::layer()?
        .with_syslog_identifier("enrold".to_owned())
        .with_field_prefix(Some("ENROLD".to_owned()))
        .with_priority_mappings(priorities);
    Ok(layer.boxed())
}

#[cfg(test)]
mod tests {
    use tracing::{Level, enabled};
    use tracing_subscriber::layer::SubscriberExt;

    use super::{LogFormat, LogLevel, filtered, resolved};

    #[test]
    fn auto_is_the_journal_only_where_standard_error_is() {
        let here = || Some("8:4711".to_owned());
        assert_eq!(resolved(LogFormat::Auto, Some("8:4711"), here()), LogFormat::Journal);
        assert_eq!(resolved(LogFormat::Auto, Some("8:4712"), here()), LogFormat::Text);
        assert_eq!(resolved(LogFormat::Auto, None, here()), LogFormat::Text);
        assert_eq!(resolved(LogFormat::Auto, None, None), LogFormat::Text);
        assert_eq!(resolved(LogFormat::Text, Some("8:4711"), here()), LogFormat::Text);
        assert_eq!(resolved(LogFormat::Journal, None, here()), LogFormat::Journal);
    }

    /// Whether warnings, notices and steps of the program are written, and whether a library's error is.
    fn written() -> [bool; 4] {
        [
            enabled!(target: "enrold::run", Level::WARN),
            enabled!(target: "enrold::run", Level::INFO),
            enabled!(target: "enrold::run", Level::DEBUG),
            enabled!(target: "sqlx::query", Level::ERROR),
        ]
    }

    #[test]
    fn the_level_can_change_while_the_log_runs() {
        let (filter, handle) = filtered(None, LogLevel::Info);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(filter), || {
            assert_eq!(written(), [true, true, false, false]);
            handle.set_level(LogLevel::Debug);
            assert_eq!(written(), [true, true, true, false]);
            handle.set_level(LogLevel::Off);
            assert_eq!(written(), [false; 4]);
        });
    }

    #[test]
    fn the_command_line_has_the_last_word_on_the_level() {
        let (filter, handle) = filtered(Some(LogLevel::Warn), LogLevel::Info);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(filter), || {
            assert_eq!(written(), [true, false, false, false]);
            handle.set_level(LogLevel::Trace);
            assert_eq!(written(), [true, false, false, false]);
        });
    }
}

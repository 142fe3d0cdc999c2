//! One line about a run on a terminal's standard error: what it does, how far it is, how long that may still take.
//! It must not show anything if standard error is no terminal; the line is erased when the run ends.

use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::clock::StopWatch;
use crate::config::Locale;
use crate::outcome::{Moment, Observer};
use crate::report::width::{WIDTH, shortened};
use crate::report::words::pick;

/// The characters of the bar.
const BAR: u64 = 20;
/// How often the line is drawn while no moment comes: a large statement takes long.
const EVERY: Duration = Duration::from_secs(1);

/// What the line shows of one phase of a run.
#[derive(Clone, Debug)]
struct Phase {
    what: String,
    done: u64,
    /// 0 if nobody knows how much there is.
    of: u64,
    watch: StopWatch,
    /// Milliseconds from the start of the phase to the last progress.
    reached: u64,
}

/// The state of the line; no phase before and after a run.
#[derive(Default)]
struct Line {
    /// The current part of a run in parts, and how many there are.
    part: Option<(usize, usize)>,
    phase: Option<Phase>,
}

/// Shows the progress of each run in the language of what is printed; the observer does nothing if `quiet` or if
/// standard error is no terminal. Must be called in a Tokio runtime.
pub fn watch(quiet: bool, locale: Locale) -> Observer {
    if quiet || !std::io::stderr().is_terminal() {
        return Observer::none();
    }
    let line = Arc::new(Mutex::new(Line::default()));
    let shown = Arc::clone(&line);
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(EVERY).await;
            let line = shown.lock().unwrap_or_else(PoisonError::into_inner);
            if line.phase.is_some() {
                line.draw(locale);
            }
        }
    });
    Observer::new(move |moment| {
        let mut line = line.lock().unwrap_or_else(PoisonError::into_inner);
        line.reached(moment, locale);
        line.draw(locale);
        std::future::ready(())
    })
}

impl Line {
    fn reached(&mut self, moment: Moment, locale: Locale) {
        let said = |english, french| pick(locale, english, french);
        match moment {
            Moment::Read { done, of } => self.goes_on(said("reading", "lecture"), done, of),
            Moment::Staged => self.begins(said("planning", "planification")),
            Moment::Hashing => self.begins(said("hashing passwords", "hachage des mots de passe")),
            Moment::Applying { cause, done, of } => self.goes_on(cause.to_owned(), done, of),
            Moment::Planned { changes } => {
                let what = match locale {
                    Locale::En => format!("applying {changes} changes"),
                    Locale::Fr => format!("application de {changes} modifications"),
                };
                match &mut self.phase {
                    Some(phase) => phase.what = what,
                    None => self.begins(what),
                }
            }
            Moment::Committing => self.begins(said("committing", "validation")),
            Moment::PartCommitted { part, of } => self.part = (part < of).then_some((part + 1, of)),
            Moment::Committed => self.begins(said("committed", "validé")),
            Moment::Effects { done, of } => {
                self.goes_on(said("flags and log events", "indicateurs et événements"), done, of);
            }
            Moment::Applied | Moment::Spooled => {}
            Moment::Ended => *self = Self::default(),
        }
    }

    fn begins(&mut self, what: String) {
        self.phase = Some(Phase { what, done: 0, of: 0, watch: StopWatch::start(), reached: 0 });
    }

    /// Goes on with a phase whose total is this or was not known, or begins the next one.
    fn goes_on(&mut self, what: String, done: u64, of: u64) {
        let same = |phase: &Phase| phase.done <= done && (phase.of == of || phase.of == 0);
        if done == 0 || !self.phase.as_ref().is_some_and(same) {
            self.begins(what.clone());
        }
        if let Some(phase) = &mut self.phase {
            *phase = Phase { what, done, of, reached: phase.watch.millis(), ..*phase };
        }
    }

    /// Draws the line in the place of the one before. If the terminal cannot be written to, there is no reader.
    fn draw(&self, locale: Locale) {
        drop(write!(std::io::stderr(), "\r\x1b[K{}", self.text(locale)));
    }

    fn text(&self, locale: Locale) -> String {
        let Some(phase) = &self.phase else { return String::new() };
        let part = match (self.part, locale) {
            (None, _) => String::new(),
            (Some((part, of)), Locale::En) => format!("part {part} of {of}  "),
            (Some((part, of)), Locale::Fr) => format!("partie {part} sur {of}  "),
        };
        // The cursor needs the last column.
        shortened(&format!("{part}{}", phase.text(phase.watch.millis(), locale)), WIDTH - 1)
    }
}

impl Phase {
    /// The bar, the phase, and the time that is left at the pace so far; where that is not known, the time passed.
    fn text(&self, passed: u64, locale: Locale) -> String {
        let share = |whole: u64| whole * self.done.min(self.of) / self.of.max(1);
        let full = share(BAR) as usize;
        let bar = format!("[{}{}] {:>3} %  ", "#".repeat(full), " ".repeat(BAR as usize - full), share(100));
        let bar = if self.of > 0 { bar } else { String::new() };
        let time = match (self.left(passed), passed / 1000) {
            (Some(left), _) if locale == Locale::Fr => format!(", encore {}", shown(left)),
            (Some(left), _) => format!(", about {} left", shown(left)),
            (None, 0) => String::new(),
            (None, seconds) => format!(", {}", shown(seconds)),
        };
        format!("{bar}{}{time}", self.what)
    }

    /// The seconds that are left if the rest goes on as what is done; `None` without an estimate, or when its time is
    /// over.
    fn left(&self, passed: u64) -> Option<u64> {
        let whole = (self.reached * self.of).checked_div(self.done.min(self.of))?;
        let left = whole.checked_sub(passed)?;
        (whole >= 1000 && left > 0).then_some(left.div_ceil(1000))
    }
}

fn shown(seconds: u64) -> String {
    if seconds < 120 { format!("{seconds} s") } else { format!("{} min", seconds / 60) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phase(done: u64, of: u64, reached: u64) -> Phase {
        Phase { what: "applying 90 changes".to_owned(), done, of, watch: StopWatch::start(), reached }
    }

    #[test]
    fn the_estimate_goes_on_at_the_pace_so_far() {
        for (done, of, reached, passed, expected) in [
            (0, 90, 0, 400, "[                    ]   0 %  applying 90 changes"),
            (0, 90, 0, 3_400, "[                    ]   0 %  applying 90 changes, 3 s"),
            (30, 90, 6_000, 6_000, "[######              ]  33 %  applying 90 changes, about 12 s left"),
            (30, 90, 6_000, 10_500, "[######              ]  33 %  applying 90 changes, about 8 s left"),
            // Its time is over, and nothing more is known.
            (30, 90, 6_000, 18_000, "[######              ]  33 %  applying 90 changes, 18 s"),
            (45, 90, 600_000, 600_000, "[##########          ]  50 %  applying 90 changes, about 10 min left"),
            (90, 90, 6_000, 6_000, "[####################] 100 %  applying 90 changes, 6 s"),
            (99, 90, 6_000, 6_500, "[####################] 100 %  applying 90 changes, 6 s"),
            (30, 90, 100, 200, "[######              ]  33 %  applying 90 changes"),
            (0, 0, 0, 999, "applying 90 changes"),
            (0, 0, 0, 125_000, "applying 90 changes, 2 min"),
        ] {
            assert_eq!(phase(done, of, reached).text(passed, Locale::En), expected, "{done} {of} {reached} {passed}");
        }
        let french = phase(30, 90, 6_000).text(6_000, Locale::Fr);
        assert_eq!(french, "[######              ]  33 %  applying 90 changes, encore 12 s");
    }

    #[test]
    fn a_run_is_shown_phase_by_phase() {
        let mut line = Line::default();
        let mut shows = |moment| {
            line.reached(moment, Locale::En);
            line.text(Locale::En)
        };
        assert_eq!(shows(Moment::Read { done: 5, of: 10 }), "[##########          ]  50 %  reading");
        assert_eq!(shows(Moment::Staged), "planning");
        let applying = |done| Moment::Applying { cause: "import", done, of: 10 };
        assert_eq!(shows(applying(0)), "[                    ]   0 %  import");
        let planned = Moment::Planned { changes: 7 };
        assert_eq!(shows(planned), "[                    ]   0 %  applying 7 changes");
        assert_eq!(shows(Moment::Applied), "[                    ]   0 %  applying 7 changes");
        assert_eq!(shows(applying(5)), "[##########          ]  50 %  import");
        // A rule that follows begins anew.
        assert_eq!(shows(Moment::Applying { cause: "meta", done: 0, of: 10 }), "[                    ]   0 %  meta");
        assert_eq!(shows(Moment::Committing), "committing");
        assert_eq!(shows(Moment::PartCommitted { part: 1, of: 3 }), "part 2 of 3  committing");
        assert_eq!(shows(planned), "part 2 of 3  applying 7 changes");
        assert_eq!(shows(Moment::PartCommitted { part: 3, of: 3 }), "applying 7 changes");
        let effects = shows(Moment::Effects { done: 7, of: 7 });
        assert_eq!(effects, "[####################] 100 %  flags and log events");
        assert_eq!(shows(Moment::Ended), "");
    }

    #[test]
    fn the_line_fits_the_terminal() {
        let mut line = Line::default();
        line.reached(Moment::PartCommitted { part: 98, of: 99 }, Locale::Fr);
        line.reached(Moment::Applying { cause: "coursecompleted", done: 0, of: 9 }, Locale::Fr);
        line.reached(Moment::Planned { changes: i64::MAX }, Locale::Fr);
        assert_eq!(line.text(Locale::Fr).chars().count(), WIDTH - 1);
    }
}

//! The moments by which a run shows how far it is. It must not draw anything; `cli_terminal` does.

use std::sync::{Arc, Mutex};

use enrold::outcome::{Moment, Observer, RunError};
use enrold::run::{Engine, SyncOrder};

use crate::golden_case::set_of;
use crate::servers::on_each_database;
use crate::site::Site;

on_each_database!(a_file_goes_by_its_lines, rules_and_sets_go_by_their_steps, effects_go_by_the_changes);

/// The moments of a run.
async fn moments<T>(site: &Site, run: impl AsyncFnOnce(Engine) -> Result<T, RunError>) -> Vec<Moment> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let all = Arc::clone(&seen);
    let observer = Observer::new(move |moment| {
        all.lock().unwrap().push(moment);
        std::future::ready(())
    });
    assert!(run(Engine { observer, ..site.engine() }).await.is_ok());
    let seen = seen.lock().unwrap();
    seen.clone()
}

/// How far a run was at each step: the cause, what is done, and of how much.
fn applied(moments: &[Moment]) -> Vec<(&'static str, u64, u64)> {
    let applying = |moment: &Moment| match *moment {
        Moment::Applying { cause, done, of } => Some((cause, done, of)),
        _ => None,
    };
    moments.iter().filter_map(applying).collect()
}

async fn a_file_goes_by_its_lines(mut site: Site) {
    site.campus().await;
    let file = site.write("add,student,u1,c1\nadd,student,u2,c1\nadd,student,u3,c1\ndel,student,u1,c1\n");
    for simulate in [true, false] {
        let seen = moments(&site, async |engine| engine.import(&file, simulate).await).await;
        // The enrolments of three lines, their roles, the enrolment of the fourth, its role.
        let expected = [0, 3, 6, 7, 8].map(|done| ("import", done, 8));
        assert_eq!(applied(&seen), expected);
        assert_eq!(seen[0], Moment::Read { done: 4, of: 4 });
        assert_eq!(seen.last(), Some(&Moment::Ended));
    }
}

async fn rules_and_sets_go_by_their_steps(mut site: Site) {
    site.records("database").await;
    let four = |cause| [0, 1, 2, 3, 4].map(|done| (cause, done, 4));
    let seen = moments(&site, async |engine| engine.sync(&SyncOrder::of("cohort"), false).await).await;
    assert_eq!(applied(&seen), four("cohort"));
    let order = set_of("database", &site.write("user,course\nu1,c1\n").path);
    let seen = moments(&site, async |engine| engine.apply_set(&order, false).await).await;
    assert_eq!(applied(&seen), four("database"));
}

async fn effects_go_by_the_changes(mut site: Site) {
    site.campus().await;
    site.set("run.effect_rows", "2");
    let file = site.write("add,student,u1,c1\nadd,student,u2,c1\n");
    let seen = moments(&site, async |engine| engine.import(&file, false).await).await;
    let effects: Vec<_> = seen.into_iter().filter(|moment| matches!(moment, Moment::Effects { .. })).collect();
    // The instance, two enrolments, two roles.
    assert_eq!(effects, [2, 4, 5].map(|done| Moment::Effects { done, of: 5 }));
}

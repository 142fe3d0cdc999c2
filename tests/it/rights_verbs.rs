//! The least rights for verbs and lists: an account with exactly these carries each out.
//! It must not test what they do.

use enrold::config::CourseKey;
use enrold::db::Dialect;
use enrold::front::{Front, ParticipantFilter};
use enrold::outcome::{Observer, State};
use enrold::verbs::{NewEnd, Place, SourceFate, Verb, VerbOrder};

use crate::campus::instance;
use crate::doctor_rights::{Account, assert_applied, give};
use crate::servers::run_on;
use crate::site::{NOW, Site};
use crate::verbs_renew::{listed, ordered};
use crate::waiting_commands::who;

#[test]
fn verbs_need_no_more_postgresql() {
    run_on(Dialect::Postgres, verbs_need_no_more);
}

#[test]
fn verbs_need_no_more_mariadb() {
    run_on(Dialect::Maria, verbs_need_no_more);
}

async fn verbs_need_no_more(mut site: Site) {
    site.promotion().await;
    let row = [("id", 1.into()), ("name", "Sciences".into()), ("path", "/3".into()), ("depth", 1.into())];
    site.insert("course_categories", &row).await;
    site.enrolled_by(5, instance("manual", 1), 0, (0, NOW + 5)).await;
    site.in_group(5, 1, ("", 0)).await;
    let account = Account::make(&mut site).await;
    give(&mut site, &account.rights()).await;
    let engine = &account.engine;
    let convert = |source| Verb::Convert { method: "cohort".to_owned(), instance: None, source };
    let end = NewEnd::By("1y".parse().unwrap());
    let some = VerbOrder { people: listed(&["u1"]), ..ordered(convert(SourceFate::Keep), "c1") };
    let place = Place::Category("Sciences".to_owned());
    let orders = [
        ordered(Verb::Renew { methods: vec!["manual".to_owned()], end }, "c1"),
        some,
        VerbOrder { place, ..ordered(convert(SourceFate::Disable), "c1") },
        ordered(Verb::CopyParticipants { to: "c2".to_owned() }, "c1"),
        ordered(Verb::MoveGroups { to: "c3".to_owned(), groups: vec!["g1".to_owned()] }, "c1"),
    ];
    for order in orders {
        let told = order.source();
        let rehearsal = engine.carry_out_verb(&order, true).await.unwrap_or_else(|error| panic!("{told}: {error}"));
        assert_eq!(rehearsal.state, State::Simulated, "{told}");
        assert!(!rehearsal.counts.is_empty(), "{told}");
        assert_applied(&engine.carry_out_verb(&order, false).await.unwrap(), State::Done);
    }
    let (database, settings, stop) = (engine.database.clone(), engine.settings.clone(), engine.stop.clone());
    let front = Front::new(database, settings, engine.clock, engine.wait, Observer::none(), stop);
    let people = front.participants(&who(), (CourseKey::Shortname, "c1"), &ParticipantFilter::default()).await;
    assert_eq!(people.unwrap().people.len(), 5);
    assert_eq!(front.courses(&who()).await.unwrap().0.len(), 3);
    account.remove(&mut site).await;
}

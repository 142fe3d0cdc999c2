//! Autoenrol on random sites against a model that processes users one by one like Moodle's task (spec autoenrol 4, 5).
//! It must not know how the rule works on sets; SQLite only, because other tests show that the databases are equal.

use std::collections::BTreeMap;

use enrold::db::{Dialect, Params, Value};

use crate::autoenrol::department;
use crate::availability_model::Random;
use crate::campus::user;
use crate::servers::run_on;
use crate::site::Site;

const USERS: i64 = 9;
const DEPARTMENTS: [&str; 3] = ["Red", "Blue", ""];

#[derive(Clone, Debug)]
struct Instance {
    id: i64,
    course: i64,
    fits: &'static str,
    always: bool,
    limit: i64,
    open: bool,
}

/// Status of enrolments by user and instance; manual enrolments have the negative course in place of the instance.
type Enrolments = BTreeMap<(i64, i64), i64>;

#[derive(Debug)]
struct Model {
    instances: Vec<Instance>,
    departments: BTreeMap<i64, &'static str>,
    enrolments: Enrolments,
    action: i64,
    reactivates: bool,
}

impl Model {
    fn random(random: &mut Random) -> Self {
        let instance = |at: i64, random: &mut Random| {
            let course = 1 + random.below(2) as i64;
            let fits = *random.one(&["Red", "Blue", "everybody"]);
            let always = random.chance(3);
            let limit = *random.one(&[0, 0, 0, 2, 3]);
            Instance { id: 900 + at, course, fits, always, limit, open: !random.chance(5) }
        };
        let instances: Vec<Instance> = (0..5).map(|at| instance(at, random)).collect();
        let departments = (1..=USERS).map(|who| (who, *random.one(&DEPARTMENTS))).collect();
        let mut enrolments = Enrolments::new();
        for who in 1..=USERS {
            for place in instances.iter().map(|instance| instance.id).chain([-1, -2]) {
                if random.chance(6) {
                    enrolments.insert((who, place), i64::from(random.chance(3)));
                }
            }
        }
        let action = random.below(4) as i64;
        Self { instances, departments, enrolments, action, reactivates: random.chance(2) }
    }

    async fn build(&self, site: &mut Site) {
        site.campus().await;
        site.methods("manual,autoenrol").await;
        site.autoenrol_setting("autounenrolaction", &self.action.to_string()).await;
        site.autoenrol_setting("allowunsuspend", if self.reactivates { "1" } else { "0" }).await;
        for (who, value) in &self.departments {
            site.profile(*who, "department", value).await;
        }
        for Instance { id, course, fits, always, limit, open } in &self.instances {
            let rule = if *fits == "everybody" { String::new() } else { department(fits) };
            let set = [
                ("customtext2", Value::from(rule)),
                ("customint8", i64::from(*always).into()),
                ("customint5", (*limit).into()),
                ("customint4", i64::from(*open).into()),
            ];
            site.autoenrols_as(*id, *course, &set).await;
        }
        for ((who, place), status) in &self.enrolments {
            let enrolid = if *place < 0 { 300 - place } else { *place };
            site.enrolled_by(*who, enrolid, *status, (0, 0)).await;
        }
    }

    fn fits(&self, who: i64, instance: &Instance) -> bool {
        instance.fits == "everybody" || instance.fits == self.departments[&who]
    }

    /// The enrolments after one run: existing enrolments first, then users by id, each through the instances by id.
    fn run(&self) -> Enrolments {
        let mut now = self.enrolments.clone();
        for instance in &self.instances {
            for who in 1..=USERS {
                let key = (who, instance.id);
                let Some(status) = now.get(&key).copied() else { continue };
                match (self.fits(who, instance), self.action) {
                    (true, _) => drop(now.insert(key, if self.reactivates { 0 } else { status })),
                    (false, 0) => drop(now.remove(&key)),
                    (false, 1) => {}
                    (false, _) => drop(now.insert(key, 1)),
                }
            }
        }
        for who in 1..=USERS {
            for instance in self.instances.iter().filter(|instance| instance.open) {
                let courses = |place: i64| match place {
                    by_hand if by_hand < 0 => -by_hand,
                    id => self.instances.iter().find(|instance| instance.id == id).unwrap().course,
                };
                let of_user = now.keys().filter(|(of, _)| *of == who);
                let in_course = of_user.clone().any(|(_, place)| courses(*place) == instance.course);
                let taken = now.keys().filter(|(_, place)| *place == instance.id).count() as i64;
                if self.fits(who, instance)
                    && !now.contains_key(&(who, instance.id))
                    && (instance.always || !in_course)
                    && (instance.limit == 0 || taken < instance.limit)
                {
                    now.insert((who, instance.id), 0);
                }
            }
        }
        now
    }
}

async fn found(site: &mut Site) -> Enrolments {
    let rows = site.conn.rows("SELECT userid, enrolid, status FROM {user_enrolments}", &Params::new()).await.unwrap();
    let place = |enrolid: i64| if enrolid < 900 { 300 - enrolid } else { enrolid };
    rows.iter().map(|row| ((row.int(0) - user(0), place(row.int(1))), row.int(2))).collect()
}

/// Each run has the usual proofs: equal to its simulation, reversible by the journal, and a second run does nothing.
#[test]
fn random_sites_end_as_in_the_model() {
    let mut random = Random::of(4_411);
    for _ in 0..40 {
        let model = Model::random(&mut random);
        run_on(Dialect::Lite, |mut site| async move {
            model.build(&mut site).await;
            site.rule("autoenrol").await;
            assert_eq!(found(&mut site).await, model.run(), "{model:#?}");
        });
    }
}

//! The text of a set's report in both languages, and its CSV.

use super::*;
use crate::outcome::State;

fn place(name: &str, figures: Figures) -> SetPlace {
    SetPlace { kind: PlaceKind::Course, name: name.to_owned(), figures }
}

fn point(run: i64, rows: i64, removed: i64, state: State) -> Point {
    Point { run, clock: 0, rows, added: 0, removed, failed: 1, state }
}

fn report() -> SetReport {
    SetReport {
        source: "apogee".to_owned(),
        rows: 120,
        last_rows: Some(118),
        unknown: 2,
        foreseen: false,
        totals: Figures { added: 3, removed: 10, unchanged: 105, unknown: 2, ..Figures::default() },
        places: vec![
            place("L1-DROIT", Figures { removed: 10, unchanged: 5, ..Figures::default() }),
            place("M2 \"éco\", gestion", Figures { added: 3, unchanged: 90, unknown: 2, ..Figures::default() }),
            place("L2", Figures { unchanged: 10, ..Figures::default() }),
        ],
        more_places: 0,
        default_roles: Vec::new(),
        more_default_roles: 0,
        last_enrolments: 9,
        grades: 4,
        trend: vec![
            point(9, 0, 0, State::Failed),
            point(8, 118, 2, State::Done),
            point(7, 100, 1, State::DoneWithErrors),
            point(6, 119, 7, State::Approved),
        ],
        oneroster_base: None,
    }
}

#[test]
fn a_report_in_english() {
    assert_eq!(
        lines(&report(), Locale::En),
        [
            "set of apogee: 120 rows (last good set: 118), 2 of them failed",
            "course             added  reactivated  changed  suspended  removed  unchanged  unknown",
            "L1-DROIT               -            -        -          -       10          5        -",
            "M2 \"éco\", gestion      3            -        -          -        -         90        2",
            "all together           3            -        -          -       10        105        2",
            "last enrolments in a course lost: 9; grades moved to history: 4",
            "trend: rows 120 (last run 0, usually 118); removed 10 (last run 0, usually 2); failed 2 (last run 1, \
             usually 1); 3 of the last 4 runs applied",
        ]
    );
}

#[test]
fn a_report_in_french() {
    let french = lines(&report(), Locale::Fr);
    assert_eq!(french[0], "lot de apogee : 120 lignes (dernier lot valable : 118), dont 2 en échec");
    assert!(french[1].starts_with("cours              ajouts  réactivés  modifiés"), "{french:?}");
    assert!(french[4].starts_with("au total"), "{french:?}");
    assert!(french[5].starts_with("dernières inscriptions à un cours perdues : 9 ; notes"), "{french:?}");
    assert!(french[6].starts_with("tendance : lignes 120 (dernière exécution 0, d'habitude 118)"), "{french:?}");
}

#[test]
fn a_first_set_has_no_trend_and_a_long_one_is_cut() {
    let changed = Figures { added: 1, ..Figures::default() };
    let places = (0..SHOWN + 7).map(|number| place(&format!("c{number:03}"), changed)).collect();
    let set = SetReport {
        last_rows: None,
        trend: Vec::new(),
        last_enrolments: 0,
        grades: 0,
        foreseen: true,
        more_places: 5,
        places,
        ..report()
    };
    let english = lines(&set, Locale::En);
    assert_eq!(english[0], "set of apogee: 120 rows (no earlier good set), 2 of them failed");
    assert!(english[1].starts_with("held before anything was planned"));
    assert_eq!(english.len(), 3 + SHOWN + 2);
    assert_eq!(english[3 + SHOWN], "… and 7 more that change, 5 that the history has not kept");
    assert_eq!(lines(&set, Locale::Fr)[3 + SHOWN], "… et 7 de plus qui changent, 5 que l'historique n'a pas gardés");
}

#[test]
fn places_as_csv() {
    assert_eq!(
        csv(&report()),
        "kind,name,added,reactivated,changed,suspended,removed,unchanged,unknown,kept\n\
         course,L1-DROIT,0,0,0,0,10,5,0,0\n\
         course,\"M2 \"\"éco\"\", gestion\",3,0,0,0,0,90,2,0\n\
         course,L2,0,0,0,0,0,10,0,0\n"
    );
}

#[test]
fn whoever_is_kept_is_told_by_place() {
    let kept = |kept: i64| Figures { unchanged: 5, kept, ..Figures::default() };
    let places: Vec<SetPlace> = vec![place("L1", kept(2)), place("L2", kept(9)), place("L3", kept(0))];
    let set = SetReport { places, totals: kept(14), ..report() };
    let told = |locale| lines(&set, locale).into_iter().find(|line| line.starts_with("! ")).unwrap();
    assert_eq!(
        told(Locale::En),
        "! kept because of unreadable rows (see the problems and their lines): 14 (L2 9, L1 2, 3 elsewhere)"
    );
    assert_eq!(
        told(Locale::Fr),
        "! maintenus à cause de lignes illisibles (voir les problèmes et leurs lignes) : 14 (L2 9, L1 2, 3 ailleurs)"
    );
    assert!(csv(&set).ends_with("course,L3,0,0,0,0,0,5,0,0\n"));
    assert_eq!(csv(&set).lines().nth(1), Some("course,L1,0,0,0,0,0,5,0,2"));
}

#[test]
fn limits_on_the_set_are_told_as_such() {
    let told = |scope: &str, what: &str, locale| {
        let (scope, name, what) = (scope.to_owned(), "apogee".to_owned(), what.to_owned());
        breach(&Breach { scope, name, what, count: 13, of: 20, limit: "-30 %".to_owned() }, locale)
    };
    assert_eq!(
        told("set", "fewer-rows", Locale::En).unwrap(),
        "guard: the set of apogee has 13 rows, the last good one had 20 (limit -30 %)"
    );
    assert_eq!(told("set", "empty", Locale::Fr).unwrap(), "garde : le lot de apogee est vide");
    assert!(told("set", "unknown", Locale::Fr).unwrap().contains("13 des 20 lignes"));
    assert!(told("cohort", "removals", Locale::En).unwrap().contains("would lose 13 of 20 members"));
    assert_eq!(told("course", "removals", Locale::En), None);
}

//! The rows of `enrold_task`, and `enrold tasks` as a child process.
//! It must not test what is due; the schedule's own tests do.

use enrold::schedule::store::{self, Last};
use serde_json::{Value as Json, json};

use crate::program::{Program, on_the_sample};
use crate::servers::on_each_database;
use crate::site::{NOW, Site};

on_each_database!(rows_of_tasks, listed, refused_without_tables);

/// The command's answer: one row for each task.
fn tasks(program: &Program) -> Vec<Json> {
    let (code, tasks) = program.json(&["tasks"]);
    assert_eq!(code, 0);
    tasks.as_array().unwrap().clone()
}

async fn rows_of_tasks(mut site: Site) {
    let conn = &mut site.conn;
    assert_eq!(store::last(conn, "flatfile").await.unwrap(), None);
    assert_eq!(store::list(conn).await.unwrap(), []);

    store::begin(conn, "retention", NOW).await.unwrap();
    let mut expected = Last {
        name: "retention".to_owned(),
        started: NOW,
        ended: 0,
        result: "running".to_owned(),
        run: None,
        succeeded: 0,
        message: String::new(),
    };
    assert_eq!(store::last(conn, "retention").await.unwrap().as_ref(), Some(&expected));

    store::end(conn, "retention", NOW + 5, "done-with-errors", Some(7), "").await.unwrap();
    expected = Last { ended: NOW + 5, result: "done-with-errors".to_owned(), run: Some(7), succeeded: NOW, ..expected };
    assert_eq!(store::last(conn, "retention").await.unwrap().as_ref(), Some(&expected));

    // The task starts again, even in the same second: the last success stays.
    for at in [NOW + 60, NOW + 60] {
        store::begin(conn, "retention", at).await.unwrap();
        expected = Last { started: at, ended: 0, result: "running".to_owned(), run: None, ..expected };
        assert_eq!(store::last(conn, "retention").await.unwrap().as_ref(), Some(&expected));
    }
    let message = "l'école: \"disque plein\" \\ 100 %";
    for result in ["failed", "held", "skipped"] {
        store::end(conn, "retention", NOW + 61, result, None, message).await.unwrap();
        expected = Last { ended: NOW + 61, result: result.to_owned(), message: message.to_owned(), ..expected };
        assert_eq!(store::last(conn, "retention").await.unwrap().as_ref(), Some(&expected));
    }
    store::begin(conn, "retention", NOW + 120).await.unwrap();
    store::end(conn, "retention", NOW + 121, "done", None, "").await.unwrap();
    store::begin(conn, "flatfile", NOW).await.unwrap();
    let names: Vec<(String, i64)> =
        store::list(conn).await.unwrap().into_iter().map(|last| (last.name, last.succeeded)).collect();
    assert_eq!(names, [("flatfile".to_owned(), 0), ("retention".to_owned(), NOW + 120)]);

    // A task that has never started cannot end.
    store::end(conn, "rescan", NOW, "done", None, "").await.unwrap();
    assert_eq!(store::last(conn, "rescan").await.unwrap(), None);
}

async fn listed(mut site: Site) {
    let program = site.sampled().await.set("site.timezone=Europe/Paris");
    let never = tasks(&program);
    let names: Vec<&str> = never.iter().map(|task| task["name"].as_str().unwrap()).collect();
    assert_eq!(names, enrold::run::jobs::all().chain(["waiting_report", "retention", "rescan"]).collect::<Vec<_>>());
    // 21 November 2026, 10:00 UTC: in Paris 11:00.
    let (retention, rescan) = (names.len() - 2, names.len() - 1);
    assert_eq!((&never[1]["next"], &never[retention]["next"]), (&json!(NOW + 900), &json!(NOW + 16 * 3600 + 2400)));
    assert_eq!((&never[rescan]["every"], &never[rescan]["next"]), (&json!(30), &Json::Null));
    assert!(never.iter().all(|task| task["started"].is_null()));

    store::begin(&mut site.conn, "flatfile", NOW - 2700).await.unwrap();
    store::end(&mut site.conn, "flatfile", NOW - 2690, "done", Some(12), "").await.unwrap();
    store::begin(&mut site.conn, "retention", NOW - 60).await.unwrap();
    store::end(&mut site.conn, "retention", NOW - 59, "failed", None, "no space left").await.unwrap();
    let ran = tasks(&program);
    assert_eq!(
        ran[1],
        json!({
            "name": "flatfile", "enabled": true, "schedule": "15 * * * *", "catch_up": "once", "every": null,
            "zone": "Europe/Paris", "started": NOW - 2700, "ended": NOW - 2690, "result": "done", "run": 12,
            "succeeded": NOW - 2700, "message": null, "next": NOW + 900,
            "last_set": null, "same_since": null, "stale": null,
        })
    );
    let failed = &ran[retention];
    assert_eq!((&failed["result"], &failed["succeeded"]), (&json!("failed"), &Json::Null));
    assert_eq!((&failed["run"], &failed["message"]), (&Json::Null, &json!("no space left")));

    program.run(&["tasks"]).ends(0).says(&[
        "task",
        "time zone",
        "last start",
        "Europe/Paris",
        "2026-11-21T10:15:00+01:00",
        "2026-11-21T11:15:00+01:00",
        "2026-11-22T03:40:00+01:00",
        "! no space left",
        "every 30 s",
        "never",
    ]);
    let french = program.set("locale=fr").set("tasks.retention.enabled=false").set("inbox.rescan=5");
    french.run(&["tasks"]).ends(0).says(&["tâche", "prochain début", "désactivée", "toutes les 5 s", "jamais"]);
    let off = &tasks(&french)[retention];
    assert_eq!((&off["enabled"], &off["next"]), (&json!(false), &Json::Null));
}

/// Each rule has its own schedule, optionally with seconds, in its own zone.
#[test]
fn schedules_of_rules() {
    on_the_sample(async |_, program| {
        let program = program
            .minding(&["cohort", "meta", "category"])
            .set("site.timezone=Europe/Paris")
            .set("tasks.meta.schedule=30 0 20 * * *")
            .set("tasks.meta.timezone=Asia/Tokyo");
        let all = tasks(&program);
        let find = |name: &str| all.iter().find(|task| task["name"] == name).unwrap();
        assert_eq!((&find("cohort")["next"], &find("cohort")["zone"]), (&json!(NOW + 300), &json!("Europe/Paris")));
        assert_eq!(find("category")["next"], NOW + 300);
        // In Tokyo it is 19:00.
        assert_eq!((&find("meta")["next"], &find("meta")["zone"]), (&json!(NOW + 3630), &json!("Asia/Tokyo")));
        assert_eq!(find("autoenrol")["next"], Json::Null);
        program.run(&["tasks"]).ends(0).says(&["30 0 20 * * *", "2026-11-21T20:00:30+09:00", "disabled"]);
    });
}

/// The zone is Moodle's where the configuration names none.
#[test]
fn the_zone_of_the_site() {
    on_the_sample(async |mut site: Site, program| {
        site.sql("DELETE FROM {config} WHERE name = 'timezone'").await;
        assert_eq!(tasks(&program)[0]["zone"], "UTC");
        site.sql("INSERT INTO {config} (name, value) VALUES ('timezone', 'America/Toronto')").await;
        assert_eq!(tasks(&program)[0]["zone"], "America/Toronto");
        program.run(&["tasks"]).says(&["2026-11-21T05:15:00-05:00"]);
        assert_eq!(tasks(&program.set("site.timezone=Asia/Tokyo"))[0]["zone"], "Asia/Tokyo");
    });
}

async fn refused_without_tables(mut site: Site) {
    let program = site.sampled().await;
    site.sql("DROP TABLE {enrold_schema}").await;
    program.run(&["tasks"]).ends(1).logs(&["enrold db migrate"]);
}

//! Files without any valid line: reports, lists and logs give the place and the reason, and quote nothing, because the
//! files may be confidential. It must not test other effects of such a file.

use std::fs;

use enrold::config::Locale;
use enrold::outcome::State;

use crate::inbox_sets::source;
use crate::program::on_the_sample;
use crate::running::names;
use crate::servers::on_each_database;
use crate::site::Site;

on_each_database!(lines_of_which_none_is_ours_are_not_quoted);

/// A word in foreign files.
const SECRET: &str = "S3CRET";

async fn lines_of_which_none_is_ours_are_not_quoted(mut site: Site) {
    site.campus().await;
    let long = format!("{SECRET}{}", "x".repeat(1 << 20));
    let foreign = format!("{SECRET}\n{SECRET},b,c,d\nadd \"{SECRET}, b, c, d\n\"{SECRET}\n[{SECRET}] = 1, 2\n{long}\n");
    let report = site.import(&foreign).await;
    assert_eq!((report.state, report.errors), (State::DoneWithErrors, 6));
    let lines: Vec<u64> = report.problems.iter().map(|problem| problem.line).collect();
    assert_eq!(lines, [1, 2, 3, 4, 5, 6]);
    for problem in &report.problems {
        let told = [Locale::En, Locale::Fr].map(|locale| problem.text(locale));
        assert!(told.iter().all(|text| !text.contains(SECRET)), "{told:?}");
    }
    assert!(report.problems[1].text(Locale::En).contains("operation \"…\" is not known"));
    // With one valid line, the other lines are mistakes, and are quoted.
    let report = site.import(&format!("{foreign}add,student,u1,c1\n")).await;
    assert!(report.problems[1].text(Locale::En).contains(SECRET));
}

/// Each of these is refused as a whole; neither the files beside it nor the log quote it.
#[test]
fn what_is_dropped_by_mistake_is_read_by_nobody() {
    on_the_sample(async |mut site, program| {
        let program = source(&mut site, &program, "night-*.csv,night-*.manifest.csv,night-*.zip").await;
        let program = program.set("inbox.settle=0").set("locale=fr");
        let inbox = program.inbox();
        for (name, text) in [
            ("lines.csv", format!("url = \"postgres://u:{SECRET}@h/d\"\n{SECRET}\n")),
            ("header.csv", format!("username,role,{SECRET}\nx,y,z\n")),
            ("night-1.csv", format!("{SECRET},other\nx,y\n")),
            ("night-2.csv", format!("\"{SECRET},other\nx,y\n")),
            ("night-3.manifest.csv", format!("{SECRET}\nx\n")),
            ("night-4.manifest.csv", format!("file,rows,{SECRET}\nx,1,y\n")),
        ] {
            program.drop_file(name, text);
        }
        program.drop_file("night-5.csv.ok", format!("password={SECRET}\n"));
        program.drop_file("night-5.csv", "user,course\n");
        let answer = program.clone().set(&format!("inbox.path={}", inbox.display())).run(&["-v", "run", "--once"]);
        assert!(!answer.out.contains(SECRET) && !answer.log.contains(SECRET), "{}{}", answer.out, answer.log);
        let told =
            names(&inbox).into_iter().filter(|name| name.ends_with(".report.json") || name.ends_with(".errors.csv"));
        let told: Vec<String> = told.collect();
        assert!(told.contains(&"lines.csv.errors.csv".to_owned()), "{told:?}");
        assert!(told.contains(&"header.csv.report.json".to_owned()), "{told:?}");
        for name in told {
            let text = fs::read_to_string(inbox.join(&name)).unwrap();
            assert!(!text.contains(SECRET), "{name}: {text}");
        }
        let runs = program.run(&["runs", "--all"]);
        assert!(!runs.out.contains(SECRET), "{}", runs.out);
    });
}

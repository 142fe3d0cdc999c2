//! The guard for users files and cohort files that are dropped: which are held, what they show, and what a decision
//! does with the file and its sealed copy.
//! It must not test the limits of enrolments.

use std::fs;

use enrold::db::Params;
use serde_json::{Value as Json, json};

use crate::program::Program;
use crate::running::names;
use crate::servers::on_each_database;
use crate::site::Site;

on_each_database!(
    too_many_addresses_are_held_and_approved,
    too_many_new_names_are_held_and_rejected,
    an_account_counts_once,
    deleted_and_suspended_accounts_are_limited,
    members_whom_a_cohort_file_removes_are_limited,
);

/// A program that takes users files which may do anything, and cohort files.
async fn feeding(site: &mut Site) -> Program {
    site.campus().await;
    site.reset_sequences().await;
    let program = Program::on(site).set("inbox.settle=0").set("tasks.flatfile.enabled=false");
    let options =
        ["operation=add-update", "update=file", "change_email=yes", "rename=yes", "delete=yes", "suspend=yes"];
    let program = options
        .iter()
        .fold(program.set("profiles.u.kind=users"), |program, option| program.set(&format!("profiles.u.{option}")));
    program.set("profiles.m.kind=cohort-members")
}

/// Drops a file and processes it: the exit code, and the report of its run.
#[track_caller]
fn dropped(program: &Program, name: &str, text: &str) -> (i32, Json) {
    program.drop_file(name, text);
    let (code, told) = at_inbox(program).json(&["run", "--once"]);
    assert_eq!(told["reports"].as_array().map(Vec::len), Some(1), "{told}");
    (code, told["reports"][0].clone())
}

fn at_inbox(program: &Program) -> Program {
    program.clone().set(&format!("inbox.path={}", program.inbox().display()))
}

/// The passed limits, as `SCOPE WHAT COUNT of OF`.
fn breaches(report: &Json) -> Vec<String> {
    let line = |breach: &Json| {
        let text = |key: &str| breach[key].as_str().unwrap().to_owned();
        format!("{} {} {} of {}", text("scope"), text("what"), breach["count"], breach["of"])
    };
    report["breaches"].as_array().unwrap().iter().map(line).collect()
}

/// The sealed copies and the last names in the drop directory.
fn kept(program: &Program) -> (Vec<String>, Vec<String>) {
    let held = program.dir.join("state/held");
    let copies = if held.exists() { names(&held) } else { Vec::new() };
    let sealed = copies.into_iter().filter(|run| held.join(run).join("bytes.sealed").exists()).collect();
    (sealed, names(&program.inbox()).into_iter().filter(|name| !name.ends_with(".json")).collect())
}

async fn addresses(site: &mut Site) -> Vec<String> {
    let sql = "SELECT u.email FROM {user} u WHERE u.deleted = 0 AND u.username <> 'admin' AND u.id > 10 ORDER BY u.id";
    let rows = site.conn.rows(sql, &Params::new()).await.unwrap();
    rows.iter().map(|row| row.text(0)).take(3).collect()
}

async fn too_many_addresses_are_held_and_approved(mut site: Site) {
    let program = feeding(&mut site).await.set("guard.accounts.emails_max=2");
    let before = site.dump().await;
    let text = "username,email,city\nu1,a@example.org,\nu2,b@example.org,Caen\nu3,c@example.org,\nu4,U4@EXAMPLE.com,\n";
    let (code, held) = dropped(&program, "new.csv", text);
    assert_eq!(
        (code, &held["state"], breaches(&held)),
        (3, &json!("held"), vec!["accounts emails 3 of 11".to_owned()])
    );
    site.nothing_changed(&before, "held").await;
    let run = held["run"].to_string();
    assert_eq!(kept(&program), (vec![run.clone()], vec!["new.csv.held".to_owned()]));
    let (_, shown) = program.json(&["runs", &run]);
    let accounts = json!([{"kind": "accounts", "id": 0, "name": "", "changes":
        [{"change": "addressed", "count": 3, "users": ["u1", "u2", "u3"]}]}]);
    assert_eq!(shown["people"]["places"], accounts, "{shown}");
    let fr = program.clone().set("locale=fr");
    fr.run(&["runs", &run]).ends(0).says(&["comptes", "3 dont l'adresse change : u1, u2, u3"]);
    program.run(&["runs", &run]).ends(0).says(&["3 e-mail addresses changed, of 11 accounts (limit 2)"]);
    program.run(&["runs", &run, "--csv=people"]).ends(0).says(&["accounts,,addressed,u1\n"]);
    at_inbox(&program).run(&["approve", "--yes", &run]).ends(0);
    assert_eq!(addresses(&mut site).await, ["a@example.org", "b@example.org", "c@example.org"]);
    let (sealed, last) = kept(&program);
    assert_eq!((sealed.len(), last), (0, vec!["new.csv.done".to_owned()]));
    let (code, again) = dropped(&program, "again.csv", text);
    assert_eq!((code, &again["counts"]), (0, &json!({})), "there is nothing to change any more");
}

async fn too_many_new_names_are_held_and_rejected(mut site: Site) {
    let program = feeding(&mut site).await.set("guard.accounts.renames_max=1");
    let before = site.dump().await;
    let text = "username;oldusername;password\nx1;u1;Secret-2026\nx2;u2;Secret-2026\n";
    let (code, held) = dropped(&program, "new.csv", text);
    assert_eq!((code, breaches(&held)), (3, vec!["accounts renames 2 of 11".to_owned()]));
    let run = held["run"].to_string();
    let (_, shown) = program.json(&["runs", &run]);
    let renamed = json!([{"change": "renamed", "count": 2, "users": ["u1", "u2"]}]);
    assert_eq!(shown["people"]["places"][0]["changes"], renamed);
    let masked = fs::read_to_string(program.inbox().join("new.csv.held")).unwrap();
    assert_eq!(masked, "username;oldusername;password\nx1;u1;***\nx2;u2;***\n");
    at_inbox(&program).run(&["reject", &run]).ends(0);
    let (sealed, last) = kept(&program);
    // The profile changes no passwords, which is told.
    let names = ["new.csv.errors.csv", "new.csv.rejected", "new.csv.retry.csv"].map(str::to_owned);
    assert_eq!((sealed.len(), last), (0, names.to_vec()));
    site.nothing_changed(&before, "rejected").await;
}

async fn an_account_counts_once(mut site: Site) {
    let program = feeding(&mut site).await.set("guard.accounts.emails_max=2").set("guard.accounts.updates_max=2");
    let text = "username,email,city\nu1,a@example.org,\nu1,,Caen\nu2,d@example.org,\n";
    let (code, done) = dropped(&program, "new.csv", text);
    assert_eq!((code, breaches(&done), &done["counts"]["user.update"]), (0, vec![], &json!(3)));
    // Several steps are counted together.
    let text = "username,email,city\nu1,e@example.org,\nu1,,Rouen\nu2,g@example.org,\nu3,h@example.org,\n";
    let (code, held) = dropped(&program, "more.csv", text);
    let both = ["accounts updates 3 of 11", "accounts emails 3 of 11"];
    assert_eq!((code, breaches(&held)), (3, both.map(str::to_owned).to_vec()));
}

async fn deleted_and_suspended_accounts_are_limited(mut site: Site) {
    let program = feeding(&mut site).await.set("guard.accounts.at_least=1").set("guard.accounts.deletions_max=1");
    let before = site.dump().await;
    let text = "username,deleted,suspended,firstname,lastname,email\nu1,1,,,,\nu2,1,,,,\nu3,,1,,,\nu4,,1,,,\nu5,,1,,,\n\
                n1,,,A,B,n1@example.org\n";
    let (code, held) = dropped(&program, "new.csv", text);
    let both = ["accounts suspensions 3 of 11", "accounts deletions 2 of 11"];
    assert_eq!((code, breaches(&held)), (3, both.map(str::to_owned).to_vec()));
    site.nothing_changed(&before, "held").await;
    let (_, shown) = program.json(&["runs", &held["run"].to_string()]);
    let changes = json!([
        {"change": "removed", "count": 2, "users": ["u1", "u2"]},
        {"change": "suspended", "count": 3, "users": ["u3", "u4", "u5"]},
        {"change": "added", "count": 1, "users": ["n1"]},
    ]);
    assert_eq!(shown["people"]["places"][0]["changes"], changes);
    let warned = program.clone().set("guard.mode=warn");
    let (code, done) = dropped(&warned, "warned.csv", text);
    assert_eq!((code, breaches(&done)), (0, both.map(str::to_owned).to_vec()));
}

async fn members_whom_a_cohort_file_removes_are_limited(mut site: Site) {
    let program = feeding(&mut site).await.set("guard.accounts.member_removals_max=2");
    site.cohort(1, &[1, 2, 3, 4]).await;
    site.cohort(2, &[5]).await;
    let (code, held) = dropped(&program, "out.csv", "cmd;cidnumber;userid\nsync;h1;u1\nadd;h2;u6\n");
    assert_eq!((code, breaches(&held)), (3, vec!["accounts members 3 of 4".to_owned()]));
    let (_, shown) = program.json(&["runs", &held["run"].to_string()]);
    assert_eq!(shown["people"]["places"][0]["changes"][0]["users"], json!(["u2", "u3", "u4"]));
    program.run(&["runs", &held["run"].to_string()]).says(&["3 members removed from cohorts, of 4 members (limit 2)"]);
    assert_eq!(site.members().await.len(), 5);
    let (code, _) = dropped(&program, "fewer.csv", "cmd;cidnumber;userid\ndel;h1;u1\ndel;h1;u2\n");
    assert_eq!((code, site.members().await.len()), (0, 3));
}

//! Who may take the place of a line that waits, by each kind of key, and which later lines speak of it by another key or
//! role. It must not test what waits at all.

use crate::servers::on_each_database;
use crate::site::Site;

on_each_database!(
    a_registered_name_takes_no_place,
    a_registered_address_takes_no_place,
    a_suspended_account_with_the_number_takes_no_place,
    letters_beyond_ascii_are_found,
    an_account_of_another_host_is_not_found,
    a_later_line_by_another_key_speaks,
    a_later_line_of_another_role_takes_nothing,
    who_was_removed_later_is_not_enrolled,
    a_pass_that_finds_nobody_is_two_statements,
    many_accounts_need_hardly_more_statements,
);

impl Site {
    /// Imports one line `add;student;KEY;c1`.
    async fn waits_by(&mut self, kind: &str, key: &str) {
        self.ordered_by(kind, &format!("add;student;{key};c1\n")).await;
        assert_eq!(self.waiting().await, [format!("{} c1 user waiting", key.to_lowercase())]);
    }

    async fn ordered_by(&mut self, kind: &str, lines: &str) {
        self.set("flatfile.header.user_key", kind);
        let file = self.write(format!("operation;role;user;course\n{lines}"));
        self.engine().import(&file, false).await.unwrap();
    }

    async fn registered(&mut self, id: i64, name: &str, mail: &str, auth: &str) {
        self.new_account(id, name, auth).await;
        self.sql(&format!("UPDATE {{user}} SET email = '{mail}' WHERE id = {id}")).await;
    }

    async fn nobody_is_found(&mut self) {
        assert!(!self.engine().finds_waiting().await.unwrap());
        let before = self.dump().await;
        self.pass().await;
        self.nothing_changed(&before, "a pass that finds nobody").await;
    }

    async fn somebody_is_found(&mut self, who: &str) {
        assert!(self.engine().finds_waiting().await.unwrap());
        self.pass().await;
        assert_eq!(self.enrolments().await, [format!("{who} c1 flatfile")]);
        assert!(!self.engine().finds_waiting().await.unwrap());
    }
}

async fn a_registered_name_takes_no_place(mut site: Site) {
    site.waiting_campus().await;
    site.waits_by("username", "Prof").await;
    site.new_account(900, "PROF", "email").await;
    site.nobody_is_found().await;
    site.sql("UPDATE {user} SET username = 'prof' WHERE id = 900").await;
    site.nobody_is_found().await;
    site.sql("UPDATE {user} SET username = 'other' WHERE id = 900").await;
    site.new_account(901, "pRof", "ldap").await;
    site.somebody_is_found("pRof").await;
}

async fn a_registered_address_takes_no_place(mut site: Site) {
    site.waiting_campus().await;
    site.waits_by("email", "Prof@Example.org").await;
    site.registered(900, "taker", "PROF@example.org", "email").await;
    site.nobody_is_found().await;
    // The one who may not is not one of two.
    site.registered(901, "proper", "prof@EXAMPLE.org", "manual").await;
    site.somebody_is_found("proper").await;
}

async fn a_suspended_account_with_the_number_takes_no_place(mut site: Site) {
    site.waiting_campus().await;
    site.waits_by("idnumber", "n-7").await;
    site.new_account(900, "gone", "manual").await;
    site.sql("UPDATE {user} SET idnumber = 'n-7', suspended = 1 WHERE id = 900").await;
    site.nobody_is_found().await;
    site.new_account(901, "here", "email").await;
    site.sql("UPDATE {user} SET idnumber = 'n-7' WHERE id = 901").await;
    site.somebody_is_found("here").await;
}

async fn letters_beyond_ascii_are_found(mut site: Site) {
    site.waiting_campus().await;
    site.waits_by("username", "ève.lÉger").await;
    site.registered(900, "ÈVE.LÉGER", "eve@example.org", "email").await;
    site.pass().await;
    assert_eq!(site.enrolments().await, [""; 0]);
    site.sql("UPDATE {user} SET auth = 'manual' WHERE id = 900").await;
    site.somebody_is_found("ÈVE.LÉGER").await;
    site.ordered_by("email", "add;teacher;zoË@example.org;c1\n").await;
    site.registered(901, "zoe", "ZOË@Example.org", "manual").await;
    assert!(site.engine().finds_waiting().await.unwrap());
    site.pass().await;
    assert_eq!(site.roles().await, ["zoe c1 teacher flatfile", "ÈVE.LÉGER c1 student flatfile"]);
}

async fn an_account_of_another_host_is_not_found(mut site: Site) {
    site.waiting_campus().await;
    site.waits_by("username", "ann").await;
    site.new_account(900, "ann", "mnet").await;
    site.sql("UPDATE {user} SET mnethostid = 7 WHERE id = 900").await;
    site.nobody_is_found().await;
}

async fn a_later_line_by_another_key_speaks(mut site: Site) {
    site.waiting_campus().await;
    site.ordered_by("username", "add;student;ann;c1\nadd;teacher;ann;c1\nadd;student;bob;c1\n").await;
    site.ordered_by("email", "add;student;ann@example.org;c1\n").await;
    site.new_account(900, "Ann", "manual").await;
    site.new_account(901, "bob", "email").await;
    // It ends nothing, and the line that came before it is not applied all the same.
    site.ordered_by("idnumber", "del;student;n-Ann;c1\ndel;student;n-bob;c1\n").await;
    let states =
        ["ann c1 user cancelled", "ann c1 user waiting", "bob c1 user waiting", "ann@example.org c1 user cancelled"];
    assert_eq!(site.waiting().await, states, "bob has only registered his name");
    site.pass().await;
    assert_eq!(site.roles().await, ["Ann c1 teacher flatfile"]);
}

async fn a_later_line_of_another_role_takes_nothing(mut site: Site) {
    site.waiting_campus().await;
    site.ordered_by("username", "add;teacher;ann;c1\n").await;
    site.new_account(900, "ann", "manual").await;
    site.ordered_by("username", "add;student;ann;c1\n").await;
    assert_eq!(site.roles().await, ["ann c1 student flatfile"]);
    site.pass().await;
    assert_eq!(site.roles().await, ["ann c1 student flatfile", "ann c1 teacher flatfile"]);
    assert_eq!(site.waiting().await, ["ann c1 user applied"]);
}

async fn who_was_removed_later_is_not_enrolled(mut site: Site) {
    site.waiting_campus().await;
    site.setting("unenrolaction", Some("0")).await;
    site.ordered_by("username", "add;teacher;ann;c1\n").await;
    site.new_account(900, "ann", "manual").await;
    site.ordered_by("username", "add;student;ann;c1\n").await;
    site.ordered_by("username", "del;student;ann;c1\n").await;
    assert_eq!(site.enrolments().await, [""; 0]);
    site.pass().await;
    assert_eq!(site.enrolments().await, [""; 0]);
    assert_eq!(site.waiting().await, ["ann c1 user superseded"]);
}

async fn a_pass_that_finds_nobody_is_two_statements(mut site: Site) {
    site.waiting_campus().await;
    for (kind, key) in [("username", "a"), ("email", "b@example.org"), ("idnumber", "N-c"), ("username", "é")] {
        site.ordered_by(kind, &format!("add;student;{key};c1\nadd;student;{key};nowhere\n")).await;
    }
    let engine = site.engine();
    let before = engine.database.statements();
    engine.database.connect().await.unwrap().close().await;
    let opening = engine.database.statements() - before;
    assert!(!engine.finds_waiting().await.unwrap());
    assert_eq!(
        engine.database.statements() - before - 2 * opening,
        2,
        "statements beside those that open a connection"
    );
}

/// 1,000 lines, then 4,000: their 8,000 changes take effect in few chunks more.
async fn many_accounts_need_hardly_more_statements(mut site: Site) {
    const FEW: i64 = 1_000;
    const MANY: i64 = 4_000;
    site.waiting_campus().await;
    // The heartbeat of the lease sends statements at intervals: here it never does.
    site.set("run.lease_ttl", "3600");
    let lines: String = (0..FEW + MANY).map(|who| format!("add;student;p{who};c1\n")).collect();
    site.ordered_by("username", &lines).await;
    site.ordered_by("username", "add;student;u1;c1\n").await;
    let mut counted = Vec::new();
    for (from, to) in [(0, FEW), (FEW, FEW + MANY)] {
        let all: Vec<i64> = (from..to).collect();
        for some in all.chunks(500) {
            let rows: Vec<String> =
                some.iter().map(|who| format!("({}, 'p{who}', 1, 1, 'manual')", 1_000 + who)).collect();
            let insert = "INSERT INTO {user} (id, username, mnethostid, confirmed, auth) VALUES";
            site.sql(&format!("{insert} {}", rows.join(", "))).await;
        }
        let report = site.pass().await;
        assert_eq!(report.counts["enrolment.add"], to - from);
        counted.push(report.statements);
    }
    let effects = 8 * (2 * MANY as u64).div_ceil(5_000);
    assert!(counted[1] <= counted[0] + effects, "{}: {counted:?}", site.conn.dialect().name());
}

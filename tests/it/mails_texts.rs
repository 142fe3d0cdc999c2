//! Texts of mails that a site replaces: what is sent, and what is refused at the start, at a reload and when sending,
//! with file and line. It must not test the forms of a text.

use enrold::db::Dialect;

use crate::mails_queue::with_mails;
use crate::program::Program;
use crate::running::names;
use crate::servers::run_on;
use crate::site::Site;
use crate::smtp::{Manners, Server};

const ONE: &str = "operation,username,course,role\nadd,u1,c1,student\n";

async fn mailing(site: &mut Site, server: &Server) -> Program {
    with_mails(site).await;
    site.setting("mailstudents", Some("1")).await;
    let program = Program::on(site);
    let texts = program.write("one.csv", ONE).parent().unwrap().join("texts");
    std::fs::create_dir(&texts).unwrap();
    program
        .set("guard.mode=off")
        .set("smtp.enabled=true")
        .set("smtp.security=none")
        .set("smtp.from=noreply@example.com")
        .set(&format!("smtp.port={}", server.port))
        .set(&format!("mail.templates={}", texts.display()))
}

#[test]
fn a_text_of_the_site_is_sent() {
    run_on(Dialect::Lite, |mut site: Site| async move {
        let server = Server::start(Manners::default()).await;
        let program = mailing(&mut site, &server).await;
        program.write("texts/flatfile-student.en.txt", "Subject: UE {shortname}\n\nDear {name}, see {course}.\n");
        program.write("texts/.draft.txt", "not read");
        program.run(&["import", "--yes", "one.csv"]).ends(0);
        let mail = &server.taken()[0];
        assert_eq!(mail.header("Subject").as_deref(), Some("UE c1"));
        assert!(mail.body().starts_with("Dear Prénom1 Nom, see c1."), "{}", mail.body());
    });
}

#[test]
fn a_text_that_is_wrong_stops_the_start_and_no_mail_is_lost() {
    run_on(Dialect::Lite, |mut site: Site| async move {
        let server = Server::start(Manners::default()).await;
        let program = mailing(&mut site, &server).await;
        let bad = program.write("texts/welcome.fr.txt", "Subject: {course}\n\nBonjour {nom},\n");
        let told = format!("{}:3: there is no placeholder {{nom}} here, but {{course}}, {{name}}", bad.display());
        let mut daemon = program.start();
        assert!(!daemon.ended().success());
        assert!(daemon.log().contains(&told), "{}", daemon.log());
        program.run(&["doctor"]).says(&[&told]);
        program.run(&["import", "--yes", "one.csv"]).ends(0);
        assert!(server.taken().is_empty());
        program.run(&["mails", "send"]).ends(1).logs(&[&told]);
        program.write("texts/welcome.fr.txt", "Subject: {course}\n\nBonjour {name},\n");
        let mut daemon = program.start();
        daemon.until("the mail that waited", || server.taken().len() == 1);
        program.write("texts/welcome.fr.txt", "Subject: {course}\n\nBonjour {nom},\n");
        daemon.signal("HUP");
        daemon.until_logged("the old one stays in force");
        assert!(daemon.log().contains(&told), "{}", daemon.log());
        assert_eq!(names(bad.parent().unwrap()), ["welcome.fr.txt"]);
        daemon.stop();
    });
}

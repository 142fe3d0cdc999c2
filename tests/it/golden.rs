//! The golden cases of the flat file: the result of a real Moodle for the same input, compared on each database.
//! It must not know how equality is judged; it lists, row by row, where enrold differs on purpose.

use std::fs;

use crate::dump::{Dump, EFFECTS, assert_same, text, without, without_ids};
use crate::golden_case::{folder, load, moodle_left};
use crate::golden_equal::{Clocks, Difference, assert_equal};
use crate::rebuild::rebuild;
use crate::servers::on_each_database;
use crate::site::Site;

on_each_database!(f01_lines_of_every_sort, f02_buffer, f03_del_unenrols, f05_del_is_kept, f08_one_line,);

async fn f01_lines_of_every_sort(site: Site) {
    let twice = "two accounts have the idnumber xu39: enrold refuses the line, Moodle takes the first";
    let course = "two courses have the idnumber xc8: enrold refuses the line, Moodle takes the first";
    let start = "the start `abc` is no time: enrold refuses the line, Moodle reads 0";
    let moodle = Difference::only_moodle;
    let case = FileCase {
        name: "f01",
        clocks: Clocks::between(1_795_299_194, 1_795_299_195),
        differences: vec![
            moodle("user_enrolments", &[("userid", "41")], twice),
            moodle("role_assignments", &[("userid", "41")], twice),
            moodle("cache_flags", &[("name", "41")], twice),
            moodle(LOG, &[("relateduserid", "41"), ("action", "created")], twice),
            moodle(LOG, &[("relateduserid", "41"), ("action", "assigned")], twice),
            moodle("enrol", &[("enrol", "flatfile"), ("courseid", "9")], course),
            moodle(LOG, &[("objecttable", "enrol"), ("courseid", "9")], course),
            moodle("user_enrolments", &[("userid", "15")], course),
            moodle("role_assignments", &[("userid", "15")], course),
            moodle("cache_flags", &[("name", "15")], course),
            moodle(LOG, &[("relateduserid", "15"), ("action", "created")], course),
            moodle(LOG, &[("relateduserid", "15"), ("action", "assigned")], course),
            moodle("user_enrolments", &[("userid", "16")], start),
            moodle("role_assignments", &[("userid", "16")], start),
            moodle("cache_flags", &[("name", "16")], start),
            moodle(LOG, &[("relateduserid", "16"), ("action", "created")], start),
            moodle(LOG, &[("relateduserid", "16"), ("action", "assigned")], start),
            moodle(
                LOG,
                &[("relateduserid", "22"), ("action", "updated")],
                "consecutive adds of xu20 in xc6 are one step: the window changes once, not twice",
            ),
        ],
        // Lines of the file add and remove xu3 and xu15; xu9 is added with an end in the past.
        churning: &["5", "17", "11"],
    };
    case.prove(site).await;
}

async fn f02_buffer(site: Site) {
    let merged = Difference::only_moodle(
        LOG,
        &[("relateduserid", "8"), ("action", "updated")],
        "two due adds of xu6 in xc1 are one step: the enrolment is created with its final window",
    );
    let clocks = Clocks::between(1_795_299_202, 1_795_299_202);
    FileCase { name: "f02", clocks, differences: vec![merged], churning: &[] }.prove(site).await;
}

async fn f03_del_unenrols(site: Site) {
    let clocks = Clocks::between(1_795_299_216, 1_795_299_216);
    FileCase { name: "f03", clocks, differences: Vec::new(), churning: &[] }.prove(site).await;
}

async fn f05_del_is_kept(site: Site) {
    let clocks = Clocks::between(1_795_299_233, 1_795_299_233);
    FileCase { name: "f05", clocks, differences: Vec::new(), churning: &[] }.prove(site).await;
}

async fn f08_one_line(site: Site) {
    let clocks = Clocks::between(1_795_299_257, 1_795_299_257);
    FileCase { name: "f08", clocks, differences: Vec::new(), churning: &[] }.prove(site).await;
}

const LOG: &str = "logstore_standard_log";

/// A case with an input file.
struct FileCase {
    name: &'static str,
    clocks: Clocks,
    differences: Vec<Difference>,
    /// Users with new events when the file is imported again, because its lines cancel each other.
    churning: &'static [&'static str],
}

impl FileCase {
    async fn prove(&self, mut site: Site) {
        load(&mut site, self.name).await;
        site.at(self.clocks.from);
        // A line of f01 begins 7 seconds after 1970, as Moodle takes it.
        site.set("flatfile.small_times", "accept");
        let engine = site.engine();
        let file = fs::read_to_string(folder(self.name).join("input.txt")).ok().map(|text| site.write(&text));
        let before = site.dump().await;

        if let Some(file) = &file {
            engine.import(file, true).await.unwrap();
        }
        engine.sync_flatfile(true).await.unwrap();
        site.nothing_changed(&before, "simulated").await;

        if let Some(file) = &file {
            engine.import(file, false).await.unwrap();
        }
        engine.sync_flatfile(false).await.unwrap();
        let after = site.dump().await;
        assert_equal(&before, &moodle_left(self.name), &after, self.clocks, &self.differences);

        let rebuilt = rebuild(&mut site, 0, &after).await;
        assert_same(&without(before, &EFFECTS), &without(rebuilt, &EFFECTS), "rebuilt from the journal");

        engine.sync_flatfile(false).await.unwrap();
        site.nothing_changed(&after, "a second sync").await;
        if let Some(file) = &file {
            engine.import(file, false).await.unwrap();
            engine.sync_flatfile(false).await.unwrap();
            self.same_site(&after, &site.dump().await);
        }
    }

    /// The same file again: the same site, and events only of users whose lines cancel each other.
    fn same_site(&self, after: &Dump, again: &Dump) {
        let site = |dump: &Dump| without_ids(without(dump.clone(), &[LOG]));
        assert_same(&site(after), &site(again), "the same file again");
        for event in &again[LOG][after[LOG].len()..] {
            let user = text(event, "relateduserid");
            assert!(self.churning.contains(&user), "the same file again makes an event: {event:?}");
        }
    }
}

//! Courses that a set describes: which rows become courses, what is created with them, and which rows are refused.
//! It must not apply a set of enrolments; the rows of courses are in the test.

use enrold::change::courses::NewCourses;
use enrold::db::Params;
use enrold::outcome::Note;

use crate::campus::set;
use crate::course_maker::terms;
use crate::dump::text;
use crate::servers::on_each_database;
use crate::site::{NOW, Site};

on_each_database!(
    a_row_becomes_a_course,
    without_a_category_the_default_one,
    categories_by_idnumber,
    an_unknown_category_makes_no_course,
    existing_courses_are_left_alone,
    a_taken_idnumber_is_refused,
    of_several_rows_the_last_one_counts,
    names_that_are_missing_or_too_long,
    short_names_that_moodle_takes_for_one,
    the_site_says_how_courses_begin,
    a_template_lends_its_settings,
    a_template_that_is_gone,
    methods_follow_the_sites_settings,
    a_category_without_end,
    somebody_was_faster,
);

impl Site {
    /// All courses except those of the campus, by short name: `shortname fullname idnumber category`.
    pub async fn made(&mut self) -> Vec<String> {
        let dump = self.dump().await;
        let old = ["front", "c1", "c2", "c3"];
        let rows = dump["course"].iter().filter(|row| !old.contains(&text(row, "shortname")));
        let columns = ["shortname", "fullname", "idnumber", "category"];
        let mut made: Vec<_> = rows.map(|row| columns.map(|column| text(row, column)).join(" ")).collect();
        made.sort();
        made
    }

    /// One column of the course with this short name.
    pub async fn of_course(&mut self, shortname: &str, column: &str) -> String {
        let dump = self.dump().await;
        let row = dump["course"].iter().find(|row| text(row, "shortname") == shortname);
        text(row.unwrap(), column).to_owned()
    }

    /// The rows of a table that belong to this course, as `column column`.
    pub async fn inside(&mut self, shortname: &str, table: &str, key: &str, columns: &[&str]) -> Vec<String> {
        let id = self.of_course(shortname, "id").await;
        let dump = self.dump().await;
        let rows = dump[table].iter().filter(|row| text(row, key) == id);
        rows.map(|row| columns.iter().map(|column| text(row, column)).collect::<Vec<_>>().join(" ")).collect()
    }

    /// A default of new courses.
    pub async fn default(&mut self, name: &str, value: &str) {
        self.insert("config_plugins", &set("moodlecourse", name, value)).await;
    }
}

async fn a_row_becomes_a_course(mut site: Site) {
    site.catalogue().await;
    let made = site.courses("fullname,shortname,idnumber,category\nNew one,n1,N-1,2\n", &terms(), NOW).await;
    assert_eq!((made.errors.len(), made.counts["course.add"], made.counts["context.add"]), (0, 1, 1));
    assert_eq!((made.counts["section.add"], made.counts["instance.add"], made.counts["category.count"]), (5, 3, 1));
    assert_eq!(site.made().await, ["n1 New one N-1 2"]);
    assert_eq!(site.of_course("n1", "sortorder").await, "20001");
    // 21 November 2026 at midnight, and one year later.
    assert_eq!(site.of_course("n1", "startdate").await, "1795219200");
    assert_eq!(site.of_course("n1", "enddate").await, "1826755200");
    let context = site.inside("n1", "context", "instanceid", &["contextlevel", "id", "path", "depth"]).await;
    let id = context[0].split(' ').nth(1).unwrap();
    assert_eq!(context, [format!("50 {id} /1/4/{id} 3")]);
    let sections = site.inside("n1", "course_sections", "course", &["section", "visible"]).await;
    assert_eq!(sections, ["0 1", "1 1", "2 1", "3 1", "4 1"]);
    let methods = site.inside("n1", "enrol", "courseid", &["enrol", "sortorder", "status"]).await;
    assert_eq!(methods, ["manual 0 0", "guest 1 1", "self 2 1"]);
    let options =
        site.inside("n1", "course_format_options", "courseid", &["format", "name", "value", "sectionid"]).await;
    assert_eq!(options.iter().filter(|option| option.starts_with("topics ")).count(), 2);
}

async fn without_a_category_the_default_one(mut site: Site) {
    site.catalogue().await;
    let rows = "fullname,shortname,category\nA,a,\nB,b,0\n";
    site.courses(rows, &NewCourses { default_category: 2, ..terms() }, NOW).await;
    assert_eq!(site.made().await, ["a A  2", "b B  2"]);
    // The course that was created last is sorted first.
    assert_eq!((site.of_course("b", "sortorder").await, site.of_course("a", "sortorder").await).0, "20001");
    // The default category does not exist: the site's first category is used, with a note.
    let made = site.courses("fullname,shortname\nC,c\n", &NewCourses { default_category: 99, ..terms() }, NOW).await;
    assert_eq!(made.notes, [Note::CategoryGone(99)]);
    assert_eq!(site.of_course("c", "category").await, "1");
    assert_eq!(made.counts["course.sort"], 3, "the three courses that were there moved down by one");
    assert_eq!(site.of_course("c", "sortorder").await, "10001");
    assert_eq!(site.of_course("c1", "sortorder").await, "10002");
}

async fn categories_by_idnumber(mut site: Site) {
    site.catalogue().await;
    let by_idnumber = NewCourses { category_by_idnumber: true, ..terms() };
    let made = site.courses("category,shortname,fullname\ncat2,a,A\n2,b,B\nCAT2,c,C\n", &by_idnumber, NOW).await;
    assert_eq!(made.errors, ["3 category-unknown b 2", "4 category-unknown c CAT2"]);
    site.sql("UPDATE {course_categories} SET idnumber = 'cat2' WHERE id = 1").await;
    let made = site.courses("category,shortname,fullname\ncat2,d,D\n", &by_idnumber, NOW).await;
    assert_eq!(made.errors, ["2 category-ambiguous d cat2"]);
    assert_eq!(site.made().await, ["a A  2"]);
}

async fn an_unknown_category_makes_no_course(mut site: Site) {
    site.catalogue().await;
    let made = site.courses("fullname,shortname,category\nA,a,77\nB,b,x\nC,c,2\n", &terms(), NOW).await;
    assert_eq!(made.errors, ["2 category-unknown a 77", "3 category-unknown b x"]);
    // Without the column, the same rows use the default category.
    site.courses("fullname,shortname\nA,a\nB,b\nC,c\n", &terms(), NOW).await;
    assert_eq!(site.made().await, ["a A  1", "b B  1", "c C  2"]);
}

async fn existing_courses_are_left_alone(mut site: Site) {
    site.catalogue().await;
    let before = site.dump().await;
    let made = site.courses("fullname,shortname,idnumber,category\nRenamed,c1,other,2\n,,,\n", &terms(), NOW).await;
    assert_eq!(made.errors, ["3 course-name-missing  fullname"]);
    site.nothing_changed(&before, "an existing short name").await;
}

async fn a_taken_idnumber_is_refused(mut site: Site) {
    site.catalogue().await;
    let made = site.courses("fullname,shortname,idnumber\nA,a,c2\nB,b,\nC,c,\n", &terms(), NOW).await;
    assert_eq!(made.errors, ["2 course-idnumber-taken a c2"]);
    assert_eq!(site.made().await, ["b B  1", "c C  1"]);
}

async fn of_several_rows_the_last_one_counts(mut site: Site) {
    site.catalogue().await;
    let rows = "fullname,shortname,idnumber\nA,a,1\nA later,a,1\nB,b,2\nB,b,2\nC,c,3\nD,d,3\nE,e,4\nE bad,e,c1\n";
    let made = site.courses(rows, &terms(), NOW).await;
    assert_eq!(made.errors, ["2 course-twice a 3", "6 course-twice c 7", "9 course-idnumber-taken e c1"]);
    assert_eq!(site.made().await, ["a A later 1 1", "b B 2 1", "d D 3 1", "e E 4 1"]);
}

async fn names_that_are_missing_or_too_long(mut site: Site) {
    site.catalogue().await;
    let (long, longer) = ("x".repeat(254), "é".repeat(255));
    let rows = format!(
        "fullname,shortname,idnumber\n,a,n\nB,,\n0,c,\n{longer},d,\n{long},e,\nF,{long}yz,\nG,g,{}\n",
        "9".repeat(101)
    );
    let made = site.courses(&rows, &terms(), NOW).await;
    let begin = "é".repeat(40);
    let expected = [
        "2 course-name-missing a, n fullname".to_owned(),
        "3 course-name-missing B shortname".to_owned(),
        "4 course-name-missing 0, c fullname".to_owned(),
        format!("5 course-name-too-long {begin} 254 (fullname)"),
        format!("7 course-name-too-long {} 255 (shortname)", "x".repeat(40)),
        format!("8 course-name-too-long {} 100 (idnumber)", "9".repeat(40)),
    ];
    assert_eq!(made.errors, expected);
    assert_eq!(site.of_course("e", "fullname").await, long);
}

/// MariaDB's usual collation treats `É` as `e`: Moodle could neither create the second course nor tell them apart.
async fn short_names_that_moodle_takes_for_one(mut site: Site) {
    site.catalogue().await;
    let made = site.courses("fullname,shortname,idnumber\nA,C1,\nB,été,x\nC,ete,X\n", &terms(), NOW).await;
    if site.conn.dialect() == enrold::db::Dialect::Maria {
        assert_eq!(made.errors, ["2 course-shortname-taken C1 c1", "3 course-twice été 4"]);
        assert_eq!(site.made().await, ["ete C X 1"]);
    } else {
        assert!(made.errors.is_empty());
        assert_eq!(site.made().await, ["C1 A  1", "ete C X 1", "été B x 1"]);
    }
}

async fn the_site_says_how_courses_begin(mut site: Site) {
    site.catalogue().await;
    for (name, value) in [("format", "weeks"), ("numsections", "2"), ("newsitems", "0"), ("visible", "0")] {
        site.default(name, value).await;
    }
    for (name, value) in [("courseenddateenabled", "0"), ("lang", "fr"), ("groupmode", "2"), ("hiddensections", "0")] {
        site.default(name, value).await;
    }
    let paris = NewCourses { zone: chrono_tz::Europe::Paris, ..terms() };
    site.courses("fullname,shortname\nA,a\n", &paris, NOW).await;
    for (column, value) in [("format", "weeks"), ("newsitems", "0"), ("visible", "0"), ("visibleold", "0")] {
        assert_eq!(site.of_course("a", column).await, value, "{column}");
    }
    for (column, value) in [("enddate", "0"), ("lang", "fr"), ("groupmode", "2"), ("startdate", "1795215600")] {
        assert_eq!(site.of_course("a", column).await, value, "{column}");
    }
    assert_eq!(site.inside("a", "course_sections", "course", &["section"]).await, ["0", "1", "2"]);
    let options = site.inside("a", "course_format_options", "courseid", &["format", "name", "value"]).await;
    assert!(options.contains(&"weeks hiddensections 0".to_owned()), "{options:?}");
    // Another course format adds its own options when Moodle shows the course.
    site.sql("UPDATE {config_plugins} SET value = 'social' WHERE plugin = 'moodlecourse' AND name = 'format'").await;
    let made = site.courses("fullname,shortname\nB,b\n", &terms(), NOW).await;
    assert!(!made.counts.contains_key("format-option.add"));
}

async fn a_template_lends_its_settings(mut site: Site) {
    site.catalogue().await;
    site.sql(
        "UPDATE {course} SET format = 'tiles', summary = 'S', visible = 0, visibleold = 1, lang = 'eu', startdate = 5, enddate = 6,
                newsitems = 9, marker = 3, defaultgroupingid = 8, requested = 1 WHERE shortname = 'c1'",
    )
    .await;
    for section in 0..=666 {
        site.insert("course_sections", &[("course", 21.into()), ("section", section.into())]).await;
    }
    let tile =
        [("courseid", 21.into()), ("format", "tiles".into()), ("name", "colour".into()), ("value", "red".into())];
    site.insert("course_format_options", &tile).await;
    let other =
        [("courseid", 21.into()), ("format", "weeks".into()), ("name", "colour".into()), ("value", "no".into())];
    site.insert("course_format_options", &other).await;
    site.reset_sequences().await;
    let made =
        site.courses("fullname,shortname\nA,a\n", &NewCourses { template: "c1".to_owned(), ..terms() }, NOW).await;
    assert_eq!(made.counts["section.add"], 667);
    let lent = [
        ("format", "tiles"),
        ("summary", "S"),
        ("visible", "0"),
        ("visibleold", "0"),
        ("lang", "eu"),
        ("startdate", "5"),
        // The site's length of courses, as in Moodle.
        ("enddate", "31536005"),
    ];
    let own = [("fullname", "A"), ("idnumber", ""), ("marker", "0"), ("defaultgroupingid", "0"), ("requested", "0")];
    for (column, value) in lent.into_iter().chain(own) {
        assert_eq!(site.of_course("a", column).await, value, "{column}");
    }
    let options = site.inside("a", "course_format_options", "courseid", &["format", "name", "value"]).await;
    assert_eq!(options, ["tiles colour red"]);
}

async fn a_template_that_is_gone(mut site: Site) {
    site.catalogue().await;
    let gone = NewCourses { template: "nothing".to_owned(), ..terms() };
    let made = site.courses("fullname,shortname\nA,a\n", &gone, NOW).await;
    assert_eq!(made.notes, [Note::TemplateGone("nothing".to_owned())]);
    assert_eq!((site.of_course("a", "format").await, made.counts["section.add"]), ("topics".to_owned(), 5));
}

async fn methods_follow_the_sites_settings(mut site: Site) {
    site.catalogue().await;
    let settings = [
        ("enrol_manual", "defaultenrol", "0"),
        ("enrol_self", "status", "0"),
        ("enrol_self", "expirynotify", "2"),
        ("enrol_self", "newenrols", "0"),
        ("enrol_guest", "status", "0"),
        ("enrol_guest", "requirepassword", "1"),
        ("enrol_manual", "sendcoursewelcomemessage", "2"),
    ];
    for (plugin, name, value) in settings {
        site.insert("config_plugins", &set(plugin, name, value)).await;
    }
    site.courses("fullname,shortname\nA,a\n", &terms(), NOW).await;
    let columns = ["enrol", "sortorder", "status", "roleid", "expirynotify", "notifyall", "customint6"];
    // If guest access requires a key, the method stays disabled until a teacher sets one.
    let methods = site.inside("a", "enrol", "courseid", &columns).await;
    assert_eq!(methods, ["guest 0 1 0 0 0 ", "self 1 0 5 1 1 0"]);
    site.sql("UPDATE {config_plugins} SET value = '1' WHERE plugin = 'enrol_manual' AND name = 'defaultenrol'").await;
    site.courses("fullname,shortname\nB,b\n", &terms(), NOW).await;
    let welcome = site.inside("b", "enrol", "courseid", &["enrol", "customint1"]).await;
    assert!(welcome.contains(&"manual 2".to_owned()), "{welcome:?}");
}

/// A hundred courses need no more statements than one.
async fn a_category_without_end(mut site: Site) {
    site.catalogue().await;
    let one = site.courses("fullname,shortname\nA,a\n", &terms(), NOW).await;
    let rows: String = (0..100).map(|n| format!("Course {n},many{n},\n")).collect();
    let many = site.courses(&format!("fullname,shortname,idnumber\n{rows}"), &terms(), NOW).await;
    assert_eq!((many.counts["course.add"], many.counts["section.add"], many.refused), (100, 500, 0));
    assert_eq!(many.counts["course.sort"], 4, "each course that stood there once");
    assert!(many.statements <= one.statements + 2, "{} and {}", one.statements, many.statements);
    assert_eq!(site.of_course("many99", "sortorder").await, "10001");
    assert_eq!(site.of_course("c3", "sortorder").await, "10104");
}

/// Another writer creates a course with the same name between plan and apply.
async fn somebody_was_faster(mut site: Site) {
    site.catalogue().await;
    let trigger = match site.conn.dialect() {
        enrold::db::Dialect::Lite => {
            "CREATE TRIGGER faster AFTER INSERT ON enrold_change WHEN NEW.kind = 'course.add' AND NEW.line = 2
             BEGIN INSERT INTO mdl_course (fullname, shortname, idnumber, category) VALUES ('Theirs', 'a', '', 2); END"
        }
        _ => return,
    };
    site.conn.command(trigger).await.unwrap();
    let made = site.courses_once("fullname,shortname\nA,a\nB,b\n", &terms(), NOW, false).await;
    assert_eq!(made.errors, ["2 overtaken a"]);
    assert_eq!(made.counts["course.add"], 1);
    assert_eq!(site.made().await, ["a Theirs  2", "b B  1"]);
    let id = site.of_course("b", "id").await;
    let sections = site.inside("b", "course_sections", "course", &["course"]).await;
    assert_eq!(sections, vec![id; 5]);
    let state = "SELECT COUNT(*) FROM {enrold_change} WHERE kind = 'course.add' AND state = 1";
    assert_eq!(site.conn.number(state, &Params::new()).await.unwrap(), 1);
}

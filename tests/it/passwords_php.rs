//! Hashes that PHP has made fit here, and PHP takes those that are made here (`tests/php`). It must not test which account
//! gets which hash.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};

use enrold::accounts::password::Hasher;
use enrold::db::Dialect;
use enrold::moodle::site::Site as Settings;

use crate::servers::run_on;
use crate::site::Site;

fn hashes() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/php/hashes.tsv")).unwrap()
}

/// Versions of Moodle that hash by bcrypt and by SHA-512.
const VERSIONS: [&str; 2] = ["2022112800", "2024100700"];

/// The maker, the password and the hash of each line.
fn known() -> Vec<[String; 3]> {
    let line = |line: &str| {
        let cells: Vec<&str> = line.split('\t').collect();
        [cells[0].to_owned(), serde_json::from_str(cells[1]).unwrap(), cells[2].to_owned()]
    };
    hashes().lines().map(line).collect()
}

impl Site {
    async fn hasher(&mut self, version: &str) -> Hasher {
        self.sql("DELETE FROM {config} WHERE name = 'version'").await;
        self.insert("config", &[("name", "version".into()), ("value", version.into())]).await;
        Hasher::of(&Settings::read(&mut self.conn).await.unwrap(), Vec::new())
    }
}

#[test]
fn hashes_that_php_has_made_fit() {
    run_on(Dialect::Lite, |mut site| async move {
        site.campus().await;
        let hasher = site.hasher(VERSIONS[1]).await;
        let known = known();
        let makers: BTreeSet<_> = known.iter().map(|[maker, ..]| maker.as_str()).collect();
        assert_eq!(makers, BTreeSet::from(["enrold", "php"]));
        let pairs = known.iter().map(|[_, password, hash]| (password.as_str().into(), hash.clone()));
        let wrong = known.iter().map(|[_, password, hash]| (format!("-{password}").into(), hash.clone()));
        let fit = hasher.fit(pairs.chain(wrong).collect()).await;
        for ([maker, password, hash], fits) in known.iter().zip(&fit) {
            assert!(fits, "{maker}'s {hash} of {password:?}");
        }
        assert!(fit[known.len()..].iter().all(|fits| !fits), "wrong passwords");
    });
}

/// The hashes in the file were taken by PHP; where it is installed, those that are made now are too.
#[test]
fn hashes_that_php_takes() {
    run_on(Dialect::Lite, |mut site| async move {
        site.campus().await;
        let passwords: BTreeSet<String> = known().into_iter().map(|[_, password, _]| password).collect();
        let mut lines = String::new();
        for version in VERSIONS {
            let hasher = site.hasher(version).await;
            let hashes = hasher.hashes(passwords.iter().map(|password| password.as_str().into()).collect()).await;
            for (password, hash) in passwords.iter().zip(hashes.unwrap()) {
                lines += &format!("enrold\t{}\t{hash}\n", serde_json::to_string(password).unwrap());
            }
        }
        // Same forms as in the file: what PHP has taken there says something about these.
        let form = |hash: &str| (hash.rsplit_once('$').unwrap().0.len(), hash.len(), hash[..4].to_owned());
        let forms = |text: &str| -> BTreeSet<_> {
            let ours = text.lines().filter(|line| line.starts_with("enrold\t"));
            ours.map(|line| form(line.rsplit_once('\t').unwrap().1)).collect()
        };
        println!("{lines}");
        assert_eq!(forms(&lines), forms(&hashes()));
        let mut php = Command::new("php");
        php.args(["-n", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/php/verify.php")]);
        let Ok(mut php) = php.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn() else {
            println!("PHP is not installed; the hashes in the file were taken by it");
            return;
        };
        let text = format!("{}{lines}", hashes());
        php.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let told = String::from_utf8(php.wait_with_output().unwrap().stdout).unwrap();
        assert_eq!(told, format!("{}\n", text.lines().count()));
    });
}

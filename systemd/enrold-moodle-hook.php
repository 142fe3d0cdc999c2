<?php
// Makes Moodle forget what its caches keep of the courses and users that a run of enrold has changed.
//
//     php enrold-moodle-hook.php MOODLE < FILE
//
// MOODLE is the directory of config.php, FILE a file of enrold's spool (docs/hook.md). It uses Moodle's public Cache
// API only and names nobody. Exit code 0: the file is done; anything else: it must be given again.

define('CLI_SCRIPT', true);

$enroldmoodle = rtrim($argv[1] ?? '', '/');
if ($enroldmoodle === '' || !is_readable("$enroldmoodle/config.php")) {
    fwrite(STDERR, "no readable config.php in '$enroldmoodle': give the directory of Moodle as the only argument\n");
    exit(2);
}
$enroldrun = json_decode(stream_get_contents(STDIN), true);
if (!is_array($enroldrun) || ($enroldrun['version'] ?? null) !== 1) {
    fwrite(STDERR, "standard input is no file of enrold's spool of version 1\n");
    exit(2);
}

require("$enroldmoodle/config.php");

// Each cache of Moodle's core, and the ids that are its keys.
$enroldkeys = [
    'groupdata' => $enroldrun['courses'],            // The groups and groupings of a course: no time-out.
    'user_group_groupings' => $enroldrun['users'],   // The groups in which a user is: no time-out.
    'coursecontacts' => $enroldrun['courses'],       // The teachers shown with a course: one hour.
];
foreach ($enroldkeys as $enroldcache => $enroldids) {
    // In parts: a cache server is asked to delete a thousand keys at a time, not a hundred thousand.
    foreach (array_chunk($enroldids, 1000) as $enroldpart) {
        cache_helper::invalidate_by_definition('core', $enroldcache, [], $enroldpart);
    }
}

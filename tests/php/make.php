<?php
// Writes the lines of hashes.tsv that PHP makes: bcrypt, and SHA-512 crypt with Moodle's rounds.
$passwords = [
    'Generique-2026', 'Générique-2026', 'Zoe' . "\u{301}", ' blanks  around ', 'a', '0', 'quote"and\\slash', "tab\there",
    'clé€𝄞', str_repeat('x', 71), str_repeat('x', 72), str_repeat('x', 73), str_repeat('é', 36) . 'z', str_repeat('y', 128),
];
foreach ($passwords as $password) {
    $salt = substr(strtr(base64_encode(random_bytes(12)), '+', '.'), 0, 16);
    $hashes = [
        password_hash($password, PASSWORD_BCRYPT, ['cost' => 4]),
        crypt($password, '$6$rounds=5000$' . $salt . '$'),
        crypt($password, '$6$rounds=10000$' . $salt . '$'),
        crypt($password, '$6$' . $salt . '$'),
    ];
    foreach ($hashes as $hash) {
        echo 'php', "\t", json_encode($password, JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES), "\t", $hash, "\n";
    }
}

<?php
// Reads lines of hashes.tsv and names those whose hash is not of the password; the last line is the number of lines.
$lines = 0;
while (($line = fgets(STDIN)) !== false) {
    [$maker, $password, $hash] = explode("\t", rtrim($line, "\n"));
    $lines++;
    if (!password_verify(json_decode($password), $hash)) {
        echo 'refused: ', $line;
    }
}
echo $lines, "\n";

-- The rows of `enrold_run`.

-- statement opened
INSERT INTO {enrold_run} (id, kind, source, state, clock, started, parent, version, sha256,
                          device, inode, size, mtime, token, effects, effectseq)
-- The next number, as only one run opens at a time. Missing values are NULL.
SELECT COALESCE(MAX(t.id), 0) + 1, :kind, :source, 'running', :clock, :started, NULLIF(:parent, 0), :version,
       NULLIF(:sha256, ''), :device, :inode, :size, :mtime, NULLIF(:token, ''), 0, 0
  FROM {enrold_run} t

-- statement forgotten
-- A run `x` that may be removed: older than the newest run `n` of its kind, with its effects written, and not the
-- decision on a held run.
x.kind = n.kind AND x.id < n.newest AND x.clock < :before AND x.effects = 0 AND x.parent IS NULL
    -- It changed nothing, is no full set, and passed no limit.
    AND :quiet AND x.counts NOT LIKE '%"set":{%' AND x.counts LIKE '%"breaches":[]%'
    -- No row refers to it: no overtaken change, problem or mail, and no task that names it as its last run.
    AND NOT EXISTS (SELECT 1 FROM {enrold_change} c WHERE c.run = x.id)
    AND NOT EXISTS (SELECT 1 FROM {enrold_error} f WHERE f.run = x.id)
    AND NOT EXISTS (SELECT 1 FROM {enrold_outbox} m WHERE m.run = x.id)
    AND NOT EXISTS (SELECT 1 FROM {enrold_task} t WHERE t.run = x.id)

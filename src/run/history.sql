-- The rows of `enrold_run`.

-- statement opened
INSERT INTO {enrold_run} (id, kind, source, state, clock, started, parent, version, sha256,
                          device, inode, size, mtime, token, effects, effectseq)
-- The next number; only one run can open at a time. What it does not have is NULL.
SELECT COALESCE(MAX(t.id), 0) + 1, :kind, :source, 'running', :clock, :started, NULLIF(:parent, 0), :version,
       NULLIF(:sha256, ''), :device, :inode, :size, :mtime, NULLIF(:token, ''), 0, 0
  FROM {enrold_run} t

-- statement forgotten
-- A run `x` that may be forgotten: older than the newest `n` of its kind, with its effects written, and not what decided a
-- held run.
x.kind = n.kind AND x.id < n.newest AND x.clock < :before AND x.effects = 0 AND x.parent IS NULL
    -- It changed nothing, is no full set, and passed no limit.
    AND :quiet AND x.counts NOT LIKE '%"set":{%' AND x.counts LIKE '%"breaches":[]%'
    -- Nothing hangs on it: not even an overtaken change, a problem, a mail or a task that names it as its last run.
    AND NOT EXISTS (SELECT 1 FROM {enrold_change} c WHERE c.run = x.id)
    AND NOT EXISTS (SELECT 1 FROM {enrold_error} f WHERE f.run = x.id)
    AND NOT EXISTS (SELECT 1 FROM {enrold_outbox} m WHERE m.run = x.id)
    AND NOT EXISTS (SELECT 1 FROM {enrold_task} t WHERE t.run = x.id)

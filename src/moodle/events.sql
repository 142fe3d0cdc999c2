-- Events of the standard log store. `c` is the change that an event reports.

-- statement assignment
-- The id of a role assignment that a change inserted. An equal one that Moodle inserts at the same moment must not
-- double the event.
COALESCE(
    -- It still exists.
    (SELECT MIN({#r.id}) FROM {role_assignments} r :by_user
      WHERE r.userid = c.userid AND r.contextid :by_assignment = c.contextid AND r.roleid :by_assignment = c.roleid
        AND {~r.component} = c.component AND {#r.itemid} = c.itemid),
    -- Or this run has removed it again, and its journal contains the id.
    (SELECT MIN(d.targetid) FROM {enrold_change} d
      WHERE d.run = c.run AND d.seq > c.seq AND d.kind = :gone_by
        AND d.userid = c.userid AND d.contextid = c.contextid AND d.roleid = c.roleid AND d.itemid = c.itemid),
    0)

-- statement written
INSERT INTO {logstore_standard_log} (eventname, component, action, target, objecttable, objectid, crud, edulevel,
                                     contextid, contextlevel, contextinstanceid, userid, courseid, relateduserid,
                                     anonymous, other, timecreated, origin)
SELECT t.eventname, 'core', t.action, t.target, t.objecttable, t.objectid, t.crud, t.edulevel,
       t.contextid, t.contextlevel, t.contextinstanceid, :actor, t.courseid, t.relateduserid,
       0, :other, :now, 'cli'
  -- One select for each event, all in the journal's order.
  FROM (:announced) t
 ORDER BY t.seq

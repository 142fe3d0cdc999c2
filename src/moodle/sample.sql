-- The sample site: a small French university in the academic year 2026-2027, for `enrold db init --sample`.
-- The same text runs on every database: standard literals only; a backslash is itself (MariaDB: NO_BACKSLASH_ESCAPES).

-- Settings. `teacher` has the alias `tuteur` for flat files; every other role has its short name.
INSERT INTO {config} (id, name, value) VALUES
  (1, 'siteadmins', '2'), (2, 'siteguest', '1'), (3, 'mnet_localhost_id', '1'),
  (4, 'enrol_plugins_enabled', 'manual,guest,self,cohort,meta,category,flatfile'), (5, 'sessiontimeout', '28800'),
  (6, 'timezone', 'Europe/Paris'), (7, 'forcetimezone', '99'), (8, 'lang', 'fr'), (9, 'defaultuserroleid', '7'),
  (10, 'notloggedinroleid', '6'), (11, 'guestroleid', '6'), (12, 'coursecontact', '3'), (13, 'gradebookroles', '5'),
  (14, 'profileroles', '5,4,3'), (15, 'recovergradesdefault', '0'), (16, 'disablegradehistory', '0'),
  (17, 'enablecompletion', '1'), (18, 'enableavailability', '1'), (19, 'siteidentifier', 'enroldsample'),
  (20, 'version', '2022112810.00'), (21, 'release', '4.1.10 (Build: 20240422)'), (22, 'branch', '401');

INSERT INTO {config_plugins} (id, plugin, name, value) VALUES
  (1, 'enrol_flatfile', 'location', ''), (2, 'enrol_flatfile', 'encoding', 'UTF-8'),
  (3, 'enrol_flatfile', 'mailstudents', '0'), (4, 'enrol_flatfile', 'mailteachers', '0'),
  (5, 'enrol_flatfile', 'mailadmins', '0'), (6, 'enrol_flatfile', 'unenrolaction', '3'),
  (7, 'enrol_flatfile', 'expiredaction', '3'), (8, 'enrol_flatfile', 'map_1', 'manager'),
  (9, 'enrol_flatfile', 'map_2', 'coursecreator'), (10, 'enrol_flatfile', 'map_3', 'editingteacher'),
  (11, 'enrol_flatfile', 'map_4', 'tuteur'), (12, 'enrol_flatfile', 'map_5', 'student'),
  (13, 'enrol_flatfile', 'map_6', 'guest'), (14, 'enrol_flatfile', 'map_7', 'user'),
  (15, 'enrol_flatfile', 'map_8', 'frontpage'), (16, 'enrol_manual', 'roleid', '5'),
  (17, 'enrol_manual', 'status', '0'), (18, 'enrol_manual', 'defaultenrol', '1'),
  (19, 'enrol_manual', 'expiredaction', '1'), (20, 'enrol_self', 'roleid', '5'), (21, 'enrol_self', 'status', '1'),
  (22, 'enrol_self', 'expiredaction', '1'), (23, 'enrol_cohort', 'roleid', '5'),
  (24, 'enrol_cohort', 'unenrolaction', '0'), (25, 'enrol_meta', 'syncall', '1'),
  (26, 'enrol_meta', 'nosyncroleids', ''), (27, 'enrol_meta', 'unenrolaction', '3'),
  (28, 'tool_log', 'enabled_stores', 'logstore_standard'), (29, 'logstore_standard', 'jsonformat', '1'),
  (30, 'logstore_standard', 'buffersize', '50'), (31, 'logstore_standard', 'logguests', '0'),
  (32, 'logstore_standard', 'loglifetime', '0');

INSERT INTO {mnet_host} (id, wwwroot, ip_address, name, public_key, applicationid) VALUES
  (1, 'https://moodle.univ-exemple.fr', '127.0.0.1', '', '', 1),
  (2, '', '', 'All Hosts', '', 1);

INSERT INTO {tag_area} (id, component, itemtype, enabled, tagcollid, showstandard) VALUES
  (1, 'core', 'user', 1, 1, 2), (2, 'core', 'course', 1, 1, 0);

INSERT INTO {modules} (id, name) VALUES
  (1, 'assign'), (10, 'forum'), (18, 'quiz'), (19, 'resource');

-- Moodle's eight roles, and those of their capabilities that enrolment uses.
INSERT INTO {role} (id, name, shortname, description, sortorder, archetype) VALUES
  (1, '', 'manager', '', 1, 'manager'),
  (2, '', 'coursecreator', '', 2, 'coursecreator'),
  (3, '', 'editingteacher', '', 3, 'editingteacher'),
  (4, '', 'teacher', '', 4, 'teacher'),
  (5, '', 'student', '', 5, 'student'),
  (6, '', 'guest', '', 6, 'guest'),
  (7, '', 'user', '', 7, 'user'),
  (8, '', 'frontpage', '', 8, 'frontpage');

INSERT INTO {role_context_levels} (id, roleid, contextlevel) VALUES
  (1, 1, 10), (2, 1, 40), (3, 1, 50), (4, 2, 10), (5, 2, 40), (6, 3, 50), (7, 3, 70), (8, 4, 50), (9, 4, 70),
  (10, 5, 50), (11, 5, 70);

INSERT INTO {capabilities} (id, name, captype, contextlevel, component) VALUES
  (1, 'moodle/role:assign', 'write', 50, 'moodle'),
  (2, 'mod/forum:allowforcesubscribe', 'read', 70, 'mod_forum'),
  (3, 'enrol/flatfile:manage', 'write', 50, 'enrol_flatfile'),
  (4, 'enrol/flatfile:unenrol', 'write', 50, 'enrol_flatfile');

INSERT INTO {role_capabilities} (id, contextid, roleid, capability, permission, timemodified, modifierid) VALUES
  (1, 1, 1, 'moodle/role:assign', 1, 1783321200, 0),
  (2, 1, 3, 'moodle/role:assign', 1, 1783321200, 0),
  (3, 1, 3, 'mod/forum:allowforcesubscribe', 1, 1783321200, 0),
  (4, 1, 4, 'mod/forum:allowforcesubscribe', 1, 1783321200, 0),
  (5, 1, 5, 'mod/forum:allowforcesubscribe', 1, 1783321200, 0),
  (6, 1, 8, 'mod/forum:allowforcesubscribe', 1, 1783321200, 0);

-- Categories and courses; a course's idnumber is its code in the student records. ELP4822 also has last year's copy.
INSERT INTO {course_categories} (id, name, idnumber, parent, sortorder, coursecount, timemodified, depth, path) VALUES
  (1, 'UFR Sciences', 'UFR-SCI', 0, 10000, 1, 1783321200, 1, '/1'),
  (2, 'UFR Santé', 'UFR-SAN', 0, 20000, 0, 1783321200, 1, '/2'),
  (3, 'UFR Droit, économie et gestion', 'UFR-DEG', 0, 30000, 3, 1783321200, 1, '/3'),
  (4, 'UFR Lettres et langues', 'UFR-LLA', 0, 40000, 1, 1783321200, 1, '/4'),
  (5, 'Licence 1 de mathématiques et informatique', 'L1-MI', 1, 50000, 3, 1783321200, 2, '/1/5'),
  (6, 'Licence 2 d''informatique', 'L2-INFO', 1, 60000, 2, 1783321200, 2, '/1/6'),
  (7, 'PASS et deuxième année de médecine', 'SAN-12', 2, 70000, 3, 1783321200, 2, '/2/7'),
  (8, 'Services communs', NULL, 0, 80000, 2, 1783321200, 1, '/8'),
  (9, 'Archives 2025-2026', NULL, 0, 90000, 1, 1783321200, 1, '/9');

INSERT INTO {course} (id, category, sortorder, fullname, shortname, idnumber, summary, summaryformat, format, startdate, enddate, visible, visibleold, timecreated, timemodified, enablecompletion) VALUES
  (1, 0, 1, 'Université Exemple', 'univ-exemple', '', '', 0, 'site', 0, 0, 1, 1, 1783321200, 1783321200, 0),
  (2, 5, 50002, 'Algèbre linéaire 1', 'L1-MATH-101', 'ELP4821', '', 1, 'topics', 1788760800, 1814392799, 1, 1, 1783321200, 1783321200, 1),
  (3, 5, 50003, 'Analyse réelle', 'L1-MATH-102', 'ELP4822', '', 1, 'topics', 1788760800, 1814392799, 1, 1, 1783321200, 1783321200, 1),
  (4, 5, 50004, 'Introduction à la programmation', 'L1-INFO-110', 'ELP4830', '', 1, 'topics', 1788760800, 1814392799, 1, 1, 1783321200, 1783321200, 1),
  (5, 6, 60005, 'Bases de données', 'L2-INFO-201', 'ELP5210', '', 1, 'topics', 1788760800, 1814392799, 1, 1, 1783321200, 1783321200, 1),
  (6, 6, 60006, 'Réseaux informatiques', 'L2-INFO-202', 'ELP5211', '', 1, 'topics', 1788760800, 1814392799, 1, 1, 1783321200, 1783321200, 1),
  (7, 7, 70007, 'Médecine, deuxième année : sémiologie', 'Médecine-P2', 'ELP6102', '', 1, 'topics', 1788760800, 1814392799, 1, 1, 1783321200, 1783321200, 1),
  (8, 7, 70008, 'Système cardio-respiratoire', 'UE-Cœur-Poumon', 'ELP6104', '', 1, 'topics', 1788760800, 1814392799, 1, 1, 1783321200, 1783321200, 1),
  (9, 7, 70009, 'Biologie cellulaire', 'PASS-BIO-1', 'ELP6001', '', 1, 'topics', 1788760800, 1814392799, 1, 1, 1783321200, 1783321200, 1),
  (10, 3, 30010, 'Introduction générale au droit', 'L1-DROIT-101', 'ELP7101', '', 1, 'topics', 1788760800, 1814392799, 1, 1, 1783321200, 1783321200, 1),
  (11, 3, 30011, 'Droit constitutionnel', 'L1-DROIT-102', 'ELP7102', '', 1, 'topics', 1788760800, 1814392799, 1, 1, 1783321200, 1783321200, 1),
  (12, 3, 30012, 'Microéconomie', 'L1-ECO-101', 'ELP7201', '', 1, 'topics', 1788760800, 1814392799, 1, 1, 1783321200, 1783321200, 1),
  (13, 4, 40013, 'Anglais de spécialité', 'L3-ANG-301', 'ELP8301', '', 1, 'topics', 1788760800, 1814392799, 1, 1, 1783321200, 1783321200, 1),
  (14, 1, 10014, 'Statistique appliquée', 'M1-STAT-401', 'ELP9401', '', 1, 'topics', 1788760800, 1814392799, 1, 1, 1783321200, 1783321200, 1),
  (15, 8, 80015, 'Compétences numériques : préparation à Pix', 'PIX-2026', 'ELP0001', '', 1, 'topics', 1788760800, 1814392799, 1, 1, 1783321200, 1783321200, 1),
  (16, 8, 80016, 'Formation à la recherche documentaire', 'BU-FORMATION', '', '', 1, 'topics', 1788760800, 1814392799, 1, 1, 1783321200, 1783321200, 1),
  (17, 9, 90017, 'Analyse réelle (2025-2026)', 'L1-MATH-102-2025', 'ELP4822', '', 1, 'topics', 1757311200, 1782856799, 0, 0, 1783321200, 1783321200, 1);

-- One section and one announcements forum for each course; two courses have a forum that subscribes its participants.
INSERT INTO {course_sections} (id, course, section, summary, summaryformat, sequence, timemodified) VALUES
  (1, 2, 0, '', 1, '1', 1783321200), (2, 3, 0, '', 1, '2', 1783321200), (3, 4, 0, '', 1, '3,4', 1783321200),
  (4, 5, 0, '', 1, '5', 1783321200), (5, 6, 0, '', 1, '6', 1783321200), (6, 7, 0, '', 1, '7,8', 1783321200),
  (7, 8, 0, '', 1, '9', 1783321200), (8, 9, 0, '', 1, '10', 1783321200), (9, 10, 0, '', 1, '11', 1783321200),
  (10, 11, 0, '', 1, '12', 1783321200), (11, 12, 0, '', 1, '13', 1783321200), (12, 13, 0, '', 1, '14', 1783321200),
  (13, 14, 0, '', 1, '15', 1783321200), (14, 15, 0, '', 1, '16', 1783321200), (15, 16, 0, '', 1, '17', 1783321200),
  (16, 17, 0, '', 1, '18', 1783321200);

INSERT INTO {forum} (id, course, type, name, intro, introformat, forcesubscribe, timemodified) VALUES
  (1, 2, 'news', 'Annonces', '', 1, 1, 1783321200), (2, 3, 'news', 'Annonces', '', 1, 1, 1783321200),
  (3, 4, 'news', 'Annonces', '', 1, 1, 1783321200), (4, 4, 'general', 'Entraide', '', 1, 2, 1783321200),
  (5, 5, 'news', 'Annonces', '', 1, 1, 1783321200), (6, 6, 'news', 'Annonces', '', 1, 1, 1783321200),
  (7, 7, 'news', 'Annonces', '', 1, 1, 1783321200),
  (8, 7, 'general', 'Questions aux enseignants', '', 1, 2, 1783321200),
  (9, 8, 'news', 'Annonces', '', 1, 1, 1783321200), (10, 9, 'news', 'Annonces', '', 1, 1, 1783321200),
  (11, 10, 'news', 'Annonces', '', 1, 1, 1783321200), (12, 11, 'news', 'Annonces', '', 1, 1, 1783321200),
  (13, 12, 'news', 'Annonces', '', 1, 1, 1783321200), (14, 13, 'news', 'Annonces', '', 1, 1, 1783321200),
  (15, 14, 'news', 'Annonces', '', 1, 1, 1783321200), (16, 15, 'news', 'Annonces', '', 1, 1, 1783321200),
  (17, 16, 'news', 'Annonces', '', 1, 1, 1783321200), (18, 17, 'news', 'Annonces', '', 1, 1, 1783321200);

INSERT INTO {course_modules} (id, course, module, instance, section, added) VALUES
  (1, 2, 10, 1, 1, 1783321200), (2, 3, 10, 2, 2, 1783321200), (3, 4, 10, 3, 3, 1783321200),
  (4, 4, 10, 4, 3, 1783321200), (5, 5, 10, 5, 4, 1783321200), (6, 6, 10, 6, 5, 1783321200),
  (7, 7, 10, 7, 6, 1783321200), (8, 7, 10, 8, 6, 1783321200), (9, 8, 10, 9, 7, 1783321200),
  (10, 9, 10, 10, 8, 1783321200), (11, 10, 10, 11, 9, 1783321200), (12, 11, 10, 12, 10, 1783321200),
  (13, 12, 10, 13, 11, 1783321200), (14, 13, 10, 14, 12, 1783321200), (15, 14, 10, 15, 13, 1783321200),
  (16, 15, 10, 16, 14, 1783321200), (17, 16, 10, 17, 15, 1783321200), (18, 17, 10, 18, 16, 1783321200);

-- Contexts: system, front page, categories, courses, accounts, forums.
INSERT INTO {context} (id, contextlevel, instanceid, path, depth, locked) VALUES
  (1, 10, 0, '/1', 1, 0), (2, 50, 1, '/1/2', 2, 0), (3, 40, 1, '/1/3', 2, 0), (4, 40, 2, '/1/4', 2, 0),
  (5, 40, 3, '/1/5', 2, 0), (6, 40, 4, '/1/6', 2, 0), (7, 40, 5, '/1/3/7', 3, 0), (8, 40, 6, '/1/3/8', 3, 0),
  (9, 40, 7, '/1/4/9', 3, 0), (10, 40, 8, '/1/10', 2, 0), (11, 40, 9, '/1/11', 2, 0), (12, 50, 2, '/1/3/7/12', 4, 0),
  (13, 50, 3, '/1/3/7/13', 4, 0), (14, 50, 4, '/1/3/7/14', 4, 0), (15, 50, 5, '/1/3/8/15', 4, 0),
  (16, 50, 6, '/1/3/8/16', 4, 0), (17, 50, 7, '/1/4/9/17', 4, 0), (18, 50, 8, '/1/4/9/18', 4, 0),
  (19, 50, 9, '/1/4/9/19', 4, 0), (20, 50, 10, '/1/5/20', 3, 0), (21, 50, 11, '/1/5/21', 3, 0),
  (22, 50, 12, '/1/5/22', 3, 0), (23, 50, 13, '/1/6/23', 3, 0), (24, 50, 14, '/1/3/24', 3, 0),
  (25, 50, 15, '/1/10/25', 3, 0), (26, 50, 16, '/1/10/26', 3, 0), (27, 50, 17, '/1/11/27', 3, 0),
  (28, 30, 1, '/1/28', 2, 0), (29, 30, 2, '/1/29', 2, 0), (30, 30, 3, '/1/30', 2, 0), (31, 30, 4, '/1/31', 2, 0),
  (32, 30, 5, '/1/32', 2, 0), (33, 30, 6, '/1/33', 2, 0), (34, 30, 7, '/1/34', 2, 0), (35, 30, 8, '/1/35', 2, 0),
  (36, 30, 9, '/1/36', 2, 0), (37, 30, 10, '/1/37', 2, 0), (38, 30, 11, '/1/38', 2, 0), (39, 30, 12, '/1/39', 2, 0),
  (40, 30, 13, '/1/40', 2, 0), (41, 30, 14, '/1/41', 2, 0), (42, 30, 15, '/1/42', 2, 0), (43, 30, 16, '/1/43', 2, 0),
  (44, 30, 17, '/1/44', 2, 0), (45, 30, 18, '/1/45', 2, 0), (46, 30, 19, '/1/46', 2, 0), (47, 30, 20, '/1/47', 2, 0),
  (48, 30, 21, '/1/48', 2, 0), (49, 30, 22, '/1/49', 2, 0), (50, 30, 23, '/1/50', 2, 0), (51, 30, 24, '/1/51', 2, 0),
  (52, 30, 25, '/1/52', 2, 0), (53, 30, 26, '/1/53', 2, 0), (54, 30, 27, '/1/54', 2, 0), (55, 30, 28, '/1/55', 2, 0),
  (56, 30, 29, '/1/56', 2, 0), (57, 30, 30, '/1/57', 2, 0), (58, 30, 31, '/1/58', 2, 0), (59, 30, 32, '/1/59', 2, 0),
  (60, 30, 33, '/1/60', 2, 0), (61, 30, 34, '/1/61', 2, 0), (62, 30, 35, '/1/62', 2, 0), (63, 30, 36, '/1/63', 2, 0),
  (64, 30, 37, '/1/64', 2, 0), (65, 30, 38, '/1/65', 2, 0), (66, 30, 39, '/1/66', 2, 0), (67, 30, 40, '/1/67', 2, 0),
  (68, 30, 41, '/1/68', 2, 0), (69, 30, 42, '/1/69', 2, 0), (70, 30, 43, '/1/70', 2, 0), (71, 30, 44, '/1/71', 2, 0),
  (72, 30, 45, '/1/72', 2, 0), (73, 30, 46, '/1/73', 2, 0), (74, 30, 47, '/1/74', 2, 0),
  (75, 70, 1, '/1/3/7/12/75', 5, 0), (76, 70, 2, '/1/3/7/13/76', 5, 0), (77, 70, 3, '/1/3/7/14/77', 5, 0),
  (78, 70, 4, '/1/3/7/14/78', 5, 0), (79, 70, 5, '/1/3/8/15/79', 5, 0), (80, 70, 6, '/1/3/8/16/80', 5, 0),
  (81, 70, 7, '/1/4/9/17/81', 5, 0), (82, 70, 8, '/1/4/9/17/82', 5, 0), (83, 70, 9, '/1/4/9/18/83', 5, 0),
  (84, 70, 10, '/1/4/9/19/84', 5, 0), (85, 70, 11, '/1/5/20/85', 4, 0), (86, 70, 12, '/1/5/21/86', 4, 0),
  (87, 70, 13, '/1/5/22/87', 4, 0), (88, 70, 14, '/1/6/23/88', 4, 0), (89, 70, 15, '/1/3/24/89', 4, 0),
  (90, 70, 16, '/1/10/25/90', 4, 0), (91, 70, 17, '/1/10/26/91', 4, 0), (92, 70, 18, '/1/11/27/92', 4, 0);

-- Accounts: teachers, then students. Jade Martin has two accounts with one student number; Solène Chevalier is
-- suspended; the last is deleted.
INSERT INTO {user} (id, auth, confirmed, deleted, suspended, mnethostid, username, password, idnumber, firstname, lastname, email, city, country, lang, timecreated, timemodified) VALUES
  (1, 'manual', 1, 0, 0, 1, 'guest', 'not cached', '', 'Utilisateur anonyme', ' ', 'root@localhost', '', '', 'fr', 1783321200, 1783321200),
  (2, 'manual', 1, 0, 0, 1, 'admin', 'not cached', '', 'Admin', 'Moodle', 'moodle@univ-exemple.fr', 'Caen', 'FR', 'fr', 1783321200, 1783321200),
  (3, 'cas', 1, 0, 0, 1, 'claire.lemoine', 'not cached', 'P10021', 'Claire', 'Lemoine', 'claire.lemoine@univ-exemple.fr', 'Caen', 'FR', 'fr', 1783321200, 1783321200),
  (4, 'cas', 1, 0, 0, 1, 'jerome.besnard', 'not cached', 'P10022', 'Jérôme', 'Besnard', 'jerome.besnard@univ-exemple.fr', 'Caen', 'FR', 'fr', 1783321200, 1783321200),
  (5, 'cas', 1, 0, 0, 1, 'helene.guerin', 'not cached', 'P10023', 'Hélène', 'Guérin', 'helene.guerin@univ-exemple.fr', 'Caen', 'FR', 'fr', 1783321200, 1783321200),
  (6, 'cas', 1, 0, 0, 1, 'francois.lefevre', 'not cached', 'P10024', 'François', 'Lefèvre', 'francois.lefevre@univ-exemple.fr', 'Caen', 'FR', 'fr', 1783321200, 1783321200),
  (7, 'cas', 1, 0, 0, 1, 'anais.perrot', 'not cached', 'P10025', 'Anaïs', 'Perrot', 'anais.perrot@univ-exemple.fr', 'Caen', 'FR', 'fr', 1783321200, 1783321200),
  (8, 'cas', 1, 0, 0, 1, 'mael.le-goff', 'not cached', 'P10026', 'Maël', 'Le Goff', 'mael.le-goff@univ-exemple.fr', 'Caen', 'FR', 'fr', 1783321200, 1783321200),
  (9, 'cas', 1, 0, 0, 1, 'sophie.nguyen', 'not cached', 'P10027', 'Sophie', 'Nguyen', 'sophie.nguyen@univ-exemple.fr', 'Caen', 'FR', 'fr', 1783321200, 1783321200),
  (10, 'cas', 1, 0, 0, 1, 'paul.garnier', 'not cached', 'P10028', 'Paul', 'Garnier', 'paul.garnier@univ-exemple.fr', 'Caen', 'FR', 'fr', 1783321200, 1783321200),
  (11, 'cas', 1, 0, 0, 1, 'dupontm21', 'not cached', '22104417', 'Marie', 'Dupont', 'marie.dupont@etu.univ-exemple.fr', 'Caen', 'FR', 'fr', 1783321200, 1783321200),
  (12, 'cas', 1, 0, 0, 1, 'durandt24', 'not cached', '22403316', 'Théo', 'Durand', 'theo.durand@etu.univ-exemple.fr', 'Caen', 'FR', 'fr', 1783321200, 1783321200),
  (13, 'cas', 1, 0, 0, 1, 'bernardc25', 'not cached', '22507741', 'Chloé', 'Bernard', 'chloe.bernard@etu.univ-exemple.fr', 'Caen', 'FR', 'fr', 1783321200, 1783321200),
  (14, 'cas', 1, 0, 0, 1, 'petitl25', 'not cached', '22507802', 'Léa', 'Petit', 'lea.petit@etu.univ-exemple.fr', 'Caen', 'FR', 'fr', 1783321200, 1783321200),
  (15, 'cas', 1, 0, 0, 1, 'robertz26', 'not cached', '22612001', 'Zoé', 'Robert', 'zoe.robert@etu.univ-exemple.fr', 'Caen', 'FR', 'fr', 1783321200, 1783321200),
  (16, 'cas', 1, 0, 0, 1, 'richardh26', 'not cached', '22612002', 'Hugo', 'Richard', 'hugo.richard@etu.univ-exemple.fr', 'Caen', 'FR', 'fr', 1783321200, 1783321200),
  (17, 'cas', 1, 0, 0, 1, 'moreaul26', 'not cached', '22612003', 'Loïc', 'Moreau', 'loic.moreau@etu.univ-exemple.fr', 'Caen', 'FR', 'fr', 1783321200, 1783321200),
  (18, 'cas', 1, 0, 0, 1, 'simona26', 'not cached', '22612004', 'Agnès', 'Simon', 'agnes.simon@etu.univ-exemple.fr', 'Caen', 'FR', 'fr', 1783321200, 1783321200),
  (19, 'cas', 1, 0, 0, 1, 'laurentn26', 'not cached', '22612005', 'Noé', 'Laurent', 'noe.laurent@etu.univ-exemple.fr', 'Caen', 'FR', 'fr', 1783321200, 1783321200),
  (20, 'cas', 1, 0, 0, 1, 'lefebvrei26', 'not cached', '22612006', 'Inès', 'Lefebvre', 'ines.lefebvre@etu.univ-exemple.fr', 'Caen', 'FR', 'fr', 1783321200, 1783321200),
  (21, 'cas', 1, 0, 0, 1, 'michelr26', 'not cached', '22612007', 'Raphaël', 'Michel', 'raphael.michel@etu.univ-exemple.fr', 'Caen', 'FR', 'fr', 1783321200, 1783321200),
  (22, 'cas', 1, 0, 0, 1, 'garciae26', 'not cached', '22612008', 'Éva', 'García', 'eva.garcia@etu.univ-exemple.fr', 'Caen', 'FR', 'fr', 1783321200, 1783321200),
  (23, 'cas', 1, 0, 0, 1, 'davidg26', 'not cached', '22612009', 'Gaëlle', 'David', 'gaelle.david@etu.univ-exemple.fr', 'Caen', 'FR', 'fr', 1783321200, 1783321200),
  (24, 'cas', 1, 0, 0, 1, 'bertrandf26', 'not cached', '22612010', 'Félix', 'Bertrand', 'felix.bertrand@etu.univ-exemple.fr', 'Caen', 'FR', 'fr', 1783321200, 1783321200),
  (25, 'cas', 1, 0, 0, 1, 'rouxs26', 'not cached', '22612011', 'Soizic', 'Roux', 'soizic.roux@etu.univ-exemple.fr', 'Caen', 'FR', 'fr', 1783321200, 1783321200),
  (26, 'cas', 1, 0, 0, 1, 'vincentb26', 'not cached', '22612012', 'Benoît', 'Vincent', 'benoit.vincent@etu.univ-exemple.fr', 'Caen', 'FR', 'fr', 1783321200, 1783321200),
  (27, 'cas', 1, 0, 0, 1, 'fournierm26', 'not cached', '22612013', 'Maëlys', 'Fournier', 'maelys.fournier@etu.univ-exemple.fr', 'Caen', 'FR', 'fr', 1783321200, 1783321200),
  (28, 'cas', 1, 0, 0, 1, 'moulinc26', 'not cached', '22612014', 'Cédric', 'Moulin', 'cedric.moulin@etu.univ-exemple.fr', 'Caen', 'FR', 'fr', 1783321200, 1783321200),
  (29, 'cas', 1, 0, 0, 1, 'andree26', 'not cached', '22612015', 'Élodie', 'André', 'elodie.andre@etu.univ-exemple.fr', 'Caen', 'FR', 'fr', 1783321200, 1783321200),
  (30, 'cas', 1, 0, 0, 1, 'leroyj26', 'not cached', '22612016', 'Joël', 'Leroy', 'joel.leroy@etu.univ-exemple.fr', 'Caen', 'FR', 'fr', 1783321200, 1783321200),
  (31, 'cas', 1, 0, 0, 1, 'oharas26', 'not cached', '22612017', 'Sean', 'O''Hara', 'sean.ohara@etu.univ-exemple.fr', 'Caen', 'FR', 'fr', 1783321200, 1783321200),
  (32, 'cas', 1, 0, 0, 1, 'merciera26', 'not cached', '22612018', 'Anaëlle', 'Mercier', 'anaelle.mercier@etu.univ-exemple.fr', 'Caen', 'FR', 'fr', 1783321200, 1783321200),
  (33, 'cas', 1, 0, 0, 1, 'dupuisk26', 'not cached', '22612019', 'Kévin', 'Dupuis', 'kevin.dupuis@etu.univ-exemple.fr', 'Caen', 'FR', 'fr', 1783321200, 1783321200),
  (34, 'cas', 1, 0, 0, 1, 'lambertg26', 'not cached', '22612020', 'Geneviève', 'Lambert', 'genevieve.lambert@etu.univ-exemple.fr', 'Caen', 'FR', 'fr', 1783321200, 1783321200),
  (35, 'cas', 1, 0, 0, 1, 'bonneto26', 'not cached', '22612021', 'Océane', 'Bonnet', 'oceane.bonnet@etu.univ-exemple.fr', 'Caen', 'FR', 'fr', 1783321200, 1783321200),
  (36, 'cas', 1, 0, 0, 1, 'francoisr26', 'not cached', '22612022', 'Rémi', 'François', 'remi.francois@etu.univ-exemple.fr', 'Caen', 'FR', 'fr', 1783321200, 1783321200),
  (37, 'cas', 1, 0, 0, 1, 'martineza26', 'not cached', '22612023', 'Aurélie', 'Martinez', 'aurelie.martinez@etu.univ-exemple.fr', 'Caen', 'FR', 'fr', 1783321200, 1783321200),
  (38, 'cas', 1, 0, 0, 1, 'legrandm26', 'not cached', '22612024', 'Mickaël', 'Legrand', 'mickael.legrand@etu.univ-exemple.fr', 'Caen', 'FR', 'fr', 1783321200, 1783321200),
  (39, 'cas', 1, 0, 0, 1, 'garniern26', 'not cached', '22612025', 'Noémie', 'Garnier', 'noemie.garnier@etu.univ-exemple.fr', 'Caen', 'FR', 'fr', 1783321200, 1783321200),
  (40, 'cas', 1, 0, 0, 1, 'faurev26', 'not cached', '22612026', 'Valérie', 'Faure', 'valerie.faure@etu.univ-exemple.fr', 'Caen', 'FR', 'fr', 1783321200, 1783321200),
  (41, 'cas', 1, 0, 0, 1, 'rousseaud26', 'not cached', '22612027', 'Désirée', 'Rousseau', 'desiree.rousseau@etu.univ-exemple.fr', 'Caen', 'FR', 'fr', 1783321200, 1783321200),
  (42, 'cas', 1, 0, 0, 1, 'blanct26', 'not cached', '22612028', 'Thaïs', 'Blanc', 'thais.blanc@etu.univ-exemple.fr', 'Caen', 'FR', 'fr', 1783321200, 1783321200),
  (43, 'cas', 1, 0, 0, 1, 'guerinp26', 'not cached', '22612029', 'Prune', 'Guérin', 'prune.guerin@etu.univ-exemple.fr', 'Caen', 'FR', 'fr', 1783321200, 1783321200),
  (44, 'cas', 1, 0, 0, 1, 'mullery26', 'not cached', '22612030', 'Yaël', 'Müller', 'yael.muller@etu.univ-exemple.fr', 'Caen', 'FR', 'fr', 1783321200, 1783321200),
  (45, 'cas', 1, 0, 0, 1, 'martinj25', 'not cached', '22507900', 'Jade', 'Martin', 'jade.martin@etu.univ-exemple.fr', 'Caen', 'FR', 'fr', 1783321200, 1783321200),
  (46, 'cas', 1, 0, 0, 1, 'martin-leroyj26', 'not cached', '22507900', 'Jade', 'Martin-Leroy', 'jade.martin-leroy@etu.univ-exemple.fr', 'Caen', 'FR', 'fr', 1783321200, 1783321200),
  (47, 'cas', 1, 0, 1, 1, 'chevaliers23', 'not cached', '22301188', 'Solène', 'Chevalier', 'solene.chevalier@etu.univ-exemple.fr', 'Caen', 'FR', 'fr', 1783321200, 1783321200),
  (48, 'cas', 1, 1, 0, 1, 'ines.marchand@etu.univ-exemple.fr.1791158400', '', '', 'Inès', 'Marchand', 'd41d8cd98f00b204e9800998ecf8427e', 'Caen', 'FR', 'fr', 1783321200, 1791158400);

-- Cohorts.
INSERT INTO {cohort} (id, contextid, name, idnumber, description, descriptionformat, component, timecreated, timemodified) VALUES
  (1, 3, 'Licence 1 mathématiques et informatique 2026', 'L1MI-2026', '', 1, '', 1783321200, 1783321200),
  (2, 4, 'PASS 2026', 'PASS-2026', '', 1, '', 1783321200, 1783321200),
  (3, 1, 'Licence 1 de droit 2026', 'L1DROIT-2026', '', 1, '', 1783321200, 1783321200);

INSERT INTO {cohort_members} (id, cohortid, userid, timeadded) VALUES
  (1, 1, 15, 1783321200), (2, 1, 16, 1783321200), (3, 1, 17, 1783321200), (4, 1, 18, 1783321200),
  (5, 1, 19, 1783321200), (6, 1, 20, 1783321200), (7, 1, 21, 1783321200), (8, 1, 22, 1783321200),
  (9, 2, 23, 1783321200), (10, 2, 24, 1783321200), (11, 2, 25, 1783321200), (12, 2, 26, 1783321200),
  (13, 2, 27, 1783321200), (14, 2, 28, 1783321200), (15, 2, 29, 1783321200), (16, 2, 30, 1783321200),
  (17, 3, 33, 1783321200), (18, 3, 34, 1783321200), (19, 3, 35, 1783321200), (20, 3, 36, 1783321200),
  (21, 3, 37, 1783321200), (22, 3, 38, 1783321200);

-- Enrolment instances; one course enrols a cohort, one had flat files before.
INSERT INTO {enrol} (id, enrol, status, courseid, sortorder, name, roleid, customint1, timecreated, timemodified) VALUES
  (1, 'manual', 0, 2, 0, NULL, 5, NULL, 1783321200, 1783321200),
  (2, 'guest', 1, 2, 1, NULL, 0, NULL, 1783321200, 1783321200),
  (3, 'self', 1, 2, 2, NULL, 5, NULL, 1783321200, 1783321200),
  (4, 'manual', 0, 3, 0, NULL, 5, NULL, 1783321200, 1783321200),
  (5, 'guest', 1, 3, 1, NULL, 0, NULL, 1783321200, 1783321200),
  (6, 'self', 1, 3, 2, NULL, 5, NULL, 1783321200, 1783321200),
  (7, 'manual', 0, 4, 0, NULL, 5, NULL, 1783321200, 1783321200),
  (8, 'guest', 1, 4, 1, NULL, 0, NULL, 1783321200, 1783321200),
  (9, 'self', 1, 4, 2, NULL, 5, NULL, 1783321200, 1783321200),
  (10, 'manual', 0, 5, 0, NULL, 5, NULL, 1783321200, 1783321200),
  (11, 'guest', 1, 5, 1, NULL, 0, NULL, 1783321200, 1783321200),
  (12, 'self', 1, 5, 2, NULL, 5, NULL, 1783321200, 1783321200),
  (13, 'manual', 0, 6, 0, NULL, 5, NULL, 1783321200, 1783321200),
  (14, 'guest', 1, 6, 1, NULL, 0, NULL, 1783321200, 1783321200),
  (15, 'self', 1, 6, 2, NULL, 5, NULL, 1783321200, 1783321200),
  (16, 'manual', 0, 7, 0, NULL, 5, NULL, 1783321200, 1783321200),
  (17, 'guest', 1, 7, 1, NULL, 0, NULL, 1783321200, 1783321200),
  (18, 'self', 1, 7, 2, NULL, 5, NULL, 1783321200, 1783321200),
  (19, 'manual', 0, 8, 0, NULL, 5, NULL, 1783321200, 1783321200),
  (20, 'guest', 1, 8, 1, NULL, 0, NULL, 1783321200, 1783321200),
  (21, 'self', 1, 8, 2, NULL, 5, NULL, 1783321200, 1783321200),
  (22, 'manual', 0, 9, 0, NULL, 5, NULL, 1783321200, 1783321200),
  (23, 'guest', 1, 9, 1, NULL, 0, NULL, 1783321200, 1783321200),
  (24, 'self', 1, 9, 2, NULL, 5, NULL, 1783321200, 1783321200),
  (25, 'manual', 0, 10, 0, NULL, 5, NULL, 1783321200, 1783321200),
  (26, 'guest', 1, 10, 1, NULL, 0, NULL, 1783321200, 1783321200),
  (27, 'self', 1, 10, 2, NULL, 5, NULL, 1783321200, 1783321200),
  (28, 'manual', 0, 11, 0, NULL, 5, NULL, 1783321200, 1783321200),
  (29, 'guest', 1, 11, 1, NULL, 0, NULL, 1783321200, 1783321200),
  (30, 'self', 1, 11, 2, NULL, 5, NULL, 1783321200, 1783321200),
  (31, 'manual', 0, 12, 0, NULL, 5, NULL, 1783321200, 1783321200),
  (32, 'guest', 1, 12, 1, NULL, 0, NULL, 1783321200, 1783321200),
  (33, 'self', 1, 12, 2, NULL, 5, NULL, 1783321200, 1783321200),
  (34, 'manual', 0, 13, 0, NULL, 5, NULL, 1783321200, 1783321200),
  (35, 'guest', 1, 13, 1, NULL, 0, NULL, 1783321200, 1783321200),
  (36, 'self', 1, 13, 2, NULL, 5, NULL, 1783321200, 1783321200),
  (37, 'manual', 0, 14, 0, NULL, 5, NULL, 1783321200, 1783321200),
  (38, 'guest', 1, 14, 1, NULL, 0, NULL, 1783321200, 1783321200),
  (39, 'self', 1, 14, 2, NULL, 5, NULL, 1783321200, 1783321200),
  (40, 'manual', 0, 15, 0, NULL, 5, NULL, 1783321200, 1783321200),
  (41, 'guest', 1, 15, 1, NULL, 0, NULL, 1783321200, 1783321200),
  (42, 'self', 1, 15, 2, NULL, 5, NULL, 1783321200, 1783321200),
  (43, 'manual', 0, 16, 0, NULL, 5, NULL, 1783321200, 1783321200),
  (44, 'guest', 1, 16, 1, NULL, 0, NULL, 1783321200, 1783321200),
  (45, 'self', 1, 16, 2, NULL, 5, NULL, 1783321200, 1783321200),
  (46, 'manual', 0, 17, 0, NULL, 5, NULL, 1783321200, 1783321200),
  (47, 'guest', 1, 17, 1, NULL, 0, NULL, 1783321200, 1783321200),
  (48, 'self', 1, 17, 2, NULL, 5, NULL, 1783321200, 1783321200),
  (49, 'cohort', 0, 9, 3, 'PASS 2026', 5, 2, 1783321200, 1783321200),
  (50, 'flatfile', 0, 10, 3, NULL, 0, NULL, 1783321200, 1783321200);

-- Existing enrolments and role assignments.
INSERT INTO {user_enrolments} (id, status, enrolid, userid, timestart, timeend, modifierid, timecreated, timemodified) VALUES
  (1, 0, 1, 3, 1788760800, 0, 2, 1783321200, 1783321200), (2, 0, 4, 3, 1788760800, 0, 2, 1783321200, 1783321200),
  (3, 0, 7, 4, 1788760800, 0, 2, 1783321200, 1783321200), (4, 0, 10, 4, 1788760800, 0, 2, 1783321200, 1783321200),
  (5, 0, 13, 8, 1788760800, 0, 2, 1783321200, 1783321200), (6, 0, 16, 5, 1788760800, 0, 2, 1783321200, 1783321200),
  (7, 0, 19, 5, 1788760800, 0, 2, 1783321200, 1783321200), (8, 0, 22, 7, 1788760800, 0, 2, 1783321200, 1783321200),
  (9, 0, 25, 6, 1788760800, 0, 2, 1783321200, 1783321200), (10, 0, 28, 6, 1788760800, 0, 2, 1783321200, 1783321200),
  (11, 0, 31, 9, 1788760800, 0, 2, 1783321200, 1783321200), (12, 0, 34, 9, 1788760800, 0, 2, 1783321200, 1783321200),
  (13, 0, 37, 3, 1788760800, 0, 2, 1783321200, 1783321200), (14, 0, 40, 8, 1788760800, 0, 2, 1783321200, 1783321200),
  (15, 0, 1, 11, 1788760800, 0, 2, 1783321200, 1783321200), (16, 0, 1, 13, 1788760800, 0, 2, 1783321200, 1783321200),
  (17, 0, 1, 14, 1788760800, 0, 2, 1783321200, 1783321200), (18, 0, 1, 15, 1788760800, 0, 2, 1783321200, 1783321200),
  (19, 0, 1, 16, 1788760800, 0, 2, 1783321200, 1783321200), (20, 0, 7, 11, 1788760800, 0, 2, 1783321200, 1783321200),
  (21, 0, 7, 13, 1788760800, 0, 2, 1783321200, 1783321200), (22, 0, 7, 15, 1788760800, 0, 2, 1783321200, 1783321200),
  (23, 0, 7, 17, 1788760800, 0, 2, 1783321200, 1783321200),
  (24, 0, 10, 12, 1788760800, 1814392799, 2, 1783321200, 1783321200),
  (25, 0, 10, 11, 1788760800, 1814392799, 2, 1783321200, 1783321200),
  (26, 0, 16, 35, 1788760800, 0, 2, 1783321200, 1783321200),
  (27, 0, 16, 23, 1788760800, 0, 2, 1783321200, 1783321200), (28, 0, 49, 23, 0, 0, 2, 1783321200, 1783321200),
  (29, 0, 49, 24, 0, 0, 2, 1783321200, 1783321200), (30, 0, 49, 25, 0, 0, 2, 1783321200, 1783321200),
  (31, 0, 49, 26, 0, 0, 2, 1783321200, 1783321200), (32, 0, 49, 27, 0, 0, 2, 1783321200, 1783321200),
  (33, 0, 49, 28, 0, 0, 2, 1783321200, 1783321200), (34, 0, 49, 29, 0, 0, 2, 1783321200, 1783321200),
  (35, 0, 49, 30, 0, 0, 2, 1783321200, 1783321200),
  (36, 0, 50, 33, 1788760800, 1814392799, 2, 1783321200, 1783321200),
  (37, 0, 50, 34, 1788760800, 1814392799, 2, 1783321200, 1783321200),
  (38, 0, 50, 35, 1788760800, 1814392799, 2, 1783321200, 1783321200),
  (39, 0, 50, 36, 1788760800, 1814392799, 2, 1783321200, 1783321200);

INSERT INTO {role_assignments} (id, roleid, contextid, userid, timemodified, modifierid, component, itemid) VALUES
  (1, 3, 12, 3, 1783321200, 2, '', 0), (2, 3, 13, 3, 1783321200, 2, '', 0), (3, 3, 14, 4, 1783321200, 2, '', 0),
  (4, 3, 15, 4, 1783321200, 2, '', 0), (5, 3, 16, 8, 1783321200, 2, '', 0), (6, 3, 17, 5, 1783321200, 2, '', 0),
  (7, 3, 18, 5, 1783321200, 2, '', 0), (8, 3, 19, 7, 1783321200, 2, '', 0), (9, 3, 20, 6, 1783321200, 2, '', 0),
  (10, 3, 21, 6, 1783321200, 2, '', 0), (11, 3, 22, 9, 1783321200, 2, '', 0), (12, 3, 23, 9, 1783321200, 2, '', 0),
  (13, 3, 24, 3, 1783321200, 2, '', 0), (14, 3, 25, 8, 1783321200, 2, '', 0), (15, 5, 12, 11, 1783321200, 2, '', 0),
  (16, 5, 12, 13, 1783321200, 2, '', 0), (17, 5, 12, 14, 1783321200, 2, '', 0), (18, 5, 12, 15, 1783321200, 2, '', 0),
  (19, 5, 12, 16, 1783321200, 2, '', 0), (20, 5, 14, 11, 1783321200, 2, '', 0), (21, 5, 14, 13, 1783321200, 2, '', 0),
  (22, 5, 14, 15, 1783321200, 2, '', 0), (23, 5, 14, 17, 1783321200, 2, '', 0), (24, 5, 15, 12, 1783321200, 2, '', 0),
  (25, 5, 15, 11, 1783321200, 2, '', 0), (26, 5, 17, 35, 1783321200, 2, '', 0), (27, 5, 17, 23, 1783321200, 2, '', 0),
  (28, 5, 19, 23, 1783321200, 2, 'enrol_cohort', 49), (29, 5, 19, 24, 1783321200, 2, 'enrol_cohort', 49),
  (30, 5, 19, 25, 1783321200, 2, 'enrol_cohort', 49), (31, 5, 19, 26, 1783321200, 2, 'enrol_cohort', 49),
  (32, 5, 19, 27, 1783321200, 2, 'enrol_cohort', 49), (33, 5, 19, 28, 1783321200, 2, 'enrol_cohort', 49),
  (34, 5, 19, 29, 1783321200, 2, 'enrol_cohort', 49), (35, 5, 19, 30, 1783321200, 2, 'enrol_cohort', 49),
  (36, 5, 20, 33, 1783321200, 2, 'enrol_flatfile', 50), (37, 5, 20, 34, 1783321200, 2, 'enrol_flatfile', 50),
  (38, 5, 20, 35, 1783321200, 2, 'enrol_flatfile', 50), (39, 5, 20, 36, 1783321200, 2, 'enrol_flatfile', 50);

-- Groups, subscriptions, last visits.
INSERT INTO {groups} (id, courseid, idnumber, name, description, descriptionformat, timecreated, timemodified) VALUES
  (1, 2, '', 'TD 1', '', 1, 1783321200, 1783321200),
  (2, 2, '', 'TD 2', '', 1, 1783321200, 1783321200),
  (3, 4, '', 'Groupe A', '', 1, 1783321200, 1783321200),
  (4, 4, '', 'Groupe B', '', 1, 1783321200, 1783321200),
  (5, 10, '', 'Amphi A', '', 1, 1783321200, 1783321200);

INSERT INTO {groups_members} (id, groupid, userid, timeadded, component, itemid) VALUES
  (1, 1, 11, 1788760800, '', 0), (2, 1, 13, 1788760800, '', 0), (3, 1, 15, 1788760800, '', 0),
  (4, 2, 14, 1788760800, '', 0), (5, 2, 16, 1788760800, '', 0), (6, 3, 11, 1788760800, '', 0),
  (7, 3, 17, 1788760800, '', 0), (8, 4, 13, 1788760800, '', 0), (9, 4, 15, 1788760800, '', 0),
  (10, 5, 33, 1788760800, '', 0), (11, 5, 34, 1788760800, '', 0);

INSERT INTO {forum_subscriptions} (id, userid, forum) VALUES
  (1, 4, 4), (2, 11, 4), (3, 13, 4), (4, 15, 4), (5, 17, 4), (6, 5, 8), (7, 35, 8), (8, 23, 8);

INSERT INTO {user_lastaccess} (id, userid, courseid, timeaccess) VALUES
  (1, 11, 2, 1795093500), (2, 13, 2, 1794990600), (3, 14, 2, 1790953920), (4, 33, 10, 1795168800),
  (5, 3, 2, 1795189200);

-- Moodle's own tasks for the same work are disabled: two programs must not do it.
INSERT INTO {task_scheduled} (id, component, classname, lastruntime, nextruntime, minute, hour, day, month, dayofweek, faildelay, disabled) VALUES
  (1, 'enrol_flatfile', '\enrol_flatfile\task\flatfile_sync_task', 0, 1795302900, '15', '*', '*', '*', '*', 0, 1),
  (2, 'enrol_cohort', '\enrol_cohort\task\enrol_cohort_sync', 0, 1795302900, '37', '*', '*', '*', '*', 0, 1),
  (3, 'enrol_manual', '\enrol_manual\task\sync_enrolments', 0, 1795302900, '*/10', '*', '*', '*', '*', 0, 1);

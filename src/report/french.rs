//! The sentence that each code becomes, in French.
//! It must not know where a code is raised, or how a sentence is shown.

use crate::problem::{Code, hint};
use crate::report::waiting::parts;

impl Code {
    /// The lines of `user-unknown` and `user-ambiguous` begin with the wording of seed 000.
    pub(super) fn french(self, v: &str, h: &str) -> String {
        match self {
            Code::UserUnknown => match hint::kind_and_keys(h) {
                (h, None) => format!(
                    "valeur d'identification d'utilisateur non valide ({v}) : aucun compte avec ce {h} ; créez le \
                     compte ou corrigez la ligne"
                ),
                (h, Some(keys)) => format!(
                    "valeur d'identification d'utilisateur non valide ({v}) : aucun compte avec ce {h} ; s'agit-il de \
                     {keys} ? Corrigez la ligne"
                ),
            },
            Code::Waiting => {
                let (until, code, hint) = parts(h);
                format!("{code} : {} ; la ligne attend jusqu'au {until}", code.french(v, hint))
            }
            Code::WaitingFull => {
                let (_, code, hint) = parts(h);
                format!(
                    "{code} : {} ; la ligne ne peut pas attendre : waiting.max lignes attendent",
                    code.french(v, hint)
                )
            }
            Code::UserAmbiguous => format!(
                "l'identité « {v} » n'est pas unique, {h} comptes trouvés, aucun utilisé ; donnez à chaque compte une \
                 valeur propre"
            ),
            Code::CourseUnknown => match hint::kind_and_keys(h) {
                (h, None) => format!("cours « {v} » introuvable ({h}) ; créez le cours ou corrigez la ligne"),
                (h, Some(keys)) => {
                    format!("cours « {v} » introuvable ({h}) ; s'agit-il de {keys} ? Corrigez la ligne")
                }
            },
            Code::CourseAmbiguous => {
                format!("{h} cours répondent à « {v} », aucun utilisé ; donnez à chaque cours une valeur propre")
            }
            Code::RoleUnknown if h.is_empty() => {
                format!("rôle « {v} » introuvable ; utilisez le nom abrégé ou l'alias d'un rôle de ce site")
            }
            Code::RoleUnknown => format!("rôle « {v} » introuvable ; utilisez l'un de : {h}"),
            Code::RoleAmbiguous => format!(
                "« {v} » est le nom abrégé d'un rôle et l'alias d'un autre ({h}), aucun n'a été utilisé ; écrivez le \
                 numéro du rôle, ou donnez-lui un autre alias dans Moodle"
            ),
            Code::RoleNotAllowed => format!(
                "le rôle « {v} » n'est pas de ceux que {h} permet ici, rien n'en a été fait ; utilisez \
                 un autre rôle, ou nommez-le dans {h} si l'auteur de ces fichiers mérite cette confiance"
            ),
            Code::BadVerb => format!("commande « {v} » inconnue ; utilisez l'une de : {h}"),
            Code::BadTime => match h.split_once(' ').unwrap_or((h, "")) {
                (hint::DAY_NUMBER, date) => format!(
                    "date illisible « {v} » : ce semble être le numéro de jour d'un tableur, pour le {date} ; mettez \
                     la colonne au format date, ou écrivez {date}"
                ),
                (hint::YEAR, year) => format!(
                    "date illisible « {v} » : ce semble être l'année {year} ; écrivez la date entière, par exemple \
                     {year}-01-31"
                ),
                (hint::YEAR_MONTH, month) => format!(
                    "date illisible « {v} » : ce semble être le mois {month} ; indiquez aussi le jour, par exemple \
                     {month}-15"
                ),
                (hint::COMPACT_DATE, date) => format!("date illisible « {v} » ; écrivez-la ainsi : {date}"),
                (hint::SMALL_NUMBER, _) => format!(
                    "date illisible « {v} » : en secondes Unix, elle serait antérieure à 1973 ; écrivez une date comme \
                     2026-01-31 (s'il vous faut de telles secondes, réglez flatfile.small_times = \"accept\")"
                ),
                _ => format!("date illisible « {v} » ; écrivez-la comme l'un de ces exemples : {h}"),
            },
            Code::EndBeforeStart if h == hint::PASSED => {
                format!("la fin « {v} » est passée, personne n'en serait prolongé ; écrivez-en une plus tardive")
            }
            Code::EndBeforeStart => format!("la fin « {v} » est antérieure au début « {h} » ; corrigez l'une des deux"),
            Code::ColumnUnknown => match h {
                hint::NAMELESS => {
                    "une valeur est dans une colonne sans titre, et peut être la personne ; nommez la colonne \
                     dans l'en-tête, ou videz-la"
                        .to_owned()
                }
                "" => format!("en-tête refusé : colonne « {v} » inconnue ; retirez-la ou donnez-lui un nom connu"),
                hint::NOT_APPLIED => format!(
                    "fichier refusé : cette version n'applique pas la colonne « {v} », et l'ignorer perdrait des \
                     données ; retirez la colonne ou utilisez le programme auquel elle est destinée"
                ),
                hint::SEVERAL_RECORDS => format!(
                    "en-tête refusé : « {v} » contient un nom de colonne et le début d'un enregistrement ; écrivez \
                     l'en-tête et chaque enregistrement sur sa propre ligne"
                ),
                near => format!(
                    "en-tête refusé : colonne « {v} » inconnue, vouliez-vous dire « {near} » ? Corrigez l'en-tête"
                ),
            },
            Code::ColumnMissing => format!(
                "en-tête refusé : colonne obligatoire absente : {v} (trouvées : {h}) ; ajoutez-la à l'en-tête et à \
                 chaque ligne"
            ),
            Code::ColumnTwice => {
                format!("en-tête refusé : les colonnes « {h} » et « {v} » ont le même sens ; gardez-en une seule")
            }
            Code::HeaderMisplaced => format!(
                "fichier refusé : un en-tête se trouve ici, mais la ligne {v} qui le précède n'est pas un titre ; \
                 commencez le fichier par l'en-tête (au plus {h} lignes de titre, sans séparateur, peuvent le \
                 précéder) et mettez les lignes de l'autre forme dans un fichier à part"
            ),
            Code::LineSkipped => {
                format!("précède l'en-tête et n'est pas lue : « {v} » ; retirez-la du fichier")
            }
            Code::DelimiterSuspect => format!(
                "fichier refusé : les colonnes semblent séparées par {v} ; utilisez {h}, de même dans l'en-tête et \
                 dans chaque ligne"
            ),
            Code::Spreadsheet => match v {
                "xlsx" | "xls" | "ods" => format!(
                    "fichier refusé : c'est un classeur de tableur ({v}), pas un fichier texte ; enregistrez-le au \
                     format CSV, et envoyez celui-ci"
                ),
                "html" => "fichier refusé : c'est une page web (html), pas un fichier CSV : peut-être une page du \
                           serveur qui demande un mot de passe, ou un tableau qu'un programme appelle classeur ; \
                           envoyez les données au format CSV"
                    .to_owned(),
                "pdf" | "rtf" | "xml" => format!(
                    "fichier refusé : c'est un document ({v}), pas un fichier CSV ; exportez les données au format \
                     CSV, et envoyez celui-ci"
                ),
                "zip" => "fichier refusé : c'est un fichier zip (archive ou classeur), pas du texte ; envoyez le \
                          fichier CSV qu'il contient, ou enregistrez-le au format CSV"
                    .to_owned(),
                _ => format!(
                    "fichier refusé : c'est un fichier compressé ({v}), pas du texte ; envoyez le fichier CSV qu'il \
                     contient"
                ),
            },
            Code::EncodingInvalid if v == "NUL" => format!(
                "fichier refusé : octet NUL à la ligne {h}, ce n'est pas un fichier texte ; exportez-le de nouveau en \
                 UTF-8 (l'UTF-16 exige sa marque d'ordre des octets)"
            ),
            Code::EncodingInvalid if h == hint::LINE => format!(
                "octets étrangers à l'UTF-8, l'encodage du reste du fichier : {v} ; corrigez les caractères remplacés \
                 par \u{fffd} et exportez de nouveau le fichier, en UTF-8"
            ),
            Code::EncodingInvalid => format!(
                "fichier refusé : la ligne {h} n'est pas de l'{v} valide ; exportez de nouveau le fichier, en UTF-8"
            ),
            Code::RowRagged => match h {
                hint::QUOTE => format!(
                    "guillemets non appariés dans : {v} ; fermez le guillemet, et doublez celui qui fait partie d'une \
                     valeur"
                ),
                hint::SEVERAL_RECORDS => format!(
                    "{v} colonnes : plusieurs enregistrements semblent être sur cette ligne ; écrivez un \
                     enregistrement par ligne"
                ),
                expected => format!("{v} colonnes au lieu de {expected} ; corrigez les séparateurs de cette ligne"),
            },
            Code::RowTooLong => format!(
                "plus longue que {h}, non lue (elle commence par : {v}) ; vérifiez que chaque enregistrement se \
                 termine par une fin de ligne"
            ),
            Code::ValueTooLong => {
                let (column, room) = h.rsplit_once(' ').unwrap_or((h, ""));
                let left_out = match column {
                    "group" | "name" => "elle est ignorée, le reste de la ligne est appliqué",
                    _ => "la ligne n'est pas appliquée",
                };
                format!(
                    "la valeur de la colonne {column} est trop longue, le site n'a de place que pour {room} caractères \
                     : « {v} » ; {left_out} : corrigez-la"
                )
            }
            Code::FileTooLarge => format!(
                "le fichier a {v} octets, plus qu'un fichier n'en peut avoir ; il n'a pas été lu : envoyez-le en \
                 plusieurs parties, ou augmentez {h} Mio"
            ),
            Code::DatabaseRefuses => format!(
                "la base de données a refusé ce fichier {v} fois alors qu'elle répondait par ailleurs, rien n'en a été \
                 appliqué : {h} ; corrigez le fichier, ou la base, et déposez-le de nouveau"
            ),
            Code::EmptyIdentifier => {
                format!("colonne « {v} » vide ; remplissez-la, une valeur vide ne correspond jamais à rien")
            }
            Code::NotParticipant => format!(
                "« {v} » n'a aucune inscription que cette commande concerne (cours, méthode, rôle) ; corrigez la \
                 liste, ou la commande"
            ),
            Code::NoMethod if h == hint::AUTOMATIC => format!(
                "les inscriptions de la méthode « {v} » durent ce que décide leur source ; rendez-les d'abord \
                 manuelles (convert)"
            ),
            Code::NoMethod if h == hint::SITE => format!(
                "la méthode d'inscription « {v} » est désactivée sur le site, et les personnes y seraient inscrites ; \
                 activez-la"
            ),
            Code::NoMethod if h.split_once(' ').is_some_and(|(word, _)| word == hint::DISABLED) => format!(
                "la méthode « {v} » est désactivée dans le cours {} : ses inscrits ont peut-être déjà été transformés, \
                 et il n'y a rien à faire",
                h.split_once(' ').unwrap_or_default().1
            ),
            Code::NoMethod if h == hint::BY_HAND => {
                format!("les inscriptions de la méthode « {v} » sont déjà faites à la main ; retirez la ligne")
            }
            Code::NoMethod => format!(
                "aucune méthode d'inscription « {v} » active dans le cours {h} ; ajoutez-la ou activez-la dans le cours"
            ),
            Code::AccountProtected if h == "accounts.protected" => {
                format!("la configuration protège le compte « {v} » ({h}) ; retirez la ligne")
            }
            Code::AccountProtected => format!(
                "le compte « {v} » est un administrateur ou l'invité, jamais modifié par un fichier ; retirez la ligne"
            ),
            Code::TooManySteps => format!(
                "plus de {h} lignes sur {v} dans un fichier, aucune appliquée ; n'envoyez que l'état final voulu"
            ),
            Code::Overtaken if h.is_empty() => {
                format!("{v} a été modifié entre-temps, ligne non appliquée ; renvoyez-la si elle vaut toujours")
            }
            Code::Overtaken => format!(
                "{v} a été modifié entre-temps par l'exécution {h}, ligne non appliquée ; renvoyez-la si elle vaut \
                 toujours"
            ),
            Code::GuardHeld => {
                format!("{v} dépasse le seuil {h} ; exécution suspendue, rien n'est écrit : approuvez-la ou rejetez-la")
            }
            Code::DuplicateFile if h.is_empty() => {
                format!("fichier identique déjà traité le {v}, non appliqué de nouveau ; envoyez un contenu nouveau")
            }
            Code::DuplicateFile => format!(
                "fichier identique déjà traité le {v} (exécution {h}), non appliqué de nouveau ; envoyez un contenu \
                 nouveau"
            ),
            Code::KindUnknown if h.starts_with("flatfile:") => format!(
                "fichier refusé, rien n'a été appliqué : son en-tête ({v}) n'est celui d'aucun type de \
                 fichier ; corrigez-le, ou nommez ses colonnes dans un profil ({h})"
            ),
            Code::KindUnknown => format!(
                "fichier refusé, rien n'a été appliqué : son type est incertain, « {v} » correspond à {h} ; donnez-lui \
                 un autre nom ou un autre en-tête, ou nommez ses fichiers dans un seul profil"
            ),
            Code::KindNotAllowed => format!(
                "fichier refusé, rien n'a été appliqué : c'est un fichier de type {v}, et aucun profil n'autorise ce \
                 type dans le répertoire de dépôt ; appliquez-le avec enrold import, ou ajoutez un profil de ce type \
                 dans {h}"
            ),
            Code::FileEmpty if v.is_empty() => {
                "aucune ligne de données dans le fichier, rien à faire ; vérifiez l'export qui l'a produit".to_owned()
            }
            Code::FileEmpty => {
                format!("aucune ligne de données dans {v}, rien à faire ; vérifiez l'export qui l'a produit")
            }
            Code::FileUnreadable => {
                format!("{v} ne peut pas être lu : {h} ; vérifiez qu'il existe et qu'enrold a le droit de le lire")
            }
            Code::SourceUnreadable => format!("l'ensemble de {v} ne peut pas être lu, rien n'a été changé : {h}"),
            Code::BaseMissing => format!("le delta de {v} n'est pas appliqué, rien n'a été changé : {h}"),
            Code::DeltaOutdated => {
                format!("le delta de {v} est plus ancien que ce qui est appliqué, rien n'a été changé : {h}")
            }
            Code::SetWaits => format!(
                "un ensemble de {v} suspendu passe d'abord (exécution {h}), rien n'a été changé : approuvez ou rejetez \
                 l'exécution {h}, puis redonnez celui-ci"
            ),
            Code::CourseNameMissing => format!("un nouveau cours n'a pas de {h} ({v}) : il n'est pas créé"),
            Code::CourseNameTooLong => {
                format!("le nom d'un nouveau cours a plus de {h} caractères : « {v}… » ; il n'est pas créé")
            }
            Code::CourseNameDoubtful => format!(
                "le cours « {v} » n'est pas créé : son nom abrégé ou son numéro d'identification est abîmé, ou proche \
                 de celui d'un autre cours ; corrigez la ligne, ou créez le cours dans Moodle"
            ),
            Code::CourseShortnameTaken => format!(
                "le cours « {v} » n'est pas créé : Moodle ne distingue pas son nom abrégé de « {h} », qui existe"
            ),
            Code::CourseIdnumberTaken => {
                format!(
                    "le cours « {v} » n'est pas créé : le numéro d'identification « {h} » est celui d'un autre cours"
                )
            }
            Code::CourseTwice => format!(
                "le cours « {v} » de cette ligne n'est pas créé : la ligne {h} a le même nom abrégé ou numéro \
                 d'identification, et la dernière compte"
            ),
            Code::CategoryUnknown if h.is_empty() => {
                format!("le cours « {v} » n'est pas créé : le site n'a pas de catégorie où le mettre")
            }
            Code::CategoryUnknown => format!(
                "le cours « {v} » n'est pas créé : aucune catégorie n'a « {h} » ; créez la catégorie, ou corrigez la \
                 ligne"
            ),
            Code::CategoryAmbiguous => format!(
                "le cours « {v} » n'est pas créé : plusieurs catégories ont « {h} » ; donnez à chacune son numéro \
                 d'identification"
            ),
            Code::CohortUnknown => format!(
                "aucune cohorte n'a {h} « {v} » : corrigez, créez-la dans Moodle, ou faites-la créer par un fichier de \
                 comptes ou de cohortes (create_cohorts)"
            ),
            Code::CohortAmbiguous => format!("{h} cohortes ont « {v} » : donnez à chacune sa propre clé"),
            Code::GroupUnknown => format!(
                "le cours {h} n'a pas de groupe « {v} » : personne n'en rejoint ni n'en quitte un par lui ; créez-le, \
                 ou laissez enrold le créer (create_groups)"
            ),
            Code::GroupAmbiguous => format!(
                "plusieurs groupes du cours {h} sont « {v} » : personne n'en rejoint ni n'en quitte un par lui ; \
                 donnez à chacun son propre nom"
            ),
            Code::GroupNotEnrolled => format!(
                "non inscrit au cours {h}, le groupe « {v} » n'a donc pas été rejoint ; inscrivez d'abord le compte"
            ),
            Code::GroupExists => format!(
                "le cours {h} a déjà un groupe ou un groupement « {v} », qui reste tel quel ; pour lui donner les \
                 valeurs du fichier, mettez update = file dans le profil, ou écrivez update dans la colonne cmd (la \
                 visibilité et la participation ne sont posées qu'à la création)"
            ),
            Code::GroupIdnumberTaken => format!(
                "un autre groupe ou groupement du cours {h} a le numéro d'identification « {v} » : un nouveau est créé \
                 sans lui, un existant n'est pas modifié ; corrigez ce numéro"
            ),
            Code::GroupingUnknown => format!(
                "le cours {h} n'a pas de groupement « {v} » : la ligne n'est pas appliquée ; créez-le par une ligne \
                 précédente"
            ),
            Code::GroupUsed => format!(
                "« {v} » est utilisé ({h}) et reste : une méthode d'inscription, une restriction d'accès, une activité \
                 ou une conversation en a besoin ; retirez d'abord cet usage, ou supprimez-le dans Moodle"
            ),
            Code::GroupKept => format!(
                "des membres du groupe « {v} » restent ({h}) : une méthode d'inscription les y a mis ; mettez fin à \
                 l'inscription, ou modifiez la méthode"
            ),
            Code::CourseNotNamed => format!(
                "fichier refusé, rien n'a été appliqué : son nom ({v}) ne dit pas son cours ; nommez-le \
                 course-CLE.csv, ou nommez le cours (--course, ou course dans son profil)"
            ),
            Code::EnrolmentInactive => format!(
                "« {v} » est déjà inscrit au cours {h}, mais son inscription est suspendue ou terminée, et l'est \
                 restée ; réactivez-la dans le cours, ou laissez enrold le faire (reactivate = \"manual\")"
            ),
            Code::CourseLinked => format!(
                "le cours {h} reçoit ses participants d'autres cours (lien méta-cours), « {v} » n'y a donc pas été \
                 inscrit ; inscrivez le compte dans l'un de ces cours"
            ),
            Code::EnrolmentKept => format!(
                "« {v} » reste inscrit au cours {h}, car une cohorte ou une autre méthode l'inscrit et en décide \
                 seule ; retirez-le là-bas"
            ),
            Code::MethodExists => format!(
                "le cours {h} a déjà la méthode {v}, avec d'autres valeurs, et rien n'a été modifié ; employez \
                 « update » ou « enable »"
            ),
            Code::MethodMissing => {
                format!("{h} n'a pas de méthode {v} ; corrigez le cours, la source ou le rôle")
            }
            Code::MethodCycle => format!(
                "le lien serait circulaire : {v} ; rien n'a été fait, liez le cours à un autre, ou supprimez d'abord \
                 un de ces liens"
            ),
            Code::TooManyCourses => format!(
                "les lignes jusqu'ici désignent plus de {h} cours ({v}), celle-ci n'a donc pas été appliquée ; envoyez \
                 deux fichiers"
            ),
            Code::TooManyLinks => format!(
                "les liens de ce fichier forment trop de cercles pour savoir si {v} en fermerait un : il n'a pas été \
                 ajouté ; corrigez les lignes method-cycle, ou envoyez moins de liens par fichier"
            ),
            Code::TooManyPatterns => format!(
                "les lignes jusqu'ici ont {h} motifs de cours différents, « {v} » n'a donc pas été appliqué ; nommez \
                 une catégorie ou un motif plus large, ou envoyez deux fichiers"
            ),
            Code::CategoryUnusable => format!(
                "{h} catégorie(s) avec le numéro d'identification « {v} », le rôle n'a pas été attribué ; corrigez la \
                 ligne, ou donnez ce numéro à une catégorie"
            ),
            Code::ValueCharset => format!(
                "« {v} » contient un caractère que la colonne {h} du site ne peut pas enregistrer (utf8mb3 n'admet pas \
                 d'emoji) : rien n'est créé sous ce nom, et personne n'y perd rien ; corrigez le nom, ou convertissez \
                 la table en utf8mb4 (admin/cli/mysql_collation.php)"
            ),
            Code::CohortExists => format!(
                "une autre cohorte a {h} « {v} » : la ligne n'est pas appliquée ; corrigez-la, ou choisissez une autre \
                 valeur"
            ),
            Code::CohortKept => format!(
                "{h} membres de la cohorte « {v} » que le fichier ne nomme pas restent, car des lignes inutilisables \
                 peuvent les désigner ; corrigez ces lignes et envoyez le fichier à nouveau"
            ),
            Code::ContextUnknown if h == "context_id" => format!(
                "fichier refusé, rien n'a été appliqué : context_id {v} n'est ni le système ni une catégorie ; \
                 indiquez un autre context.id, ou 0 pour le système"
            ),
            Code::ContextUnknown => format!(
                "{h} « {v} » n'est pas un endroit pour des cohortes : une cohorte qui existe reste où elle est, une \
                 nouvelle est créée dans le contexte par défaut ; corrigez la ligne"
            ),
            Code::ValueUnusable if h == hint::SECTION => format!(
                "« {v} » commence peut-être une section : jusqu'à la prochaine section correcte, personne ne rejoint \
                 ni ne quitte de groupe, et personne n'est désinscrit ; écrivez « # » et le nom du groupe seuls sur \
                 une ligne"
            ),
            Code::ValueUnusable if h.starts_with("section ") => format!(
                "« {v} » se trouve sous une section inutilisable (ligne {}), personne n'a été retiré ; corrigez cette \
                 ligne",
                h.trim_start_matches("section ")
            ),
            Code::ValueUnusable => {
                format!(
                    "« {v} » n'est pas une valeur de cette colonne ({h}) ; la ligne n'est pas appliquée : corrigez-la"
                )
            }
            Code::ValueCut => {
                let (column, room) = h.rsplit_once(' ').unwrap_or((h, ""));
                format!("{column} « {v} » est coupé à {room} caractères, comme dans Moodle ; la ligne est appliquée")
            }
            Code::CohortOwned => format!("la cohorte « {v} » appartient à {h}, qui la remplit : rien n'y est fait"),
            Code::RuleUnusable => format!(
                "la règle d'une méthode autoenrol du cours {v} est inutilisable ({h}) ; elle n'a inscrit ni retiré \
                 personne : corrigez-la ou désactivez la méthode"
            ),
            Code::GroupName => format!(
                "autoenrol dans le cours {v} : {h} ; les inscriptions ont été faites, pas ces groupes : corrigez les \
                 réglages des groupes"
            ),
            Code::ColumnIgnored => format!(
                "la colonne « {v} » n'est pas lue ; si elle doit l'être, nommez-la dans `columns` de la source ou du \
                 profil (lues : {h})"
            ),
            Code::ReferenceUnknown => format!(
                "aucune ligne de {h} n'a l'identifiant « {v} », rien n'est deviné ; corrigez l'export pour que les \
                 fichiers aillent ensemble"
            ),
            Code::ReferenceAmbiguous => format!(
                "plusieurs lignes différentes de {h} ont l'identifiant « {v} », aucune n'est utilisée ; donnez à \
                 chacune le sien"
            ),
            Code::ValueInvalid => {
                let (column, expected) = h.split_once(' ').unwrap_or((h, ""));
                format!("« {v} » ne convient pas à la colonne {column} ; valeurs admises : {expected}")
            }
            Code::AccountIncomplete => {
                format!("le compte « {v} » n'est pas créé : il manque une valeur de {h} ; remplissez cette colonne")
            }
            Code::UsernameInvalid if h.is_empty() => format!(
                "« {v} » n'est pas un identifiant : Moodle admet les minuscules, les chiffres et - . _ @ ; corrigez la \
                 ligne"
            ),
            Code::UsernameInvalid if h == hint::SPREADSHEET => format!(
                "« {v} » n'est pas un nom d'utilisateur mais un nombre ou une date que le tableur a modifié ; donnez \
                 à la colonne le format texte et récrivez le nom"
            ),
            Code::UsernameInvalid => format!(
                "« {v} » n'est pas un identifiant : Moodle admet les minuscules, les chiffres et - . _ @ ; écrivez \
                 « {h} », ou laissez enrold le faire (standardise)"
            ),
            Code::UsernameTaken if !h.is_empty() => format!(
                "l'identifiant « {v} » est pour la base de données celui de la ligne {h}, qui est appliquée ; corrigez \
                 l'une des deux"
            ),
            Code::UsernameTaken => {
                format!("l'identifiant « {v} » est celui d'un autre compte, rien n'est fait ; corrigez la ligne")
            }
            Code::EmailTaken if h.is_empty() => {
                format!("l'adresse « {v} » est celle d'un autre compte, rien n'est fait ; corrigez la ligne")
            }
            Code::EmailTaken => format!(
                "l'adresse « {v} » est aussi celle de la ligne {h}, qui est appliquée ; corrigez l'une des deux"
            ),
            Code::KeyCollision => format!(
                "le compte « {v} » et l'idnumber « {h} » de cette ligne sont de deux personnes, rien n'est fait ; \
                 corrigez la ligne"
            ),
            Code::AuthUnknown => format!(
                "aucune méthode d'authentification « {v} » sur ce site, rien n'est fait ; corrigez la ligne, ou \
                 installez-la"
            ),
            Code::AuthDisabled => format!(
                "la méthode d'authentification « {v} » n'est pas activée sur ce site : la ligne est appliquée, mais \
                 personne ne se connecte ainsi ; activez-la, ou corrigez la ligne"
            ),
            Code::EmailMalformed => format!(
                "« {v} » n'a pas la forme d'une adresse : la ligne est appliquée, mais aucun courriel n'arrivera ; \
                 corrigez-la dans Moodle, ou par un fichier qui peut la changer (change_email)"
            ),
            Code::ChangeRefused => format!(
                "{v} : l'option « {h} » du profil n'est pas active, ce changement n'est donc pas fait ; activez-la, ou \
                 retirez la valeur de la ligne"
            ),
            Code::AccountForeign => match h {
                "host" => {
                    format!("« {v} » est un compte d'un autre hôte, aucun fichier ne le modifie ; retirez la ligne")
                }
                _ => format!(
                    "« {v} » a un rôle dans le système ou dans une catégorie : aucun fichier déposé ne modifie un tel \
                     compte ; importez le fichier par une commande"
                ),
            },
            Code::FieldOptionUnknown => format!(
                "« {v} » n'est pas une option du champ de profil {h}, laissé tel quel ; écrivez une option telle \
                 qu'elle est définie"
            ),
            Code::OptionsConflict if h.split_once(' ').is_some_and(|(word, _)| word == hint::LINE) => {
                let h = h.split_once(' ').unwrap_or_default().1;
                format!("« {v} » et « {h} » sont sur la même ligne ; laissez vide l'une des deux cases")
            }
            Code::OptionsConflict => {
                format!("fichier refusé : {v} est incompatible avec {h} ; changez l'une de ces options")
            }
            Code::StatusUnusable => {
                format!("statut « {v} » inattendu, attendu : {h} ; corrigez l'export ou son manifeste")
            }
            Code::PasswordMasked => format!(
                "la colonne {v} contient un mot de passe masqué : cette ligne a été écrite par enrold ; remettez-y le \
                 mot de passe"
            ),
            Code::PasswordTooLong => format!(
                "le mot de passe de la colonne {v} est plus long que ce que Moodle accepte ({h} octets) ; donnez-en un \
                 plus court"
            ),
            Code::SourceGone => format!(
                "le cours {v} est lié à un cours qui n'existe pas (id {h}) ; le lien n'a inscrit ni retiré personne : \
                 supprimez-le ou désactivez-le"
            ),
            Code::InstanceRoleGone => format!(
                "une méthode d'inscription du cours {v} donne le rôle {h}, qui n'existe plus ; choisissez-y un autre \
                 rôle"
            ),
        }
    }
}

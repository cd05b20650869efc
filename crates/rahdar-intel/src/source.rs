//! What the name of a file, and of the folders it lies in, says about its content.

use rahdar_model::Window;

use crate::date;
use crate::naming;
use crate::reading::Origin;

/// A file's name and what follows from it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Source {
    /// The file and its folder, for people. The rest of the path is nobody's business.
    pub(crate) shown: String,
    /// The cluster that the name of the file speaks of, else that of the nearest folder.
    pub(crate) cluster: Option<(String, Origin)>,
    /// The day or month that the name of the file speaks of, else that of the nearest folder.
    pub(crate) published: Option<Window>,
}

/// Folders that may name a cluster; chosen here: what lies above is how a person keeps files.
const FOLDERS: usize = 2;

impl Source {
    /// What this path says; its parts are divided by `/` or `\`.
    pub(crate) fn of_path(path: &str) -> Self {
        let mut parts = path.rsplit(['/', '\\']).filter(|part| !part.is_empty());
        let file = parts.next().unwrap_or_default();
        let folders: Vec<&str> = parts.take(FOLDERS).collect();
        let shown = folders.first().map_or_else(|| file.to_owned(), |folder| format!("{folder}/{file}"));
        let in_folder = || {
            folders.iter().find_map(|folder| naming::in_file_name(folder)).map(|name| (name, Origin::Folder))
        };
        let cluster = naming::in_file_name(file).map(|name| (name, Origin::FileName)).or_else(in_folder);
        let published = std::iter::once(&file)
            .chain(folders.first())
            .filter_map(|part| date::span(&part.replace('_', " ")))
            .find(|span| span.single)
            .map(|span| span.window);
        Self { shown, cluster, published }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, shown: &str, cluster: Option<(&str, Origin)>, published: &str) {
        let source = Source::of_path(path);
        assert_eq!(source.shown, shown);
        assert_eq!(source.cluster.as_ref().map(|(name, origin)| (name.as_str(), *origin)), cluster);
        let day = source.published.map(|window| window.from.day().to_string()).unwrap_or_default();
        assert_eq!(day, published);
    }

    #[test]
    fn the_nearest_name_and_date_of_a_path_win() {
        check(
            "/x/Group TAG-22 Targets/Indicators",
            "Group TAG-22 Targets/Indicators",
            Some(("TAG-22", Origin::Folder)),
            "",
        );
        check(
            "RedAlpha - June 2018/C2_IPs.txt",
            "RedAlpha - June 2018/C2_IPs.txt",
            Some(("RedAlpha", Origin::Folder)),
            "2018-06-01",
        );
        check(
            "b/Calypso APT - March 2021",
            "b/Calypso APT - March 2021",
            Some(("Calypso", Origin::FileName)),
            "2021-03-01",
        );
        check("2021-05-10-IOCs.txt", "2021-05-10-IOCs.txt", None, "2021-05-10");
        check("", "", None, "");
    }
}

//! The day in a file's name: `routeviews-rv2-20210815-1200.pfx2as`, `peeringdb_2_dump_2021_08_15.json`,
//! `2024-01_categorized_ases.csv`.

use rahdar_model::Day;

/// The first date in the name of the file, folders left out. A month alone is its first day.
pub(super) fn in_name(name: &str) -> Option<Day> {
    let name = name.rsplit(['/', '\\']).next()?;
    let groups: Vec<&str> =
        name.split(|c: char| !c.is_ascii_digit()).filter(|group| !group.is_empty()).collect();
    let day = |year: &str, month: &str, day: &str| {
        let year = year.parse().ok().filter(|year| (1990..2100).contains(year))?;
        Day::from_date(year, month.parse().ok()?, day.parse().ok()?)
    };
    let whole = groups.iter().find_map(|group| match group.len() {
        8 | 12 => day(&group[..4], &group[4..6], &group[6..8]),
        _ => None,
    });
    let parts = || {
        groups.windows(3).find_map(|group| match [group[0].len(), group[1].len(), group[2].len()] {
            [4, 2, 2] => day(group[0], group[1], group[2]),
            _ => None,
        })
    };
    let month = || {
        groups.windows(2).find_map(|group| match [group[0].len(), group[1].len()] {
            [4, 2] => day(group[0], group[1], "1"),
            _ => None,
        })
    };
    whole.or_else(parts).or_else(month)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, expected: Option<&str>) {
        assert_eq!(in_name(name).map(|day| day.to_string()), expected.map(str::to_owned), "{name}");
    }

    #[test]
    fn names_of_files_hold_dates() {
        check("2020/routeviews-rv2-20210815-1200.pfx2as.gz", Some("2021-08-15"));
        check("20210701.as-org2info.jsonl.gz", Some("2021-07-01"));
        check("peeringdb_2_dump_2021_08_15.json", Some("2021-08-15"));
        check("2024-01_categorized_ases.csv", Some("2024-01-01"));
        check("bview.20210815.0800.gz", Some("2021-08-15"));
        check("rib.202108150000.bz2", Some("2021-08-15"));
        check("asn-ipv4.csv.gz", None);
        check("20211345.txt", None);
        check("64500.csv", None);
    }
}

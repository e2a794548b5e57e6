//! Names of volumes as names of files, and names that were mistyped.

use std::collections::HashSet;

use crate::Error;

/// Gives out names for files, no two of which could be taken for one another.
#[derive(Debug, Default)]
pub(super) struct Names {
    taken: HashSet<String>,
}

/// What is appended to the name of a volume.
const ENDINGS: [&str; 6] = ["", ".tar", ".json", ".partial", ".tar.partial", ".not-kept.jsonl"];

impl Names {
    /// The name of a volume, if it is free with all its endings; otherwise the name, a tilde and a number. Disks that
    /// ignore case cannot hold two names that differ in nothing else, so these count as one. Characters that Docker
    /// does not allow in names, which only damage or malice can bring there, become underscores.
    pub(super) fn take(&mut self, volume: &str) -> String {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        let mut base: String = volume.chars().map(|c| if allowed(c) { c } else { '_' }).collect();
        if !base.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            base.insert(0, '_');
        }
        base.truncate(200);
        let numbered = (2_u64..).map(|number| format!("{base}~{number}"));
        let free = |name: &String| {
            ENDINGS.iter().all(|ending| !self.taken.contains(&format!("{name}{ending}").to_lowercase()))
        };
        let name = std::iter::once(base.clone()).chain(numbered).find(free).unwrap_or(base);
        self.taken.extend(ENDINGS.map(|ending| format!("{name}{ending}").to_lowercase()));
        name
    }
}

/// How many names are suggested.
const SUGGESTIONS: usize = 3;

/// The error for a name that no volume has.
pub(crate) fn unknown<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Error {
    let lower = name.to_lowercase();
    let closeness = |known: &&str| {
        let known = known.to_lowercase();
        if known.starts_with(&lower) { 1.0 } else { strsim::jaro_winkler(&known, &lower) }
    };
    let mut close: Vec<_> =
        known.map(|known| (closeness(&known), known)).filter(|(closeness, _)| *closeness > 0.75).collect();
    close.sort_by(|a, b| b.0.total_cmp(&a.0));
    let nearest = close.into_iter().take(SUGGESTIONS).map(|(_, known)| known.to_owned()).collect();
    Error::UnknownVolume { name: name.to_owned(), nearest }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_one_file_system_may_take_for_one_are_told_apart() {
        let mut names = Names::default();
        let taken = ["data", "Data", "data.json", "a/../b", ".hidden", "data"].map(|name| names.take(name));
        assert_eq!(taken, ["data", "Data~2", "data.json~2", "a_.._b", "_.hidden", "data~3"]);
    }

    #[test]
    fn mistyped_names_find_their_neighbours() {
        let Error::UnknownVolume { nearest, .. } =
            unknown("PGdat", ["pgdata", "redis", "pg-data"].into_iter())
        else {
            panic!("another error");
        };
        assert_eq!(nearest, ["pgdata", "pg-data"]);
    }
}

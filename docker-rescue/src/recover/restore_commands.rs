//! The commands that put a recovered volume back into a Docker that works.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::Form;

/// An image with GNU tar and GNU cp. That of `BusyBox`, and `docker cp`, lose attributes, holes, or the owner and mode of the
/// volume's root, without which databases refuse to start.
const IMAGE: &str = "debian:stable-slim";

/// Two lines for a POSIX shell, to be run in the directory that was recovered to. `file` is the volume's place below it.
pub(super) fn restore_commands(
    name: &str,
    labels: &BTreeMap<String, String>,
    file: &str,
    form: Form,
) -> [String; 2] {
    let mut create = String::from("docker volume create");
    // Docker marks anonymous volumes by this label and prunes them; a restored one is worth keeping.
    for (key, value) in labels.iter().filter(|(key, _)| *key != "com.docker.volume.anonymous") {
        let _ = write!(create, " --label {}", quote(&format!("{key}={value}")));
    }
    let _ = write!(create, " {}", quote(name));

    let mount = quote(&format!("{name}:/to"));
    let file = quote(file);
    // CAP_SYS_ADMIN lets trusted.* attributes be set.
    let copy = match form {
        Form::Directory => format!(
            "docker run --rm --network none --cap-add SYS_ADMIN -v {mount} -v \"$PWD\"/{file}:/from:ro {IMAGE} cp -a /from/. /to"
        ),
        Form::Tar => format!(
            "docker run --rm -i --network none --cap-add SYS_ADMIN -v {mount} {IMAGE} tar --xattrs --xattrs-include='*' \
             --warning=no-unknown-keyword -C /to -xpf - < {file}"
        ),
    };
    [create, copy]
}

/// Quotes a word for a POSIX shell where it needs that.
fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_a_shell_would_split_or_expand_them() {
        let quoted = ["data", "a=b:c", "a b", "$HOME", "it's", ""].map(quote);
        assert_eq!(quoted, ["data", "a=b:c", "'a b'", "'$HOME'", r"'it'\''s'", "''"]);
    }

    #[test]
    fn labels_come_back_and_the_mark_of_anonymous_volumes_does_not() {
        let labels = [("com.docker.volume.anonymous", ""), ("note", "it's mine")];
        let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let [create, _] = restore_commands("data", &labels, "volumes/data.tar", Form::Tar);
        assert_eq!(create, r"docker volume create --label 'note=it'\''s mine' data");
    }
}

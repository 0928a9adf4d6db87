//! Reads `.zama/dev.env`, the `KEY=value` lines that `zama-jobs dev` writes for sh.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::error::CliError;

/// The file, below each folder that is searched.
const FILE: &str = ".zama/dev.env";

/// The values of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DevEnv(BTreeMap<String, String>);

impl DevEnv {
    /// The nearest file, from the current folder upwards.
    pub fn find() -> Result<Option<Self>, CliError> {
        match std::env::current_dir() {
            Ok(folder) => Self::find_from(&folder),
            Err(_) => Ok(None),
        }
    }

    fn find_from(folder: &Path) -> Result<Option<Self>, CliError> {
        let Some(file) = folder.ancestors().map(|folder| folder.join(FILE)).find(|file| file.is_file()) else {
            return Ok(None);
        };
        Self::read(&file).map(Some)
    }

    fn read(file: &PathBuf) -> Result<Self, CliError> {
        let fault = |text: String| CliError::usage(format!("cannot read {}: {text}", file.display()));
        let text = std::fs::read_to_string(file).map_err(|error| fault(error.to_string()))?;
        Self::parse(&text).map_err(fault)
    }

    /// All values, by key.
    pub fn values(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Empty values are as good as none.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub fn parse(text: &str) -> Result<Self, String> {
        let mut values = BTreeMap::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let fault = |what: &str| format!("line {}: {what}", number + 1);
            let line = line.strip_prefix("export ").map_or(line, str::trim_start);
            let (key, value) = line.split_once('=').ok_or_else(|| fault("is not KEY=value"))?;
            values.insert(key.to_owned(), unquoted(value).ok_or_else(|| fault("a quote is not closed"))?);
        }
        Ok(Self(values))
    }
}

/// One word as sh reads it, without expansions: quotes and backslashes are resolved, what follows the word is ignored.
fn unquoted(word: &str) -> Option<String> {
    let mut value = String::new();
    let mut chars = word.chars();
    while let Some(next) = chars.next() {
        match next {
            '\'' => loop {
                match chars.next()? {
                    '\'' => break,
                    literal => value.push(literal),
                }
            },
            '"' => loop {
                match chars.next()? {
                    '"' => break,
                    '\\' => match chars.next()? {
                        escaped @ ('"' | '\\' | '$' | '`') => value.push(escaped),
                        other => value.extend(['\\', other]),
                    },
                    literal => value.push(literal),
                }
            },
            '\\' => value.push(chars.next()?),
            space if space.is_whitespace() => break,
            literal => value.push(literal),
        }
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_sh_reads_them() {
        let text = concat!(
            "# written by zama-jobs dev\n\n",
            "ZAMA_API=http://127.0.0.1:7600\n",
            "export ZAMA_TOKEN=a.b-c_d==\n",
            r"ZAMA_LAGO_KEY='it'\''s $HOME; `id` \'",
            "\n",
            r#"QUOTED="a \"b\" \$c \d" # a remark"#,
            "\nEMPTY=\n",
        );
        let env = DevEnv::parse(text).unwrap();
        assert_eq!(env.get("ZAMA_API"), Some("http://127.0.0.1:7600"));
        assert_eq!(env.get("ZAMA_TOKEN"), Some("a.b-c_d=="));
        assert_eq!(env.get("ZAMA_LAGO_KEY"), Some(r"it's $HOME; `id` \"));
        assert_eq!(env.get("QUOTED"), Some(r#"a "b" $c \d"#));
        assert_eq!(env.get("EMPTY"), None);
        assert_eq!(env.get("ABSENT"), None);
    }

    #[test]
    fn a_broken_line_is_named() {
        assert_eq!(DevEnv::parse("A=1\nnonsense\n").unwrap_err(), "line 2: is not KEY=value");
        assert_eq!(DevEnv::parse("A='1\n").unwrap_err(), "line 1: a quote is not closed");
    }

    #[test]
    fn the_nearest_file_above_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/b/c");
        std::fs::create_dir_all(&deep).unwrap();
        std::fs::create_dir_all(folder.path().join(".zama")).unwrap();
        std::fs::write(folder.path().join(FILE), "WHERE=root\n").unwrap();
        assert_eq!(DevEnv::find_from(&deep).unwrap().unwrap().get("WHERE"), Some("root"));

        std::fs::create_dir_all(folder.path().join("a/.zama")).unwrap();
        std::fs::write(folder.path().join("a").join(FILE), "WHERE=nearer\n").unwrap();
        assert_eq!(DevEnv::find_from(&deep).unwrap().unwrap().get("WHERE"), Some("nearer"));
    }
}

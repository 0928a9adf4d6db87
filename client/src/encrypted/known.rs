//! Key managers that this user has met, by chain and registry: whoever administers a registry can pin another one at
//! once, and clients are to be told, not to follow.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use alloy::primitives::Address;
use retrieval::Domain;

use super::EncryptedError;

/// The chain of anvil and its like: everybody has its keys, and it is made anew again and again.
const DEVELOPMENT_CHAIN: u64 = 31_337;

/// A file with a line for each registry: chain id, registry, key manager.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownKeyManagers {
    file: PathBuf,
}

impl KnownKeyManagers {
    /// Kept in this file, which is made when there is something to keep.
    #[must_use]
    pub fn at(file: impl Into<PathBuf>) -> Self {
        Self { file: file.into() }
    }

    /// The user's own: `zama-jobs/known-key-managers` below `XDG_CONFIG_HOME`, else below `~/.config`.
    #[must_use]
    pub fn of_user() -> Option<Self> {
        let given = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let folder = given("XDG_CONFIG_HOME").or_else(|| given("HOME").map(|home| home.join(".config")))?;
        Some(Self::at(folder.join("zama-jobs/known-key-managers")))
    }

    /// Compares with the one that was met before, and keeps the first. One that the user `named` replaces it.
    pub(super) fn check(&self, domain: Domain, met: Address, named: bool) -> Result<(), EncryptedError> {
        if domain.chain_id == DEVELOPMENT_CHAIN {
            return Ok(());
        }
        let mut lines = self.read().map_err(|source| self.failed("read", source))?;
        match lines.iter().position(|line| line.domain == domain) {
            Some(at) if lines[at].key_manager == met => return Ok(()),
            Some(at) if named => lines[at].key_manager = met,
            Some(at) => {
                let (known, file) = (lines[at].key_manager, self.file.display().to_string());
                return Err(EncryptedError::KeyManagerChanged { known, pinned: met, file });
            }
            None => lines.push(Line { domain, key_manager: met }),
        }
        self.write(&lines).map_err(|source| self.failed("write", source))
    }

    fn read(&self) -> io::Result<Vec<Line>> {
        match fs::read_to_string(&self.file) {
            Ok(text) => text.lines().map(|line| Line::parse(line).ok_or_else(|| damaged(line))).collect(),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// A reader sees the old file or the new one.
    fn write(&self, lines: &[Line]) -> io::Result<()> {
        let folder = self.file.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let fresh = self.file.with_extension(format!("{}.new", uuid::Uuid::now_v7().simple()));
        let mut file = fs::File::create(&fresh)?;
        for Line { domain, key_manager } in lines {
            writeln!(file, "{} {} {key_manager}", domain.chain_id, domain.registry)?;
        }
        file.sync_all()?;
        fs::rename(fresh, &self.file)
    }

    fn failed(&self, doing: &'static str, source: io::Error) -> EncryptedError {
        EncryptedError::File { doing, file: self.file.display().to_string(), source }
    }
}

struct Line {
    domain: Domain,
    key_manager: Address,
}

impl Line {
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let (chain_id, registry, key_manager) = (words.next()?, words.next()?, words.next()?);
        let domain = Domain { chain_id: chain_id.parse().ok()?, registry: registry.parse().ok()? };
        words.next().is_none().then_some(Self { domain, key_manager: key_manager.parse().ok()? })
    }
}

/// Passing over it would mean to believe anybody again.
fn damaged(line: &str) -> io::Error {
    let line: String = line.chars().take(80).collect();
    io::Error::new(ErrorKind::InvalidData, format!("{line:?} is no chain id, registry and key manager"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domain(registry: u8) -> Domain {
        Domain { chain_id: 1, registry: Address::repeat_byte(registry) }
    }

    #[test]
    fn the_first_is_kept_and_another_one_is_told_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config/known-key-managers");
        let (one, two) = (Address::repeat_byte(1), Address::repeat_byte(2));
        let check = |domain, met, named| KnownKeyManagers::at(&file).check(domain, met, named);
        check(domain(7), one, false).unwrap();
        check(domain(8), two, false).unwrap();
        check(domain(7), one, false).unwrap();
        let changed = check(domain(7), two, false).unwrap_err();
        assert!(changed.is_distrust(), "{changed}");
        let EncryptedError::KeyManagerChanged { known, pinned, .. } = &changed else { panic!("{changed}") };
        assert_eq!((*known, *pinned), (one, two));
        assert!(changed.to_string().contains("known-key-managers"), "{changed}");
        check(domain(7), one, false).unwrap();

        check(domain(7), two, true).unwrap();
        check(domain(7), two, false).unwrap();
        check(domain(8), two, false).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), 2);
    }

    #[test]
    fn a_damaged_file_is_no_reason_to_believe_anybody() {
        let folder = tempfile::tempdir().unwrap();
        let known = KnownKeyManagers::at(folder.path().join("known"));
        fs::write(folder.path().join("known"), "1 0x12\n").unwrap();
        let error = known.check(domain(7), Address::ZERO, false).unwrap_err();
        assert!(matches!(error, EncryptedError::File { doing: "read", .. }), "{error}");
    }

    #[test]
    fn a_development_chain_is_not_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let known = KnownKeyManagers::at(folder.path().join("known"));
        let development = Domain { chain_id: DEVELOPMENT_CHAIN, ..domain(7) };
        known.check(development, Address::repeat_byte(1), false).unwrap();
        known.check(development, Address::repeat_byte(2), false).unwrap();
        assert!(!folder.path().join("known").exists());
    }
}

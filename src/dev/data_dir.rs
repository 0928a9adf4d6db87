//! The folder that holds a stack's state: its layout, who may enter it, and the lock that gives it one owner.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::unistd::Uid;

use super::part::{Identity, PartName};

/// Root's home is closed to PostgreSQL's user, so root's default lies elsewhere.
const ROOT_DEFAULT: &str = "/var/lib/zama-jobs/dev";
const DEFAULT: &str = ".zama/data";

/// Paths inside a stack's data folder.
#[derive(Clone, Debug)]
pub struct DataDir {
    root: PathBuf,
}

impl DataDir {
    /// The folder that was asked for, else the default; absolute, not yet made.
    ///
    /// # Errors
    /// The current folder is not known.
    pub fn choose(given: Option<&Path>) -> Result<Self> {
        let chosen = match given {
            Some(path) => path,
            None if Uid::effective().is_root() => Path::new(ROOT_DEFAULT),
            None => Path::new(DEFAULT),
        };
        let root = std::path::absolute(chosen).context("Failed to read the current folder")?;
        Ok(Self { root })
    }

    pub fn path(&self) -> &Path {
        &self.root
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub fn state_file(&self) -> PathBuf {
        self.join("dev.json")
    }

    pub fn log_file(&self, part: PartName) -> PathBuf {
        self.join("logs").join(format!("{part}.log"))
    }

    /// Makes the folder and its rooms. Others may pass through it, not list it.
    ///
    /// # Errors
    /// A folder cannot be made.
    pub fn create(&self) -> Result<Made> {
        let rooms = ["logs", "temporal", "anvil", "lago"].map(|room| self.join(room));
        let wanted = self.root.ancestors().map(Path::to_owned).chain(rooms.clone()).chain([self.lock_file()]);
        let made = Made(wanted.filter(|path| !path.exists()).collect());
        let mut parents = DirBuilder::new();
        parents.recursive(true);
        if let Some(parent) = self.root.parent() {
            parents.create(parent).with_context(|| format!("Failed to make {}", parent.display()))?;
        }
        for folder in [&self.root].into_iter().chain(&rooms) {
            let done = DirBuilder::new().recursive(true).mode(0o711).create(folder);
            done.with_context(|| format!("Failed to make {}", folder.display()))?;
        }
        Ok(made)
    }

    fn lock_file(&self) -> PathBuf {
        self.join("lock")
    }

    /// Takes the folder for this process until the answer is dropped (or the process dies).
    ///
    /// # Errors
    /// Another process holds it: one line with its pid.
    pub fn lock(&self) -> Result<File> {
        let path = self.lock_file();
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(0o600)
            .open(&path)
            .with_context(|| format!("Failed to open {}", path.display()))?;
        match try_lock_patiently(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = fs::read_to_string(&path).unwrap_or_default();
                bail!(
                    "zama-jobs dev already runs on {} (pid {}); stop it with `zama-jobs dev stop`",
                    self.root.display(),
                    holder.trim()
                );
            }
            Err(TryLockError::Error(error)) => return Err(error).context("Failed to lock the data folder"),
        }
        file.set_len(0)?;
        write!(file, "{}", std::process::id())?;
        Ok(file)
    }

    /// The process that runs a stack here, if one does.
    pub fn owner(&self) -> Option<i32> {
        let path = self.lock_file();
        let file = File::open(&path).ok()?;
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => fs::read_to_string(&path).ok()?.trim().parse().ok(),
            _ => None,
        }
    }
}

/// What a start made that was not there before.
#[derive(Debug)]
pub struct Made(Vec<PathBuf>);

impl Made {
    /// Takes back what nothing was put into: the folders of a start that was refused before anything ran.
    pub fn undo(mut self) {
        // The deepest first.
        self.0.sort_by_key(|path| std::cmp::Reverse(path.components().count()));
        for path in self.0 {
            let gone = if path.is_dir() { fs::remove_dir(&path) } else { fs::remove_file(&path) };
            // One that holds something by now is somebody's.
            drop(gone);
        }
    }
}

/// `dev status` holds a shared lock for an instant: that is no owner.
fn try_lock_patiently(file: &File) -> Result<(), TryLockError> {
    const TRIES: u32 = 5;
    const PAUSE: Duration = Duration::from_millis(20);
    for _ in 1..TRIES {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
            outcome => return outcome,
        }
    }
    file.try_lock()
}

/// Refuses, in one line, when a user cannot pass through every folder down to this one.
///
/// # Errors
/// Names the folder that is closed.
pub fn require_reachable(path: &Path, identity: Identity) -> Result<()> {
    let closed = path.ancestors().filter(|folder| folder.exists()).find(|folder| !enters(folder, identity));
    if let Some(folder) = closed {
        bail!(
            "PostgreSQL cannot reach {}: it runs as user {}, and {} is closed to that user; choose another folder",
            path.display(),
            identity.uid,
            folder.display()
        );
    }
    Ok(())
}

fn enters(folder: &Path, identity: Identity) -> bool {
    let Ok(metadata) = folder.metadata() else { return false };
    let needed = if metadata.uid() == identity.uid {
        0o100
    } else if metadata.gid() == identity.gid {
        0o010
    } else {
        0o001
    };
    metadata.mode() & needed != 0
}

/// Writes a file that only its owner reads, whole or not at all.
///
/// # Errors
/// The folder cannot be made or the file not written.
pub fn write_private(path: &Path, text: &str) -> Result<()> {
    let attempt = || -> std::io::Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let fresh = path.with_added_extension("new");
        // A file that a dead process left keeps its old mode if it is merely opened again.
        let _ = fs::remove_file(&fresh);
        let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&fresh)?;
        file.write_all(text.as_bytes())?;
        fs::rename(&fresh, path)
    };
    attempt().with_context(|| format!("Failed to write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn one_owner_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::choose(Some(folder.path())).unwrap();
        assert_eq!(data.owner(), None);
        let lock = data.lock().unwrap();
        let refusal = data.lock().unwrap_err().to_string();
        assert!(refusal.contains(&format!("pid {}", std::process::id())), "{refusal}");
        assert_eq!(data.owner(), i32::try_from(std::process::id()).ok());
        drop(lock);
        data.lock().unwrap();
    }

    #[test]
    fn a_refused_start_leaves_nothing_and_touches_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::choose(Some(&folder.path().join(".zama/data"))).unwrap();
        let made = data.create().unwrap();
        drop(data.lock().unwrap());
        made.undo();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing was there before");

        data.create().unwrap();
        fs::write(data.join("logs/api.log"), "kept").unwrap();
        data.create().unwrap().undo();
        assert_eq!(fs::read_to_string(data.join("logs/api.log")).unwrap(), "kept");
        assert!(data.join("anvil").is_dir(), "it was there before this start");
    }

    #[test]
    fn a_closed_folder_on_the_way_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("home");
        let inside = home.join("data");
        fs::create_dir_all(&inside).unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(&home, fs::Permissions::from_mode(0o700)).unwrap();
        let stranger = Identity { uid: 65_533, gid: 65_533 };
        let refusal = require_reachable(&inside, stranger).unwrap_err().to_string();
        assert!(refusal.contains(&format!("{} is closed", home.display())), "{refusal}");
        fs::set_permissions(&home, fs::Permissions::from_mode(0o711)).unwrap();
        require_reachable(&inside, stranger).unwrap();
    }

    #[test]
    fn private_files_are_private() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("made/dev.env");
        write_private(&file, "A=1\n").unwrap();
        write_private(&file, "A=2\n").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "A=2\n");
        assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o600);
    }
}

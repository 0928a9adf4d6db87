//! `zama-jobs dev` and `demo` as child processes that cannot outlive the tests.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::process::{Child, Command, Stdio};
use std::sync::{OnceLock, mpsc};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::patience::eventually;
use super::place::{PROGRAM, Place};
use super::process::{Process, descendants};

/// A stack that runs; killed with the test when that fails, stopped when the test process ends.
pub struct Dev {
    child: Child,
    told: std::path::PathBuf,
}

impl Dev {
    /// Starts a stack and does not wait.
    pub fn begin(place: &Place) -> Self {
        Self::tied(place, &place.command(), None)
    }

    /// `dev` prints to its own stdout where one is given, and else with its messages.
    fn tied(place: &Place, dev: &Command, stdout: Option<Stdio>) -> Self {
        let told = place.path("told.txt");
        let output = File::create(&told).unwrap();
        let stdout = stdout.unwrap_or_else(|| output.try_clone().unwrap().into());
        let mut command = Command::new(PROGRAM);
        command.args(["spawn", "--parent", &std::process::id().to_string(), "--death-signal", "SIGINT"]);
        if let Some(user) = place.user() {
            command.args(["--uid", &user.uid.to_string(), "--gid", &user.gid.to_string()]);
        }
        command.arg("--").arg(dev.get_program()).args(dev.get_args());
        command.envs(dev.get_envs().filter_map(|(key, value)| Some((key, value?))));
        command.current_dir(dev.get_current_dir().unwrap());
        command.stdin(Stdio::null()).stdout(stdout).stderr(output);
        Self { child: spawn(command), told }
    }

    /// Starts a stack and waits until it says that it is ready.
    pub fn start(place: &Place) -> Self {
        Self::ready(place, Self::begin)
    }

    /// The same, but nobody reads what it prints; what it answers in the end are its messages.
    pub fn start_unread(place: &Place) -> Self {
        Self::ready(place, |place| {
            let (reader, writer) = std::io::pipe().unwrap();
            drop(reader);
            Self::tied(place, &place.command(), Some(writer.into()))
        })
    }

    fn ready(place: &Place, begin: impl FnOnce(&Place) -> Self) -> Self {
        let ready = place.path("ready.json");
        let _ = fs::remove_file(&ready);
        let mut dev = begin(place);
        eventually("the stack is ready", || {
            let ended = dev.child.try_wait().unwrap();
            assert!(ended.is_none(), "the stack ended: {}", dev.told());
            ready.exists()
        });
        dev
    }

    /// Runs the demo to its end, which it finds by itself.
    pub fn demonstrates(place: &Place) -> Demonstration {
        let mut demo = Self::tied(place, &place.demo(), None);
        let (mut processes, mut words) = (Vec::new(), BTreeSet::new());
        let code = loop {
            for process in descendants(demo.pid()) {
                words.extend(process.arguments());
                if !processes.contains(&process) {
                    processes.push(process);
                }
            }
            match demo.child.try_wait().unwrap() {
                Some(ended) => break ended.code(),
                // Often enough to meet each process that the demo starts.
                None => std::thread::sleep(Duration::from_millis(100)),
            }
        };
        Demonstration { code, told: demo.told(), processes, words }
    }

    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid()), signal).unwrap();
    }

    /// Waits for the end; none when a signal was the end.
    pub fn exit_code(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    /// Stops it as Ctrl-C does and answers everything that it printed.
    pub fn stop(self) -> String {
        self.signal(Signal::SIGINT);
        self.ended()
    }

    /// Waits until it has stopped as somebody asked it to, and answers everything that it printed.
    pub fn ended(mut self) -> String {
        assert_eq!(self.exit_code(), Some(0), "{}", self.told());
        self.told()
    }

    fn told(&self) -> String {
        fs::read_to_string(&self.told).unwrap()
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a demo did.
pub struct Demonstration {
    pub code: Option<i32>,
    pub told: String,
    /// Every process that was seen below it.
    pub processes: Vec<Process>,
    /// What these were started with.
    pub words: BTreeSet<String>,
}

type Order = (Command, mpsc::Sender<Child>);

/// Spawns from a thread that ends with the process: the parent-death signal is bound to the thread.
pub fn spawn(command: Command) -> Child {
    static SPAWNER: OnceLock<mpsc::Sender<Order>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (orders, inbox) = mpsc::channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, answer) in inbox {
                answer.send(command.spawn().unwrap()).unwrap();
            }
        });
        orders
    });
    let (answer, child) = mpsc::channel();
    spawner.send((command, answer)).unwrap();
    child.recv().unwrap()
}

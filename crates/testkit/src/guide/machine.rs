//! A machine of one's own: its network is a loopback device, so that every port is
//! free and nothing is reached outside, and its processes end with it.

use super::root;
use crate::PATIENCE;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Instant;
use tempfile::{NamedTempFile, TempDir};

/// Namespaces of network, processes and mounts, and a directory to work in.
/// Dropping it ends what runs there.
#[derive(Debug)]
pub struct Machine {
    holder: Child,
    /// Its first process, as the machine outside sees it.
    first: String,
    /// Whether its root is an ordinary user outside.
    user: bool,
    directory: TempDir,
    path: String,
}

impl Machine {
    /// A machine with the binary under test.
    ///
    /// # Errors
    /// If this kernel or user doesn't allow one, why.
    pub fn new(binary: &str) -> Result<Self, String> {
        let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
        let user = !rustix::process::geteuid().is_root();
        let mut holder = Command::new("unshare");
        holder.args(["--user", "--map-root-user"].iter().filter(|_| user));
        holder.args(["--net", "--pid", "--fork", "--kill-child", "--mount-proc"]);
        // It ends with its standard input, and that with this process.
        // What daemons write beside their own directory is not for the machine outside.
        let script = "PATH=$PATH:/usr/sbin:/sbin; ip link set lo up && \
                      mount -t tmpfs none /run && mount -t tmpfs none /var/log && \
                      mkdir /var/log/nginx && \
                      echo '127.0.0.1 localhost api.example' > /run/hosts && \
                      mount --bind /run/hosts /etc/hosts && echo up && exec cat";
        holder.args(["sh", "-c", script]);
        let piped = || Stdio::piped();
        let holder = holder.stdin(piped()).stdout(piped()).stderr(piped());
        let holder = holder.spawn();
        let mut holder = holder.map_err(|error| format!("unshare: {error}"))?;
        let mut line = String::new();
        let stdout = holder.stdout.take().expect("piped");
        let _ = BufReader::new(stdout).read_line(&mut line);
        let children = format!("/proc/{0}/task/{0}/children", holder.id());
        let children = std::fs::read_to_string(children).unwrap_or_default();
        let mut machine = Self {
            first: children.trim().to_owned(),
            path: path(&directory, binary)?,
            holder,
            user,
            directory,
        };
        if line == "up\n" && !machine.first.is_empty() {
            return Ok(machine);
        }
        let mut why = String::new();
        let _ = machine.holder.kill();
        let mut stderr = machine.holder.stderr.take().expect("piped");
        let _ = stderr.read_to_string(&mut why);
        Err(format!("no machine of its own: {}", why.trim()))
    }

    /// Where its commands run.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Whether its commands can use this program; `root` is who runs them.
    pub fn has(&self, program: &str) -> bool {
        if program == "root" {
            return !self.user;
        }
        let mut paths = std::env::split_paths(&self.path);
        paths.any(|path| path.join(program).is_file())
    }

    /// Whether somebody listens on this port.
    pub fn listens(&self, port: u16) -> bool {
        // The state of a socket that listens.
        const LISTEN: &str = "0A";
        let end = format!(":{port:04X}");
        ["tcp", "tcp6"].iter().any(|table| {
            let path = format!("/proc/{}/net/{table}", self.first);
            let table = std::fs::read_to_string(path).unwrap_or_default();
            table.lines().any(|line| {
                let fields: Vec<&str> = line.split_whitespace().take(4).collect();
                matches!(fields[..], [_, local, _, LISTEN] if local.ends_with(&end))
            })
        })
    }

    /// Starts commands of the shell.
    pub fn start(&self, script: &str) -> Running {
        self.shell(script, script)
    }

    /// Runs commands of the shell until they end; variables that they set are there
    /// for later ones. Answers how they ended, and all that they wrote.
    ///
    /// # Panics
    /// If they haven't ended in time.
    #[track_caller]
    pub fn end(&self, script: &str) -> (ExitStatus, String) {
        let keeping = format!("{script}\nstatus=$?\nexport -p > .variables; exit $status");
        let mut running = self.shell(script, &keeping);
        (running.wait(), running.output())
    }

    /// Runs commands of the shell, as [`Machine::end`] does, that end well; answers
    /// all that they wrote.
    ///
    /// # Panics
    /// If they don't.
    #[track_caller]
    pub fn run(&self, script: &str) -> String {
        let (status, output) = self.end(script);
        assert!(status.success(), "{script}: {status}\n{output}");
        output
    }

    fn shell(&self, script: &str, whole: &str) -> Running {
        let mut words = vec!["--target", &self.first, "--net", "--pid", "--mount"];
        if self.user {
            words.extend(["--user", "--preserve-credentials"]);
        }
        let begin = "exec 2>&1; cd \"$HOME\"; set -a; [ ! -f .variables ] || . ./.variables";
        let whole = format!("{begin}\n{whole}");
        let mut command = Command::new("nsenter");
        command.args(words).args(["--", "sh", "-c", &whole]);
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("TIDINGS_")
                || text.starts_with("MERCURE_")
                || text.contains("proxy")
            {
                command.env_remove(name);
            }
        }
        command
            .current_dir(self.directory())
            .env("PATH", &self.path)
            .env("HOME", self.directory())
            .env("GUIDE", root().join("tests/guide"));
        // A file, which is complete when they end, whoever of their children has it open.
        let output = NamedTempFile::new().expect("room for a file");
        let writer = output.reopen().expect("a file");
        let child = command.stdin(Stdio::null()).stdout(writer).spawn();
        Running {
            script: script.trim_end().to_owned(),
            child: child.expect("nsenter"),
            output,
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// What its commands find: the binary under test; a cargo for which it is built
/// already; what is installed for the tests of the guide; and the system.
fn path(directory: &TempDir, binary: &str) -> Result<String, String> {
    let own = directory.path().join(".bin");
    let installed = root().join("tests/guide");
    let make = || -> std::io::Result<()> {
        std::fs::create_dir(&own)?;
        std::os::unix::fs::symlink(binary, own.join("tidings"))?;
        let cargo = "#!/bin/sh\n[ \"$1 $2 $3\" = 'run --release --' ] || exit 101\nshift 3\n\
                     exec tidings \"$@\"\n";
        std::fs::write(own.join("cargo"), cargo)?;
        let runs = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(own.join("cargo"), runs)?;
        // A progress meter is for terminals.
        std::fs::write(directory.path().join(".curlrc"), "no-progress-meter\n")?;
        let modules = installed.join("node_modules");
        std::os::unix::fs::symlink(modules, directory.path().join("node_modules"))
    };
    make().map_err(|error| format!("{own:?}: {error}"))?;
    let path = std::env::var("PATH").unwrap_or_default();
    let first = [
        own,
        installed.join(".venv/bin"),
        installed.join("node_modules/.bin"),
    ];
    let first = first.map(|path| path.display().to_string()).join(":");
    Ok(format!("{first}:{path}:/usr/sbin:/sbin"))
}

/// Commands that were started.
#[derive(Debug)]
pub struct Running {
    script: String,
    child: Child,
    output: NamedTempFile,
}

impl Running {
    /// All that they have written so far, to standard output and standard error.
    pub fn output(&self) -> String {
        let bytes = std::fs::read(self.output.path()).expect("the file of their output");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// How they ended, if they have.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child")
    }

    /// Waits for their end.
    ///
    /// # Panics
    /// If it doesn't come in time.
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            let output = self.output();
            assert!(
                Instant::now() < until,
                "{} doesn't end:\n{output}",
                self.script
            );
            std::thread::park_timeout(std::time::Duration::from_millis(2));
        }
    }

    /// Waits until their output is as wanted.
    ///
    /// # Panics
    /// If it isn't in time, or they end before.
    #[track_caller]
    pub fn wait_for(&mut self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            let ended = self.ended();
            let output = self.output();
            if wanted(&output) {
                return output;
            }
            let about = format!("{}: {what}: not in\n{output}", self.script);
            assert!(ended.is_none(), "{about}\nbut it has ended");
            assert!(Instant::now() < until, "{about}");
            std::thread::park_timeout(std::time::Duration::from_millis(2));
        }
    }
}

//! Building and finding what is compared.

use super::contender::{ALL, Contender};
use super::options::{Options, Part};
use crate::install;
use crate::report::Report;
use crate::run::{build_programs, cargo, find, root, step, target_directory};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::path::{Path, PathBuf};

/// Root's PATH has it, others' may not.
pub const NGINX: &str = "/usr/sbin/nginx";
const NCHAN: &str = "/usr/lib/nginx/modules/ngx_nchan_module.so";
/// How many files a process may open, if it may: more is no advantage.
const DESCRIPTORS: u64 = 20_000;

/// Where everything is.
pub struct Programs {
    /// What cargo has built.
    pub builds: PathBuf,
    /// For files that may go.
    pub scratch: PathBuf,
    /// How many files each process may open.
    pub descriptors: u64,
}

impl Programs {
    /// Builds and installs what is missing.
    ///
    /// # Errors
    /// What is still missing, of that which nothing can be measured without.
    pub fn prepare(report: &mut Report, options: &Options) -> Result<Self, String> {
        let target = target_directory().ok_or("cargo metadata names no target directory")?;
        let profile = match options.quick {
            true => "dev",
            false => "release",
        };
        let manifest = Self::directory().join("Cargo.toml");
        let manifest = manifest.display().to_string();
        let into = target.display().to_string();
        let peers = [
            "build",
            "--locked",
            "--profile",
            profile,
            "--target-dir",
            &into,
            "--manifest-path",
            &manifest,
        ];
        let own = match options.quick {
            true => build_programs(report),
            false => build_released(report, options),
        };
        if !own || !step(report, "build the peers", &mut cargo(&peers)) {
            return Err("not everything builds".to_owned());
        }
        // Without these the others are measured all the same.
        if find(&["node"]).is_none() {
            say(install::install(report, &["nodejs"]));
        }
        say(install::npm(report, &Self::directory()));
        if !has_nchan() {
            say(install::install(report, &["nginx", "libnginx-mod-nchan"]));
        }
        let scratch = target.join("compare");
        std::fs::create_dir_all(&scratch).map_err(|error| format!("no directory: {error}"))?;
        Ok(Self {
            builds: target.join(match options.quick {
                true => "debug",
                false => "release",
            }),
            scratch,
            descriptors: raise_descriptors()?,
        })
    }

    /// Where the peers' sources are.
    pub fn directory() -> PathBuf {
        root().join("benches/compare")
    }

    /// The hub's and the load generator's binary.
    pub fn tidings(&self) -> PathBuf {
        self.builds.join("tidings")
    }

    /// Who is asked for and installed, and who is asked for and isn't.
    pub fn contenders(options: &Options) -> (Vec<Contender>, Vec<Contender>) {
        let wanted = |contender: &Contender| {
            options.only.is_empty() || options.only.iter().any(|key| key == contender.key)
        };
        ALL.into_iter().filter(wanted).partition(is_there)
    }
}

/// Whether it can be started.
fn is_there(contender: &Contender) -> bool {
    match contender.key {
        "nchan" => has_nchan(),
        "better-sse" => {
            let modules = Programs::directory().join("node_modules");
            find(&["node"]).is_some() && modules.is_dir()
        }
        _ => true,
    }
}

fn say(outcome: Result<(), String>) {
    if let Err(reason) = outcome {
        println!("{reason}");
    }
}

/// The hub, and the library's example if it is wanted, as they are released: with
/// no features that others of the workspace ask for.
fn build_released(report: &mut Report, options: &Options) -> bool {
    let hub = ["build", "--package", "tidings", "--release"];
    if !step(report, "build the hub", &mut cargo(&hub)) {
        return false;
    }
    if options.has(Part::Library) {
        let example = ["build", "--package", "library-on-axum", "--release"];
        step(report, "build the library's example", &mut cargo(&example));
    }
    true
}

fn has_nchan() -> bool {
    [NGINX, NCHAN].iter().all(|file| Path::new(file).is_file())
}

/// For this process and those it starts.
fn raise_descriptors() -> Result<u64, String> {
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit
        .maximum
        .map_or(DESCRIPTORS, |most| most.min(DESCRIPTORS));
    if limit.current.is_some_and(|current| current < wanted) {
        let raised = Rlimit {
            current: Some(wanted),
            ..limit
        };
        setrlimit(Resource::Nofile, raised)
            .map_err(|error| format!("the limit of open files can't be raised: {error}"))?;
    }
    Ok(wanted)
}

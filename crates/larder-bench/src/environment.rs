//! What a reader must know about the machine to compare one report with another.

use std::fs::read_to_string;

use serde::{Deserialize, Serialize};

use crate::cores::Cores;

/// The machine of a run, and the programs on it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Environment {
    /// The version of the kernel.
    pub kernel: String,
    /// The model of the processor.
    pub cpu: String,
    /// The number of cores that this run may use.
    pub cores: usize,
    /// The core of the servers.
    pub server_core: usize,
    /// The core of the load generator.
    pub generator_core: usize,
    /// The load averages at the start.
    pub load: String,
    /// What is unusual about the cores.
    pub remark: Option<String>,
    /// The name and version of each program.
    pub versions: Vec<(String, String)>,
    /// The name and command line of each server.
    pub commands: Vec<(String, String)>,
}

impl Environment {
    /// Describes this machine. Call it before the load begins.
    pub fn of_machine(cores: Cores) -> Self {
        let line = |path: &str| read_to_string(path).unwrap_or_default().trim().to_owned();
        Self {
            kernel: line("/proc/sys/kernel/osrelease"),
            cpu: cpu_model(&line("/proc/cpuinfo")),
            cores: cores.allowed,
            server_core: cores.server,
            generator_core: cores.generator,
            load: line("/proc/loadavg").split(' ').take(3).collect::<Vec<_>>().join(" "),
            remark: cores.remark().map(str::to_owned),
            versions: Vec::new(),
            commands: Vec::new(),
        }
    }
}

fn cpu_model(cpuinfo: &str) -> String {
    let fields = || cpuinfo.lines().filter_map(|line| line.split_once(':'));
    let field = |name: &str| fields().find(|(field, _)| field.trim() == name);
    // Some architectures have no model name.
    let model = field("model name").or_else(|| field("CPU implementer"));
    model.map_or("unknown", |(_, value)| value.trim()).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_model_is_found() {
        let cpuinfo = "processor\t: 0\nmodel name\t: Some CPU @ 3 GHz\n";
        assert_eq!(cpu_model(cpuinfo), "Some CPU @ 3 GHz");
        assert_eq!(cpu_model(""), "unknown");
    }
}

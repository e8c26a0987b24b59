//! What a reader must know to compare a report with another one.

use std::fs::read_to_string;

use serde::{Deserialize, Serialize};

use crate::cores::Cores;

/// The machine, and how it was used.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Facts {
    /// The kernel's version.
    pub kernel: String,
    /// The processor, as the kernel names it.
    pub cpu: String,
    /// Cores that this run may use.
    pub cores: usize,
    /// The servers' core.
    pub server_core: usize,
    /// The generator's core.
    pub generator_core: usize,
    /// What else ran: the load averages at the start.
    pub load: String,
    /// What is unusual about the cores.
    pub remark: Option<String>,
    /// Name and version of each program.
    pub versions: Vec<(String, String)>,
    /// Name and command of each server.
    pub commands: Vec<(String, String)>,
}

impl Facts {
    /// Of this machine. To be asked for before the load begins.
    pub(crate) fn of_machine(cores: Cores) -> Self {
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
    // Not every architecture has a name for it.
    let model = field("model name").or_else(|| field("CPU implementer"));
    model.map_or("unknown", |(_, value)| value.trim()).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_is_named() {
        assert_eq!(
            cpu_model("processor\t: 0\nmodel name\t: Some CPU @ 3 GHz\n"),
            "Some CPU @ 3 GHz"
        );
        assert_eq!(cpu_model(""), "unknown");
    }
}

//! The command table: finds the spec of a command, ignoring case.

use super::{
    data::{self, Group},
    key_spec::KeySpec,
    name::{Name, PackedName, PackedNameHasher},
    spec::{Arity, Class, Spec},
};
use crate::request::Command;
use std::{collections::HashMap, hash::BuildHasherDefault};

/// Maximum commands and subcommands in a table; further ones are unknown. A server with every
/// well-known module has about 700.
pub const COMMANDS_MAX: usize = 4096;

/// The commands of a server.
///
/// ```
/// use larder_resp::command::{Class, ClientCommand, SessionCommand, Table};
///
/// let table = Table::builtin();
/// assert_eq!(table.find(b"get", Some(b"k")).class, Class::Read);
/// let tracking = Class::Session(SessionCommand::Client(ClientCommand::Tracking));
/// assert_eq!(table.find(b"CLIENT", Some(b"Tracking")).class, tracking);
/// assert_eq!(table.find(b"frobnicate", None).class, Class::WriteUnknown);
/// ```
#[derive(Clone, Debug)]
pub struct Table {
    commands: Map<PackedName>,
    /// By container and name.
    subcommands: Map<(PackedName, PackedName)>,
    unknown: Spec,
    /// A server has listed its commands.
    pub(super) is_of_server: bool,
}

type Map<N> = HashMap<N, Spec, BuildHasherDefault<PackedNameHasher>>;

impl Table {
    /// Creates a table with the commands of Redis 7.0 to 8.10 and of Valkey up to 9.1, and those of
    /// well-known modules.
    pub fn builtin() -> Self {
        let unknown = Spec::new(Name::EMPTY, Class::WriteUnknown, KeySpec::Unknown);
        let (commands, subcommands) = Default::default();
        let mut table = Self { commands, subcommands, unknown, is_of_server: false };
        for group in data::GROUPS {
            let names = group.names.split_whitespace().map(str::as_bytes);
            for name in names.filter_map(Name::new) {
                let spec = Spec::new(name, group.class, group.keys);
                let Group { blocking, cacheable, of_module, .. } = *group;
                table.add(Spec { blocking, cacheable, of_module, ..spec });
            }
        }
        table
    }

    /// Returns the spec of a command, or of its subcommand if it has one.
    #[inline]
    pub fn spec(&self, command: &Command<'_>) -> &Spec {
        self.find_with(command.name(), || command.arg(1))
    }

    /// Returns the spec of the command with this name and first argument. The spec of an unknown
    /// command has no name and may write to any key.
    pub fn find(&self, name: &[u8], argument: Option<&[u8]>) -> &Spec {
        self.find_with(name, || argument)
    }

    /// Returns every command and subcommand, in no particular order.
    pub fn specs(&self) -> impl Iterator<Item = &Spec> {
        self.commands.values().chain(self.subcommands.values())
    }

    #[inline]
    fn find_with<'a>(&self, name: &[u8], argument: impl FnOnce() -> Option<&'a [u8]>) -> &Spec {
        let found = PackedName::new(name).and_then(|name| self.commands.get_key_value(&name));
        match found {
            Some((name, spec)) if spec.is_container => {
                self.subcommand(*name, argument()).unwrap_or(spec)
            }
            Some((_, spec)) => spec,
            None => &self.unknown,
        }
    }

    fn subcommand(&self, container: PackedName, argument: Option<&[u8]>) -> Option<&Spec> {
        self.subcommands.get(&(container, PackedName::new(argument?)?))
    }

    /// Returns whether a server has listed its commands, so that those without an arity are unknown
    /// to it.
    pub fn is_of_server(&self) -> bool {
        self.is_of_server
    }

    /// Sets the arity of the spec with exactly this name.
    pub(super) fn set_arity(&mut self, name: &Name, arity: Option<Arity>) {
        let spec = if let Some((container, name)) = name.split() {
            let names = PackedName::new(container).zip(PackedName::new(name));
            names.and_then(|names| self.subcommands.get_mut(&names))
        } else {
            PackedName::new(name.as_bytes()).and_then(|name| self.commands.get_mut(&name))
        };
        if let Some(spec) = spec {
            spec.arity = arity;
        }
    }

    /// Returns the spec with exactly this name.
    pub(super) fn get(&self, name: &Name) -> Option<&Spec> {
        match name.split() {
            Some((container, name)) => self.subcommand(PackedName::new(container)?, Some(name)),
            None => self.commands.get(&PackedName::new(name.as_bytes())?),
        }
    }

    /// Adds a spec, or replaces the one with the same name. Returns whether it fit.
    pub(super) fn add(&mut self, spec: Spec) -> bool {
        self.has_capacity() && self.insert(spec).is_some()
    }

    /// Returns whether a subcommand and a new container fit.
    fn has_capacity(&self) -> bool {
        self.commands.len() + self.subcommands.len() + 2 <= COMMANDS_MAX
    }

    fn insert(&mut self, spec: Spec) -> Option<()> {
        let Some((container, name)) = spec.name.split() else {
            let known = self.commands.entry(PackedName::new(spec.name.as_bytes())?).or_insert(spec);
            *known = Spec { is_container: known.is_container, ..spec };
            return Some(());
        };
        let unknown = Spec { name: Name::new(container)?, ..self.unknown };
        let container = PackedName::new(container)?;
        self.commands.entry(container).or_insert(unknown).is_container = true;
        self.subcommands.insert((container, PackedName::new(name)?), spec);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{ClientCommand, SessionCommand};

    fn class(name: &str, argument: Option<&str>) -> Class {
        Table::builtin().find(name.as_bytes(), argument.map(str::as_bytes)).class
    }

    #[test]
    fn case_is_ignored() {
        for name in ["GEORADIUSBYMEMBER_RO", "georadiusbymember_ro", "GeoRadiusByMember_ro"] {
            assert_eq!(class(name, None), Class::OtherRead);
        }
        assert_eq!(class("Client", Some("rEPLY")), client(ClientCommand::Reply));
    }

    #[test]
    fn unknown_commands_may_write_to_any_key() {
        let long = "x".repeat(100);
        for name in ["", "GETT", "GE", "GET\0", " GET", "G\u{100}T", &long] {
            let table = Table::builtin();
            let spec = table.find(name.as_bytes(), Some(b"k"));
            assert_eq!(
                (spec.class, spec.keys),
                (Class::WriteUnknown, KeySpec::Unknown),
                "{name:?}"
            );
            assert!(spec.name.as_bytes().is_empty());
        }
    }

    #[test]
    fn a_subcommand_is_found_only_after_its_container() {
        assert_eq!(class("CONFIG", Some("get")), Class::Neutral);
        assert_eq!(class("CONFIG|GET", Some("get")), Class::WriteUnknown);
        assert_eq!(class("CONFIG", Some("|GET")), Class::WriteUnknown);
        assert_eq!(class("CONFIG", Some("GETT")), Class::WriteUnknown);
        assert_eq!(class("CONFIG", Some(&"x".repeat(100))), Class::WriteUnknown);
        assert_eq!(class("CONFIG", None), Class::WriteUnknown);
        assert_eq!(class("CLIENT", None), client(ClientCommand::Other));
        assert_eq!(class("CLIENT", Some("FROBNICATE")), client(ClientCommand::Other));
        assert_eq!(class("COMMAND", None), Class::Neutral);
        // Not a container: its argument is a key, which may have the name of a subcommand.
        assert_eq!(class("GET", Some("TRACKING")), Class::Read);
    }

    #[test]
    fn every_name_is_in_the_data_once() {
        let names: Vec<_> = data::GROUPS.iter().flat_map(|g| g.names.split_whitespace()).collect();
        let table = Table::builtin();
        for name in &names {
            assert!(
                table.get(&Name::new(name.as_bytes()).unwrap()).is_some(),
                "{name} is too long"
            );
            assert_eq!(names.iter().filter(|other| *other == name).count(), 1, "{name} is twice");
        }
        assert!(table.specs().all(|spec| (spec.class == Class::Read) == spec.cacheable.is_some()));
    }

    #[test]
    fn the_size_of_a_table_is_limited() {
        let mut table = Table::builtin();
        let name = |n: usize| Name::new(format!("module.command{n}").as_bytes()).unwrap();
        let spec = |n| Spec::new(name(n), Class::OtherRead, KeySpec::None);
        let added = (0..2 * COMMANDS_MAX).filter(|n| table.add(spec(*n))).count();
        assert!(added > COMMANDS_MAX / 2 && table.specs().count() <= COMMANDS_MAX);
        assert_eq!(table.find(name(added).as_bytes(), None).class, Class::WriteUnknown);
    }

    fn client(command: ClientCommand) -> Class {
        Class::Session(SessionCommand::Client(command))
    }
}

//! Real traces: which there are, in what sizes they are compared, and how their files are read.

use std::collections::HashMap;
use std::fs::read;
use std::io::{self, Read};
use std::path::Path;

use flate2::read::GzDecoder;
use lzma_rust2::XzReader;

use crate::hit_ratio::Play;

/// A trace in a file.
#[derive(Debug)]
pub struct Trace {
    /// As publications name it.
    pub name: &'static str,
    /// Entries with which caches are compared, in the range of the publications.
    pub sizes: &'static [u32],
    form: Form,
}

/// How a file holds its reads.
#[derive(Clone, Copy, Debug)]
enum Form {
    /// `NAME.trace.gz`: a number in each line; a line without one is a mark to be left out.
    Lines,
    /// `NAME.trace.xz`: big-endian numbers of 32 bits.
    BigEndian,
}

/// The traces: those of LIRS (Jiang, Zhang: SIGMETRICS 2002), and two of the web from cache2k, as
/// the simulator of Caffeine has them.
pub const TRACES: [Trace; 12] = [
    lines("multi1", &[500, 1000, 1500, 2000]),
    lines("multi2", &[1000, 1500, 2000, 2500, 3000]),
    lines("multi3", &[1000, 1500, 2000, 2500, 3000, 3500, 4000]),
    lines("cpp", &[20, 50, 100, 200, 300]),
    lines("cs", &[200, 400, 600, 800, 1000]),
    lines("gli", &[250, 500, 1000, 2000, 3000]),
    lines("ps", &[250, 500, 1000, 2000, 3000]),
    lines("sprite", &[100, 200, 400, 600, 800, 1000]),
    lines("2_pools", &[50, 100, 200, 350, 500]),
    lines("loop", &[256, 512, 768, 1024]),
    big_endian("web07", &[250, 500, 1000, 2000]),
    big_endian("web12", &[250, 500, 1000, 2000, 3000]),
];

const fn lines(name: &'static str, sizes: &'static [u32]) -> Trace {
    Trace { name, sizes, form: Form::Lines }
}

const fn big_endian(name: &'static str, sizes: &'static [u32]) -> Trace {
    Trace { name, sizes, form: Form::BigEndian }
}

impl Trace {
    /// To be played, as it lies in a folder.
    pub(super) fn play(&self, folder: &Path) -> io::Result<Play> {
        Ok(Play { name: self.name, sizes: self.sizes, reads: self.read(folder)? })
    }

    /// The reads: each key by a number of its own, from 0 on.
    fn read(&self, folder: &Path) -> io::Result<Vec<u32>> {
        let extension = match self.form {
            Form::Lines => "gz",
            Form::BigEndian => "xz",
        };
        let path = folder.join(format!("{}.trace.{extension}", self.name));
        let named = |error: io::Error| io::Error::other(format!("{}: {error}", path.display()));
        let ids = self.parse(&read(&path).map_err(named)?).map_err(named)?;
        if ids.is_empty() {
            return Err(named(io::Error::other("no reads in it")));
        }
        Ok(numbered(ids))
    }

    fn parse(&self, file: &[u8]) -> io::Result<Vec<u64>> {
        match self.form {
            Form::Lines => {
                let mut text = String::new();
                GzDecoder::new(file).read_to_string(&mut text)?;
                text.lines().map(str::trim).filter(is_read).map(number).collect()
            }
            Form::BigEndian => {
                let mut bytes = Vec::new();
                XzReader::new(file, false).read_to_end(&mut bytes)?;
                let (ids, rest) = bytes.as_chunks();
                match rest {
                    [] => Ok(ids.iter().map(|id| u32::from_be_bytes(*id).into()).collect()),
                    _ => Err(io::Error::other("the last number is cut off")),
                }
            }
        }
    }
}

/// Marks and empty lines are none.
fn is_read(line: &&str) -> bool {
    !matches!(*line, "" | "*")
}

fn number(line: &str) -> io::Result<u64> {
    line.parse().map_err(|_| io::Error::other(format!("{line:?} is no number")))
}

fn numbered(ids: Vec<u64>) -> Vec<u32> {
    let mut numbers = HashMap::new();
    let mut number = |id| {
        let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
        *numbers.entry(id).or_insert(next)
    };
    ids.into_iter().map(&mut number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::write;
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    /// 00000001 00000002 00000001, packed by xz.
    #[rustfmt::skip]
    const THREE: [u8; 68] = [
        0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, 0x00, 0x04, 0xe6, 0xd6, 0xb4, 0x46, 0x02, 0x00, 0x21, 0x01,
        0x16, 0x00, 0x00, 0x00, 0x74, 0x2f, 0xe5, 0xa3, 0x01, 0x00, 0x0b, 0x00, 0x00, 0x00, 0x01, 0x00,
        0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x01, 0x00, 0x4d, 0xdb, 0x91, 0x20, 0x42, 0xf4, 0x53, 0xc0,
        0x00, 0x01, 0x24, 0x0c, 0xa6, 0x18, 0xd8, 0xd8, 0x1f, 0xb6, 0xf3, 0x7d, 0x01, 0x00, 0x00, 0x00,
        0x00, 0x04, 0x59, 0x5a,
    ];

    fn packed(text: &str) -> Vec<u8> {
        let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
        packer.write_all(text.as_bytes()).unwrap();
        packer.finish().unwrap()
    }

    #[test]
    fn lines_are_read_without_the_marks() {
        let folder = tempfile::tempdir().unwrap();
        let trace = lines("made_up", &[]);
        write(folder.path().join("made_up.trace.gz"), packed("700\n*\n 8\n\n700\n")).unwrap();
        assert_eq!(trace.read(folder.path()).unwrap(), [0, 1, 0]);
        write(folder.path().join("made_up.trace.gz"), packed("700\nx\n")).unwrap();
        let error = trace.read(folder.path()).unwrap_err().to_string();
        assert!(error.ends_with("made_up.trace.gz: \"x\" is no number"), "{error}");
    }

    #[test]
    fn a_missing_trace_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = big_endian("gone", &[]).read(folder.path()).unwrap_err().to_string();
        assert!(error.contains("gone.trace.xz: No such file"), "{error}");
    }

    #[test]
    fn big_endian_numbers_are_read() {
        assert_eq!(big_endian("three", &[]).parse(&THREE).unwrap(), [1, 2, 1]);
        let cut = big_endian("three", &[]).parse(&THREE[..60]);
        assert!(cut.is_err(), "{cut:?}");
    }
}

//! Real traces: their names, the capacities to replay them with, and their file formats.

use std::collections::HashMap;
use std::fs::read;
use std::io::{self, Read};
use std::path::Path;

use flate2::read::GzDecoder;
use lzma_rust2::XzReader;

use crate::hit_ratio::trace::Trace;

/// The file of a trace.
#[derive(Debug)]
pub(super) struct TraceFile {
    /// The name in publications.
    name: &'static str,
    /// The capacities to replay it with, in the range of publications.
    sizes: &'static [u32],
    format: Format,
}

/// The format of a file.
#[derive(Clone, Copy, Debug)]
enum Format {
    /// `NAME.trace.gz`: one number per line; `*` and empty lines are skipped.
    Lines,
    /// `NAME.trace.xz`: big-endian 32-bit numbers.
    BigEndian,
}

/// The traces of LIRS (Jiang, Zhang: SIGMETRICS 2002), and two web traces from cache2k, as Caffeine's
/// simulator has them.
pub(super) const TRACES: [TraceFile; 12] = [
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

const fn lines(name: &'static str, sizes: &'static [u32]) -> TraceFile {
    TraceFile { name, sizes, format: Format::Lines }
}

const fn big_endian(name: &'static str, sizes: &'static [u32]) -> TraceFile {
    TraceFile { name, sizes, format: Format::BigEndian }
}

impl TraceFile {
    /// Loads the trace from a folder.
    pub(super) fn load(&self, folder: &Path) -> io::Result<Trace> {
        Ok(Trace { name: self.name, sizes: self.sizes, reads: self.read(folder)? })
    }

    /// Reads the file, and numbers its keys from 0.
    fn read(&self, folder: &Path) -> io::Result<Vec<u32>> {
        let extension = match self.format {
            Format::Lines => "gz",
            Format::BigEndian => "xz",
        };
        let path = folder.join(format!("{}.trace.{extension}", self.name));
        let with_path = |error: io::Error| io::Error::other(format!("{}: {error}", path.display()));
        let ids = self.parse(&read(&path).map_err(with_path)?).map_err(with_path)?;
        if ids.is_empty() {
            return Err(with_path(io::Error::other("the trace is empty")));
        }
        Ok(renumber(ids))
    }

    fn parse(&self, file: &[u8]) -> io::Result<Vec<u64>> {
        match self.format {
            Format::Lines => {
                let mut text = String::new();
                GzDecoder::new(file).read_to_string(&mut text)?;
                text.lines().map(str::trim).filter(is_read).map(number).collect()
            }
            Format::BigEndian => {
                let mut bytes = Vec::new();
                XzReader::new(file, false).read_to_end(&mut bytes)?;
                let (ids, rest) = bytes.as_chunks();
                match rest {
                    [] => Ok(ids.iter().map(|id| u32::from_be_bytes(*id).into()).collect()),
                    _ => Err(io::Error::other("the last number is truncated")),
                }
            }
        }
    }
}

/// Whether a line is a read, and not empty or a separator.
fn is_read(line: &&str) -> bool {
    !matches!(*line, "" | "*")
}

fn number(line: &str) -> io::Result<u64> {
    line.parse().map_err(|_| io::Error::other(format!("{line:?} is not a number")))
}

fn renumber(ids: Vec<u64>) -> Vec<u32> {
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

    /// 00000001 00000002 00000001, compressed by xz.
    #[rustfmt::skip]
    const THREE: [u8; 68] = [
        0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, 0x00, 0x04, 0xe6, 0xd6, 0xb4, 0x46, 0x02, 0x00, 0x21, 0x01,
        0x16, 0x00, 0x00, 0x00, 0x74, 0x2f, 0xe5, 0xa3, 0x01, 0x00, 0x0b, 0x00, 0x00, 0x00, 0x01, 0x00,
        0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x01, 0x00, 0x4d, 0xdb, 0x91, 0x20, 0x42, 0xf4, 0x53, 0xc0,
        0x00, 0x01, 0x24, 0x0c, 0xa6, 0x18, 0xd8, 0xd8, 0x1f, 0xb6, 0xf3, 0x7d, 0x01, 0x00, 0x00, 0x00,
        0x00, 0x04, 0x59, 0x5a,
    ];

    fn compressed(text: &str) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn separators_are_skipped() {
        let folder = tempfile::tempdir().unwrap();
        let trace = lines("synthetic", &[]);
        write(folder.path().join("synthetic.trace.gz"), compressed("700\n*\n 8\n\n700\n")).unwrap();
        assert_eq!(trace.read(folder.path()).unwrap(), [0, 1, 0]);
        write(folder.path().join("synthetic.trace.gz"), compressed("700\nx\n")).unwrap();
        let error = trace.read(folder.path()).unwrap_err().to_string();
        assert!(error.ends_with("synthetic.trace.gz: \"x\" is not a number"), "{error}");
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

//! The requests of one write, in any protocol. Requests of one kind differ only in their digits, so
//! only those are rewritten.

use crate::generator::config::LoadConfig;
use crate::generator::template::Template;
use crate::keys::KeySequence;

/// A batch of requests, each for one key.
pub(super) struct Batch {
    bytes: Vec<u8>,
    slots: Vec<Slot>,
    pipeline: usize,
    read: Template,
    /// `None` if the load has no writes.
    write: Option<Template>,
}

/// Where a request begins, and whether it is a write.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Slot {
    start: usize,
    is_write: bool,
}

/// A request of a batch.
pub(super) struct Request<'a> {
    pub(super) key: &'a [u8],
    pub(super) is_write: bool,
}

impl Batch {
    pub(super) const fn new(read: Template, pipeline: usize) -> Self {
        Self { bytes: Vec::new(), slots: Vec::new(), pipeline, read, write: None }
    }

    /// Creates an empty batch for a load of reads and writes.
    pub(super) fn of_load(config: LoadConfig) -> Self {
        let LoadConfig { pipeline, protocol, key_space, .. } = config;
        let template = |request| Template::new(request, key_space);
        let read = template(protocol.get(&key_space.key(0)));
        Self::new(read, pipeline).with_writes(template(protocol.set(key_space, 0)))
    }

    /// Adds the template of a write. Some keys are written then.
    pub(super) fn with_writes(self, write: Template) -> Self {
        Self { write: Some(write), ..self }
    }

    /// Requests the next keys. Returns false, and changes nothing, when too few are left.
    pub(super) fn fill(&mut self, sequence: &mut KeySequence) -> bool {
        if sequence.left() < self.pipeline as u64 {
            return false;
        }
        let mut start = 0;
        for number in 0..self.pipeline {
            let is_write = self.write.is_some() && sequence.is_write();
            start = self.write_request(
                number,
                Slot { start, is_write },
                sequence.next().unwrap_or_default(),
            );
        }
        true
    }

    /// Writes the request with this number, and returns where it ends.
    fn write_request(&mut self, number: usize, slot: Slot, key: u64) -> usize {
        let template = self.write.as_ref().filter(|_| slot.is_write).unwrap_or(&self.read);
        if self.slots.get(number) != Some(&slot) {
            self.slots.truncate(number);
            self.bytes.truncate(slot.start);
            self.slots.push(slot);
            self.bytes.extend_from_slice(template.bytes());
        }
        let end = slot.start + template.bytes().len();
        template.write_key(self.bytes.get_mut(slot.start..end).unwrap_or_default(), key);
        end
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the requests in order.
    pub(super) fn requests(&self) -> impl Iterator<Item = Request<'_>> {
        self.slots.iter().map(|Slot { start, is_write }| {
            let template = self.write.as_ref().filter(|_| *is_write).unwrap_or(&self.read);
            let key = template.key(self.bytes.get(*start..).unwrap_or_default());
            Request { key, is_write: *is_write }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator::Protocol;
    use crate::keys::KeySpace;

    fn batch(protocol: Protocol, key_space: KeySpace) -> Batch {
        Batch::new(Template::new(protocol.get(&key_space.key(0)), key_space), 2)
    }

    #[test]
    fn a_batch_overwrites_the_earlier_one() {
        let mut batch = batch(Protocol::Resp, KeySpace::HOT);
        let mut sequence = KeySequence::once(98..102);
        assert!(batch.fill(&mut sequence));
        assert!(batch.fill(&mut sequence));
        let one = "*2\r\n$3\r\nGET\r\n$16\r\nkey:000000000100\r\n";
        let other = "*2\r\n$3\r\nGET\r\n$16\r\nkey:000000000101\r\n";
        assert_eq!(batch.bytes(), [one, other].concat().as_bytes());
        let keys: Vec<_> = batch.requests().map(|request| request.key).collect();
        assert_eq!(keys, [b"key:000000000100", b"key:000000000101"]);
    }

    #[test]
    fn memcached_requests_are_lines() {
        let mut batch = batch(Protocol::Memcached, KeySpace::HOT);
        assert!(batch.fill(&mut KeySequence::once(7..9)));
        assert_eq!(batch.bytes(), b"get key:000000000007\r\nget key:000000000008\r\n");
    }

    #[test]
    fn an_incomplete_batch_is_not_filled() {
        assert!(!batch(Protocol::Resp, KeySpace::COLD).fill(&mut KeySequence::once(0..1)));
    }

    #[test]
    fn writes_are_mixed_with_reads() {
        let write = Template::new(Protocol::Resp.set(KeySpace::HOT, 0), KeySpace::HOT);
        let read = Template::new(Protocol::Resp.get(&KeySpace::HOT.key(0)), KeySpace::HOT);
        let mut batch = Batch::new(read, 16).with_writes(write);
        let mut sequence = KeySequence::random(1000, 7).writing(10);
        let (mut writes, rounds) = (0, 500);
        for _ in 0..rounds {
            assert!(batch.fill(&mut sequence));
            let requests = batch.requests().map(|Request { key, is_write }| {
                writes += u32::from(is_write);
                let key = String::from_utf8(key.to_vec()).unwrap();
                let number = key.strip_prefix("key:").unwrap().parse().unwrap();
                let (read, write) =
                    (Protocol::Resp.get(&key), Protocol::Resp.set(KeySpace::HOT, number));
                if is_write { write } else { read }
            });
            assert_eq!(requests.collect::<Vec<_>>().concat(), batch.bytes());
        }
        // About a tenth, as writes are chosen at random.
        let share = f64::from(writes) / f64::from(16 * rounds);
        assert!((0.08..0.12).contains(&share), "{share}");
    }
}

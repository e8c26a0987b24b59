//! The requests of one write, in any language. Those of one kind differ in their digits alone, so
//! only these are written anew.

use crate::generator::template::Template;
use crate::keys::Order;

/// Some requests, each for a key.
pub(super) struct Batch {
    bytes: Vec<u8>,
    places: Vec<Place>,
    pipeline: usize,
    read: Template,
    /// As long as nobody writes there is none.
    write: Option<Template>,
}

/// Where a request begins, and whether it is a write.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Place {
    start: usize,
    is_write: bool,
}

/// A request that was made.
pub(super) struct Asked<'a> {
    pub(super) key: &'a [u8],
    pub(super) is_write: bool,
}

impl Batch {
    pub(super) const fn new(read: Template, pipeline: usize) -> Self {
        Self { bytes: Vec::new(), places: Vec::new(), pipeline, read, write: None }
    }

    /// The same, in which some keys are written.
    pub(super) fn with_writes(self, write: Template) -> Self {
        Self { write: Some(write), ..self }
    }

    /// Asks for the next keys. False, and nothing is changed, when there are not enough of them.
    pub(super) fn fill(&mut self, order: &mut Order) -> bool {
        if order.left() < self.pipeline as u64 {
            return false;
        }
        let mut start = 0;
        for number in 0..self.pipeline {
            let is_write = self.write.is_some() && order.is_write();
            start = self.ask(number, Place { start, is_write }, order.next().unwrap_or_default());
        }
        true
    }

    /// Puts a request where the one with this number stands; gives its end.
    fn ask(&mut self, number: usize, place: Place, key: u64) -> usize {
        let template = self.write.as_ref().filter(|_| place.is_write).unwrap_or(&self.read);
        if self.places.get(number) != Some(&place) {
            self.places.truncate(number);
            self.bytes.truncate(place.start);
            self.places.push(place);
            self.bytes.extend_from_slice(template.bytes());
        }
        let end = place.start + template.bytes().len();
        template.write_key(self.bytes.get_mut(place.start..end).unwrap_or_default(), key);
        end
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What was asked for, in order.
    pub(super) fn asked(&self) -> impl Iterator<Item = Asked<'_>> {
        self.places.iter().map(|Place { start, is_write }| {
            let template = self.write.as_ref().filter(|_| *is_write).unwrap_or(&self.read);
            let key = template.key(self.bytes.get(*start..).unwrap_or_default());
            Asked { key, is_write: *is_write }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator::Protocol;
    use crate::keys::Family;

    fn batch(protocol: Protocol, family: Family) -> Batch {
        Batch::new(Template::new(protocol.get(&family.key(0)), family), 2)
    }

    #[test]
    fn requests_are_written_over_the_earlier_ones() {
        let mut batch = batch(Protocol::Resp, Family::HOT);
        let mut order = Order::once(98..102);
        assert!(batch.fill(&mut order));
        assert!(batch.fill(&mut order));
        let one = "*2\r\n$3\r\nGET\r\n$16\r\nkey:000000000100\r\n";
        let other = "*2\r\n$3\r\nGET\r\n$16\r\nkey:000000000101\r\n";
        assert_eq!(batch.bytes(), [one, other].concat().as_bytes());
        let keys: Vec<_> = batch.asked().map(|asked| asked.key).collect();
        assert_eq!(keys, [b"key:000000000100", b"key:000000000101"]);
    }

    #[test]
    fn memcached_is_asked_in_lines() {
        let mut batch = batch(Protocol::Memcached, Family::HOT);
        assert!(batch.fill(&mut Order::once(7..9)));
        assert_eq!(batch.bytes(), b"get key:000000000007\r\nget key:000000000008\r\n");
    }

    #[test]
    fn half_a_batch_is_not_sent() {
        assert!(!batch(Protocol::Resp, Family::COLD).fill(&mut Order::once(0..1)));
    }

    #[test]
    fn writes_stand_among_the_reads() {
        let write = Template::new(Protocol::Resp.set(Family::HOT, 0), Family::HOT);
        let read = Template::new(Protocol::Resp.get(&Family::HOT.key(0)), Family::HOT);
        let mut batch = Batch::new(read, 16).with_writes(write);
        let mut order = Order::random(1000, 7).writing(10);
        let (mut writes, rounds) = (0, 500);
        for _ in 0..rounds {
            assert!(batch.fill(&mut order));
            let requests = batch.asked().map(|Asked { key, is_write }| {
                writes += u32::from(is_write);
                let key = String::from_utf8(key.to_vec()).unwrap();
                let number = key.strip_prefix("key:").unwrap().parse().unwrap();
                let (read, write) =
                    (Protocol::Resp.get(&key), Protocol::Resp.set(Family::HOT, number));
                if is_write { write } else { read }
            });
            assert_eq!(requests.collect::<Vec<_>>().concat(), batch.bytes());
        }
        // A tenth of them, as far as the lot wants it.
        let share = f64::from(writes) / f64::from(16 * rounds);
        assert!((0.08..0.12).contains(&share), "{share}");
    }
}

//! Many keys in one call.

use crate::{
    cache::Cache,
    error::{Failed, LoadError, panic_message},
    key::{CacheKey, Name},
    load::{CatchPanic, ROUNDS_MAX, complete_absent},
    policy::ttl_until,
    shared::{Look, Shared, key},
    slot::{Held, Slot},
    store::StoreTier,
};
use futures_util::future::join_all;
use larder_core::{Fill, JoinedLoad, LoadRole, Moment, NotCached};
use std::{
    collections::{HashMap, HashSet},
    future::Future,
    hash::Hash,
    panic::resume_unwind,
    sync::Arc,
};

impl<K, V> Cache<K, V>
where
    K: CacheKey + Clone + Eq + Hash,
    V: Clone + Send + Sync + 'static,
{
    /// Returns the values of these keys, and loads all that are missing with one call of the loader.
    /// A key that the loader returns no value for has none; that is remembered for `negative_ttl`.
    ///
    /// A key that another call is loading is not loaded again: this call waits for it. Should that
    /// load end without a value, the loader is called once more.
    ///
    /// # Errors
    /// Returns the loader's error. With `stale_if_error`, keys that have a stale value are served
    /// that; the error is returned if a key has none.
    pub async fn get_many_with<'k, I, F, Fut, E, Loaded>(
        &self,
        keys: I,
        mut load: F,
    ) -> Result<HashMap<K, V>, LoadError<E>>
    where
        I: IntoIterator<Item = &'k K>,
        K: 'k,
        F: FnMut(Vec<K>) -> Fut,
        Fut: Future<Output = Result<Loaded, E>>,
        Loaded: IntoIterator<Item = (K, V)>,
        E: Send + Sync + 'static,
    {
        if let Some(tier) = &self.shared().store {
            return many_through(self.shared(), tier, distinct(keys), load).await;
        }
        let mut found = HashMap::new();
        let mut wanted: Vec<(K, Name)> = distinct(keys);
        for _ in 0..ROUNDS_MAX {
            let mut round = Round::default();
            for wanted in &wanted {
                round.add(self.shared(), wanted, &mut found);
            }
            if !round.leading.is_empty() {
                let missing = round.leading.iter().map(|led| led.key.clone()).collect();
                let loaded = CatchPanic(Box::pin(load(missing))).await;
                round.complete(self.shared(), loaded, &mut found)?;
            }
            let again = round.join(&mut found).await?;
            if again.is_empty() {
                return Ok(found);
            }
            wanted.retain(|(key, _)| again.contains(key));
        }
        Err(LoadError::Abandoned)
    }
}

/// Reads all keys from the store at once, and loads those that it does not have. The store is written
/// before this returns. Two calls may both load a key: the value that is written last counts.
async fn many_through<K, V, F, Fut, E, Loaded>(
    shared: &Shared<V>,
    tier: &StoreTier<V>,
    wanted: Vec<(K, Name)>,
    mut load: F,
) -> Result<HashMap<K, V>, LoadError<E>>
where
    K: Clone + Eq + Hash,
    V: Clone + Send + Sync + 'static,
    F: FnMut(Vec<K>) -> Fut,
    Fut: Future<Output = Result<Loaded, E>>,
    Loaded: IntoIterator<Item = (K, V)>,
{
    let reads = wanted.iter().map(|(_, name)| async move {
        match shared.look(name) {
            Look::Fresh(hit) => Some(hit.value),
            // What cannot be read is loaded.
            _ => shared.fetch(tier, name).await.ok().flatten(),
        }
    });
    let stored = join_all(reads).await;
    let (mut found, mut missing) = (HashMap::new(), HashMap::new());
    for ((key, name), value) in wanted.into_iter().zip(stored) {
        match value {
            Some(value) => drop(found.insert(key, value)),
            None => drop(missing.insert(key, name)),
        }
    }
    if missing.is_empty() {
        return Ok(found);
    }
    shared.counters.load();
    let loaded = load(missing.keys().cloned().collect()).await.map_err(|error| {
        shared.counters.failure();
        LoadError::Failed(Arc::new(error))
    })?;
    let loaded: Vec<(K, V)> = loaded.into_iter().collect();
    let writes = loaded.iter().filter_map(|(key, value)| {
        let name = missing.get(key)?;
        Some(async move { shared.store(tier, name, value, None).await })
    });
    // What the store refused is a miss the next time.
    drop(join_all(writes).await);
    found.extend(loaded.into_iter().filter(|(key, _)| missing.contains_key(key)));
    Ok(found)
}

/// One key whose load this call leads.
struct Led<'a, K, V: Send + Sync + 'static> {
    key: &'a K,
    name: &'a Name,
    fill: Fill<'a, Slot<V>>,
    old: Option<Arc<Held<V>>>,
}

/// The keys that are not in memory.
struct Round<'a, K, V: Send + Sync + 'static> {
    leading: Vec<Led<'a, K, V>>,
    joined: Vec<(&'a K, JoinedLoad<Slot<V>>)>,
}

impl<K, V: Send + Sync + 'static> Default for Round<'_, K, V> {
    fn default() -> Self {
        Self { leading: Vec::new(), joined: Vec::new() }
    }
}

impl<'a, K: Clone + Eq + Hash, V: Clone + Send + Sync + 'static> Round<'a, K, V> {
    fn add(&mut self, shared: &'a Shared<V>, (id, name): &'a (K, Name), found: &mut HashMap<K, V>) {
        let old = match shared.look(name) {
            Look::Fresh(hit) => {
                found.insert(id.clone(), hit.value);
                return;
            }
            Look::Absent => return,
            Look::Stale(held) => Some(held),
            Look::Nothing => None,
        };
        match shared.engine.join_or_lead_load(key(name), Moment::START) {
            LoadRole::Leading(fill) => self.leading.push(Led { key: id, name, fill, old }),
            LoadRole::Joined(joined) => self.joined.push((id, joined)),
        }
    }

    /// Completes the loads that this call leads.
    fn complete<E, Loaded>(
        &mut self,
        shared: &Shared<V>,
        loaded: Result<Result<Loaded, E>, Box<dyn std::any::Any + Send>>,
        found: &mut HashMap<K, V>,
    ) -> Result<(), LoadError<E>>
    where
        Loaded: IntoIterator<Item = (K, V)>,
        E: Send + Sync + 'static,
    {
        shared.counters.load();
        let leading = std::mem::take(&mut self.leading);
        match loaded {
            Ok(Ok(loaded)) => {
                complete_found(shared, leading, loaded.into_iter().collect(), found);
                Ok(())
            }
            Ok(Err(error)) => {
                let error = Arc::new(error);
                let failed = Failed::Error(Arc::<E>::clone(&error));
                match complete_failed(shared, leading, &failed, found) {
                    true => Ok(()),
                    false => Err(LoadError::Failed(error)),
                }
            }
            Err(panic) => {
                let failed = Failed::Panicked(panic_message(&*panic));
                complete_failed(shared, leading, &failed, found);
                resume_unwind(panic)
            }
        }
    }

    /// Waits for the loads that other calls lead. Returns the keys that are still missing.
    async fn join<E: Send + Sync + 'static>(
        self,
        found: &mut HashMap<K, V>,
    ) -> Result<HashSet<K>, LoadError<E>> {
        let mut again = HashSet::new();
        for (key, joined) in self.joined {
            match joined.await {
                Ok(Slot::Held(held)) => {
                    found.insert(key.clone(), held.value.clone());
                }
                Ok(Slot::Absent) => {}
                Ok(Slot::Failed(_) | Slot::Unknown) | Err(_) => {
                    again.insert(key.clone());
                }
            }
        }
        Ok(again)
    }
}

fn complete_found<K: Clone + Eq + Hash, V: Clone + Send + Sync + 'static>(
    shared: &Shared<V>,
    leading: Vec<Led<'_, K, V>>,
    mut loaded: HashMap<K, V>,
    found: &mut HashMap<K, V>,
) {
    for Led { key, name, fill, .. } in leading {
        let Some(value) = loaded.remove(key) else {
            complete_absent(shared, fill, name);
            continue;
        };
        let (held, until) = shared.hold(name, value, None);
        found.insert(key.clone(), held.value.clone());
        let ttl = ttl_until(fill.sent(), until);
        drop(fill.complete(Slot::Held(held), ttl));
    }
}

/// Tells the callers that joined. Returns whether every key has a stale value that is served.
fn complete_failed<K: Clone + Eq + Hash, V: Clone + Send + Sync + 'static>(
    shared: &Shared<V>,
    leading: Vec<Led<'_, K, V>>,
    failed: &Failed,
    found: &mut HashMap<K, V>,
) -> bool {
    shared.counters.failure();
    let mut all_served = true;
    for Led { key, fill, old, .. } in leading {
        drop(fill.complete_uncached(Slot::Failed(failed.clone()), NotCached::NotAllowed));
        match old.filter(|old| shared.policy.serves_on_error(old, shared.now())) {
            Some(old) => {
                found.insert(key.clone(), shared.stale_entry(&old).into_value());
            }
            None => all_served = false,
        }
    }
    all_served
}

/// Returns each key once, with its name.
fn distinct<'k, K: CacheKey + Clone + Eq + Hash + 'k>(
    keys: impl IntoIterator<Item = &'k K>,
) -> Vec<(K, Name)> {
    let mut seen = HashSet::new();
    let distinct = keys.into_iter().filter(|key| seen.insert(*key));
    distinct.map(|key| (key.clone(), Name::of(key))).collect()
}

//! Plots as SVG: bars and lines, readable on light ground and on dark.

mod bars;
mod lines;
mod svg;

pub(super) use bars::{Bar, Bars, Group};
pub(super) use lines::{Line, Lines, Panel};

use crate::caches::CacheKind;

/// A picture in a file of its own.
pub struct Plot {
    /// Its file's name, without the extension.
    pub name: String,
    /// What it shows, for those who do not see it.
    pub title: String,
    /// The picture.
    pub svg: String,
}

/// The colour that stands for a cache in all plots: seen on white and on black, and told apart
/// by those who do not see red and green (after Okabe and Ito).
pub(super) fn colour(kind: CacheKind) -> &'static str {
    match kind {
        CacheKind::Near => "#8a2d00",
        CacheKind::Larder => "#d55e00",
        CacheKind::LarderSingle => "#f0914a",
        CacheKind::LarderLru => "#e6a817",
        CacheKind::QuickCache => "#3b8fd0",
        CacheKind::Moka => "#009e73",
        CacheKind::FoyerS3fifo => "#b07ad6",
        CacheKind::FoyerLfu => "#cc6699",
        CacheKind::Lru => "#8c8c8c",
    }
}

//! One color per subject in all plots. They are visible on white and on black, and distinct for
//! readers with red-green colour blindness (after Okabe and Ito).

use plotters::style::RGBColor;

use crate::cache_kind::CacheKind;
use crate::http::HttpKind;
use crate::servers::ServerKind;

pub(in crate::report) type Color = RGBColor;

const VERMILION: Color = RGBColor(0xd5, 0x5e, 0x00);
const BROWN: Color = RGBColor(0x8a, 0x2d, 0x00);
const APRICOT: Color = RGBColor(0xf0, 0x91, 0x4a);
const AMBER: Color = RGBColor(0xe6, 0xa8, 0x17);
const BLUE: Color = RGBColor(0x3b, 0x8f, 0xd0);
const GREEN: Color = RGBColor(0x00, 0x9e, 0x73);
const PURPLE: Color = RGBColor(0xb0, 0x7a, 0xd6);
const PINK: Color = RGBColor(0xcc, 0x66, 0x99);
const GREY: Color = RGBColor(0x8c, 0x8c, 0x8c);

/// Returns the color of a cache.
pub(in crate::report) const fn of_cache(kind: CacheKind) -> Color {
    match kind {
        CacheKind::Near => BROWN,
        CacheKind::Larder => VERMILION,
        CacheKind::LarderUnbatched => APRICOT,
        CacheKind::LarderLru => AMBER,
        CacheKind::QuickCache => BLUE,
        CacheKind::Moka => GREEN,
        CacheKind::FoyerS3fifo => PURPLE,
        CacheKind::FoyerLfu => PINK,
        CacheKind::Lru => GREY,
    }
}

/// Returns the color of a server over RESP.
pub(in crate::report) const fn of_server(kind: ServerKind) -> Color {
    match kind {
        ServerKind::Larder => VERMILION,
        ServerKind::Redis | ServerKind::Backend => BLUE,
        ServerKind::Memcached => AMBER,
        ServerKind::Nutcracker => GREEN,
        ServerKind::Haproxy => PURPLE,
        ServerKind::Baseline => GREY,
    }
}

/// Returns the color of a server over HTTP.
pub(in crate::report) const fn of_http(kind: HttpKind) -> Color {
    match kind {
        HttpKind::Larder => VERMILION,
        HttpKind::NginxReturn | HttpKind::NginxFile => GREEN,
        HttpKind::Webdis => BLUE,
        HttpKind::FastapiDict | HttpKind::FastapiRedis | HttpKind::FlaskCachetools => PURPLE,
        HttpKind::Baseline => GREY,
    }
}

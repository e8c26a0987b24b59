//! Commands that servers after Redis 7.0 have added. Those that lack them must refuse them through
//! Larder as they do directly.

/// Conditional writes, and writes with a time to live.
pub(super) const NEWER_STRINGS: &str = r"
SET cond v IFEQ w
SET cond v
SET cond w IFEQ v
SET cond x IFNE w
GET cond
DELIFEQ cond nothing
DELIFEQ cond w
DELEX cond
DELEX cond IFEQ v
DIGEST cond
MSETEX 2 ma 1 mb 2
MSETEX 2 ma 1 mb 2 EXAT 33177117420
MSETEX 0 ma 1
MSETEX 2 ma 1
MGET ma mb
INCREX counter
GET counter
";

/// Fields with a time to live of their own. Their hashes are not read again here: what is cached of
/// them is tested elsewhere.
pub(super) const NEWER_HASHES: &str = r"
HSET fields f v g w n 5 m 6
HEXPIRE fields 1000000 FIELDS 1 f
HEXPIRE fields x FIELDS 1 f
HPEXPIRE fields 1000000000 NX FIELDS 1 f
HEXPIREAT fields 33177117420 FIELDS 2 f nothing
HPEXPIREAT fields 33177117420000 FIELDS 1 g
HEXPIRETIME fields FIELDS 4 f g n nothing
HPEXPIRETIME fields FIELDS 2 f n
HTTL fields FIELDS 2 n nothing
HPTTL fields FIELDS 2 n nothing
HTTL missing FIELDS 1 f
HPERSIST fields FIELDS 2 f n
HGETEX fields FIELDS 2 f nothing
HGETEX fields EXAT 33177117420 FIELDS 1 f
HGETEX fields PERSIST FIELDS 1 f
HSETEX fields FIELDS 1 o 7
HSETEX fields FNX EXAT 33177117420 FIELDS 2 p 8 q 9
HSETEX fields FXX FIELDS 1 nothing v
HGETDEL fields FIELDS 2 n nothing
HGETDEL fields FIELDS 3 n nothing
DEL fields
";

pub(super) const NEWER_STREAMS: &str = r"
XADD late 1-1 f v
XADD late 1-2 f v
XGROUP CREATE late g 0
XREADGROUP GROUP g c STREAMS late >
XACKDEL late g IDS 1 1-1
XACKDEL late g KEEPREF IDS 1 9-9
XDELEX late IDS 2 1-2 9-9
XNACK late g FAIL IDS 1 1-2
XLEN late
";

/// Vector sets.
pub(super) const VECTORS: &str = r"
VADD vec VALUES 3 1 0.5 0 one
VADD vec VALUES 3 0 1 0 two SETATTR '{\x22year\x22: 1984}'
VADD vec VALUES 3 0.1 0.2 0.30000000000000004 three NOQUANT
VADD vec VALUES 2 0 1 short
VADD vec VALUES 3 -1 -0.333 7 four
VADD exact VALUES 3 1 -2.5 0 one NOQUANT
VADD bits VALUES 8 1 -1 1 -1 1 1 1 -1 one BIN
VCARD vec
VCARD missing
VCARD s
VDIM vec
VDIM missing
VEMB vec one
VEMB vec one RAW
VEMB exact one
VEMB exact one RAW
VEMB bits one
VEMB bits one RAW
VEMB vec nothing
VEMB missing one
VEMB vec
VGETATTR vec two
VGETATTR vec one
VGETATTR vec nothing
VGETATTR missing one
VISMEMBER vec one
VISMEMBER vec nothing
VISMEMBER missing one
VLINKS vec one
VLINKS vec one WITHSCORES
VLINKS vec nothing
VLINKS missing one
VSETATTR vec one '{\x22year\x22: 1985}'
VSETATTR vec nothing '{}'
VGETATTR vec one
VINFO vec
VINFO missing
VSIM vec ELE one
VSIM vec VALUES 3 0 1 0 COUNT 2 WITHSCORES
VSIM missing ELE one
VRANDMEMBER exact
VRANDMEMBER exact 2
VRANDMEMBER missing
VRANGE vec - +
VREM vec two
VREM vec two
VCARD vec
";

pub(super) const NEWER_SERVER: &str = r"
CLIENT SETINFO lib-name walker
CLIENT SETINFO nothing x
CLIENT NO-TOUCH on
CLIENT NO-TOUCH off
CLIENT IMPORT-SOURCE ON
CLIENT IMPORT-SOURCE OFF
WAITAOF 0 0 0
SCRIPT SHOW ffffffffffffffffffffffffffffffffffffffff
COMMANDLOG RESET large-request
COMMANDLOG LEN large-request
COMMANDLOG GET 0 large-request
COMMANDLOG GET 0 nothing
COMMANDLOG HELP
CLUSTER MYSHARDID
CLUSTER SLOT-STATS SLOTSRANGE 0 1
CLUSTER FLUSHSLOT 1
CLUSTER MIGRATESLOTS SLOTSRANGE 0 1 NODE x
CLUSTER CANCELSLOTMIGRATIONS
CLUSTER GETSLOTMIGRATIONS
CLUSTER SYNCSLOTS x
CLUSTERSCAN 0
";

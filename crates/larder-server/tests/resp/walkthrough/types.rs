//! Commands for each data type, and for keys of any type.

pub(super) const STRINGS: &str = r"
SET s 'some text'
SET s other GET
SET s x NX
SET s 'some text' XX
GET s
GET missing
GET
GET s s
get s
STRLEN s
STRLEN missing
EXISTS s
EXISTS s s missing
EXISTS missing
TYPE s
TYPE missing
GETRANGE s 1 3
GETRANGE s -4 -1
GETRANGE s 9 1
GETRANGE s x 1
SUBSTR s 0 1
SETRANGE s 5 TEXT
APPEND s '\x0d\x0a\xff\x00'
GET s
SET empty ''
GET empty
STRLEN empty
SET '' 'of the empty key'
GET ''
SET 'schl\xc3\xbcssel' 'gr\xc3\xb6\xc3\x9fe'
GET 'schl\xc3\xbcssel'
SET reply '+OK\x0d\x0a$-1\x0d\x0a'
GET reply
MSET a 1 b 2 c 3
MSET a 1 b
MSETNX a 9 z 9
MGET a b c
MGET a missing s a
MGET
INCR a
INCRBY a 41
DECR a
DECRBY a 2
INCRBYFLOAT a 0.5
INCR s
GET a
GETSET b two
GETDEL c
GETEX b PERSIST
GETEX missing
SETNX b x
SETNX fresh x
SETEX timed 10000 v
PSETEX timed 10000000 v
SETEX timed 0 v
SET timed v KEEPTTL
LCS s b
LCS s b LEN
SET lcs1 ohmytext
SET lcs2 mynewtext
LCS lcs1 lcs2
LCS lcs1 lcs2 LEN
LCS lcs1 lcs2 IDX MINMATCHLEN 4 WITHMATCHLEN
";

pub(super) const BITS: &str = r"
SETBIT bits 7 1
SETBIT bits 100 1
SETBIT bits 100 2
GETBIT bits 7
GETBIT bits 99999
GETBIT bits x
BITCOUNT bits
BITCOUNT bits 0 0
BITCOUNT bits 0 20 BIT
BITCOUNT bits 0
BITPOS bits 1
BITPOS bits 0 1
BITPOS bits 1 8 -1 BIT
BITPOS missing 1
BITPOS bits 2
BITOP NOT dest bits
BITOP AND dest bits s
BITFIELD bits SET u8 0 255 GET u4 4 OVERFLOW FAIL INCRBY u2 0 3
BITFIELD_RO bits GET u8 0 GET i5 100
";

pub(super) const KEYS: &str = r"
DEL missing
DEL lcs1 lcs2 missing
UNLINK fresh
TOUCH a b missing
RENAME a aa
RENAME missing a
RENAMENX aa b
RENAMENX aa a
COPY a a2
COPY a a2
COPY a a2 REPLACE
COPY a a3 DB 5
MOVE a2 5
SELECT 5
GET a3
MGET a2 a3 a
DBSIZE
SCAN 0
FLUSHDB
SELECT 99
SELECT x
SELECT 0
GET a
TTL a
TTL missing
PTTL a
PTTL missing
EXPIRE a 10000
EXPIRE a 1 XX GT
EXPIRE missing 1
PEXPIRE a 10000000 NX
EXPIREAT a 33177117420
EXPIRETIME a
PEXPIREAT a 33177117420000
PEXPIRETIME a
PERSIST a
PERSIST a
EXPIRETIME a
EXPIRE a x
EXPIRE b -1
GET b
KEYS sch*
KEYS nothing*
KEYS *
SCAN 0 COUNT 1000
SCAN 0 MATCH s* COUNT 1000 TYPE string
SCAN x
OBJECT ENCODING s
OBJECT ENCODING missing
OBJECT REFCOUNT s
OBJECT FREQ s
OBJECT IDLETIME missing
OBJECT HELP
MEMORY USAGE s
MEMORY USAGE missing
DUMP s
DUMP missing
RESTORE restored 0 '\x00\x01v\x0a\x00' REPLACE
RESTORE restored 0 nonsense
RESTORE-ASKING restored 0 nonsense
SORT missing
DBSIZE
SWAPDB 3 4
SWAPDB 0 99
WAIT 0 1
WAIT x 1
MIGRATE 127.0.0.1 1 missing 0 100
";

pub(super) const LISTS: &str = r"
RPUSH list a b c 10 ''
LPUSH list z
LPUSHX list y
RPUSHX missing y
LLEN list
LLEN missing
LLEN s
LINDEX list 0
LINDEX list 99
LINDEX list x
LRANGE list 0 -1
LRANGE list 1 2
LRANGE list 9 1
LRANGE missing 0 -1
LRANGE s 0 -1
LSET list 0 Y
LSET list 99 Y
LINSERT list BEFORE b bb
LINSERT list AFTER nothing bb
LPOS list c
LPOS list nothing
LPOS list c COUNT 0
LREM list 1 bb
LTRIM list 0 5
LPOP list
LPOP list 2
LPOP missing
LPOP missing 2
RPOP list
RPOP list 1
LMOVE list other LEFT RIGHT
RPOPLPUSH list other
LMPOP 2 missing other LEFT COUNT 2
LMPOP 1 missing LEFT
RPUSH queue 1 2 3 4 5 6
BLPOP missing queue 0
BRPOP queue 0
BLMOVE queue queue2 LEFT RIGHT 0
BRPOPLPUSH queue queue2 0
BLMPOP 0 1 queue LEFT
BLPOP missing 0.01
BRPOP missing 0.01
BLMOVE missing queue2 LEFT RIGHT 0.01
BLMPOP 0.01 1 missing LEFT
BLPOP missing x
RPUSH numbers 3 1 2
SORT numbers DESC
SORT numbers BY nosort GET # LIMIT 0 2
SORT numbers STORE sorted
SORT_RO numbers
SORT other ALPHA
LRANGE sorted 0 -1
";

pub(super) const HASHES: &str = r"
HSET h f v g w n 5
HSET h f
HMSET h f v
HSETNX h f x
HGET h f
HGET h nothing
HGET missing f
HGET s f
HMGET h f nothing n
HMGET missing f g
HGETALL h
HGETALL missing
HKEYS h
HKEYS missing
HVALS h
HLEN h
HLEN missing
HEXISTS h f
HEXISTS h nothing
HSTRLEN h f
HSTRLEN h nothing
HINCRBY h n 5
HINCRBY h f 5
HINCRBYFLOAT h n 0.25
HGET h n
HDEL h g nothing
HGETALL h
HSCAN h 0
HSCAN h 0 MATCH f*
HSCAN missing 0
HSET single f v
HRANDFIELD single
HRANDFIELD single 1 WITHVALUES
HRANDFIELD missing
HRANDFIELD missing 5
HGETALL s
";

pub(super) const SETS: &str = r"
SADD set a b c 1
SADD ints 1 2 3
SADD one m
SCARD set
SCARD missing
SISMEMBER set a
SISMEMBER set nothing
SMISMEMBER set a nothing b
SMISMEMBER missing a
SMEMBERS set
SMEMBERS ints
SMEMBERS missing
SMEMBERS s
SREM set a nothing
SMOVE ints one 3
SRANDMEMBER single
SRANDMEMBER missing
SRANDMEMBER missing 5
SADD lonely m
SRANDMEMBER lonely
SRANDMEMBER lonely -3
SPOP lonely
SPOP missing
SPOP missing 5
SDIFF one ints
SINTER one ints
SUNION ints missing
SINTERCARD 2 one ints LIMIT 1
SDIFFSTORE setdest one ints
SINTERSTORE setdest ints ints
SUNIONSTORE setdest ints one
SSCAN ints 0
SCARD setdest
";

pub(super) const SORTED_SETS: &str = r"
ZADD z 1 a 2 b 3.5 c -inf low inf high 0.30000000000000004 d 1e21 e
ZADD z NX 5 a
ZADD z XX GT CH 1.5 a
ZADD z INCR 1 a
ZADD z NX INCR 1 a
ZADD z x a
ZCARD z
ZCARD missing
ZSCORE z d
ZSCORE z e
ZSCORE z low
ZSCORE z nothing
ZSCORE s a
ZMSCORE z a nothing high
ZRANK z a
ZRANK z nothing
ZREVRANK z a
ZRANGE z 0 -1
ZRANGE z 0 -1 WITHSCORES
ZRANGE z 0 1 REV WITHSCORES
ZRANGE z -inf (3 BYSCORE LIMIT 1 2
ZRANGE z 9 1
ZRANGE missing 0 -1 WITHSCORES
ZRANGE z x 1
ZREVRANGE z 0 -1
ZREVRANGE z 0 1 WITHSCORES
ZRANGEBYSCORE z -inf +inf
ZRANGEBYSCORE z (1 5 WITHSCORES LIMIT 0 2
ZREVRANGEBYSCORE z +inf -inf WITHSCORES
ZADD lex 0 a 0 b 0 c
ZRANGEBYLEX lex - +
ZRANGEBYLEX lex [b (c
ZREVRANGEBYLEX lex + - LIMIT 0 1
ZLEXCOUNT lex [a [b
ZRANGE lex [a [b BYLEX
ZCOUNT z 0 (3.5
ZCOUNT z x 1
ZINCRBY z 0.1 a
ZSCAN z 0
ZRANDMEMBER missing
ZRANDMEMBER missing 5
ZADD zone 1.25 m
ZRANDMEMBER zone
ZRANDMEMBER zone -2 WITHSCORES
ZDIFF 2 z lex WITHSCORES
ZINTER 2 z lex WITHSCORES AGGREGATE MAX
ZINTERCARD 2 z lex
ZUNION 2 lex zone WEIGHTS 2 3 WITHSCORES
ZUNION 2 lex zone
ZDIFFSTORE zdest 2 z lex
ZINTERSTORE zdest 2 z lex
ZUNIONSTORE zdest 2 z lex WEIGHTS 1 0.5
ZRANGESTORE zdest z 0 2
ZPOPMIN zdest
ZPOPMAX zdest 2
ZPOPMIN missing
ZPOPMAX missing 2
ZMPOP 1 lex MIN
ZMPOP 1 missing MAX
ZADD zq 1 a 2 b 3 c 4 d
BZPOPMIN zq 0
BZPOPMAX missing zq 0
BZMPOP 0 1 zq MIN COUNT 1
BZPOPMIN missing 0.01
BZPOPMAX missing 0.01
BZMPOP 0.01 1 missing MIN
ZREM z a nothing
ZREMRANGEBYRANK z 0 0
ZREMRANGEBYSCORE z 1 3
ZREMRANGEBYLEX lex [b [b
ZRANGE z 0 -1 WITHSCORES
";

pub(super) const GEO: &str = r"
GEOADD geo 13.361389 38.115556 Palermo 15.087269 37.502669 Catania
GEOADD geo 500 500 nowhere
GEODIST geo Palermo Catania
GEODIST geo Palermo Catania km
GEODIST geo Palermo nothing
GEOHASH geo Palermo nothing
GEOHASH geo
GEOPOS geo Palermo nothing
GEOPOS missing Palermo
GEORADIUS geo 15 37 200 km WITHDIST WITHCOORD ASC
GEORADIUS geo 15 37 200 km STORE geodest
GEORADIUS_RO geo 15 37 200 km ASC
GEORADIUSBYMEMBER geo Palermo 200 km ASC
GEORADIUSBYMEMBER_RO geo Palermo 100 km
GEOSEARCH geo FROMLONLAT 15 37 BYBOX 400 400 km ASC WITHDIST WITHHASH
GEOSEARCHSTORE geodest geo FROMMEMBER Palermo BYRADIUS 10 km
";

pub(super) const HYPERLOGLOGS: &str = r"
PFADD hll a b c d e
PFADD hll a
PFCOUNT hll
PFCOUNT hll missing
PFADD hll2 x
PFMERGE hll3 hll hll2
PFCOUNT hll3
PFCOUNT list
PFDEBUG ENCODING hll
STRLEN hll
";

pub(super) const STREAMS: &str = r"
XADD x 1-1 f v
XADD x 1-2 f v g w
XADD x 1-1 f v
XADD x MAXLEN 5 2-1 f v
XADD missing NOMKSTREAM 1-1 f v
XLEN x
XLEN missing
XRANGE x - +
XRANGE x 1-2 + COUNT 1
XREVRANGE x + -
XRANGE missing - +
XREAD COUNT 1 STREAMS x 0
XREAD STREAMS missing 0
XREAD BLOCK 10 STREAMS x $
XGROUP CREATE x g 0
XGROUP CREATE x g 0
XGROUP CREATE none g $ MKSTREAM
XINFO STREAM x
XINFO STREAM x FULL
XINFO STREAM missing
XINFO GROUPS x
XINFO CONSUMERS x g
XINFO HELP
XGROUP CREATECONSUMER x g c
XREADGROUP GROUP g c COUNT 2 STREAMS x >
XREADGROUP GROUP g c STREAMS x 0
XREADGROUP GROUP g c BLOCK 10 STREAMS none >
XPENDING x g
XACK x g 1-1
XCLAIM x g d 0 1-2 JUSTID
XAUTOCLAIM x g e 0 0 JUSTID
XGROUP SETID x g 0
XGROUP DELCONSUMER x g c
XGROUP DESTROY x g
XGROUP HELP
XDEL x 1-1
XSETID x 9-9
XTRIM x MAXLEN 1
XRANGE x - +
";

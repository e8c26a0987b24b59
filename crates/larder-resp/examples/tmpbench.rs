#![allow(warnings)]
use std::hint::black_box; use std::time::Instant; use larder_resp::*; use larder_resp::command::*; use larder_resp::request::*; use bytes::BytesMut;
fn t(name:&str, n:u64, mut f: impl FnMut()){ for _ in 0..n/10 {f()} let s=Instant::now(); for _ in 0..n {f()} println!("{name}: {:.1} ns", s.elapsed().as_nanos() as f64/n as f64); }
fn main(){
 let table=Table::builtin();
 for (c) in [&[&b"GET"[..],b"key:000001"][..], &[b"get",b"k"], &[b"HGET",b"k",b"field"], &[b"CLIENT",b"TRACKING",b"on"], &[b"ZREVRANGEBYSCORE",b"k",b"0",b"1"], &[b"FROB.NICATE",b"x"]] {
  let mut b=BytesMut::new(); write_command(&mut b,c); let mut d=Decoder::new(Limits::default()); let cmd=d.decode(&b).unwrap().command.unwrap();
  let n=String::from_utf8_lossy(c[0]).to_string();
  t(&format!("spec {n}"), 20_000_000, ||{ black_box(table.spec(black_box(&cmd))); });
  let spec=table.spec(&cmd); let mut r=Vec::with_capacity(64);
  t(&format!("encode_read {n}"), 20_000_000, ||{ black_box(spec.encode_read(black_box(&cmd),&mut r)); });
  t(&format!("keys {n}"), 20_000_000, ||{ if let KeysOf::Known(k)=spec.keys_of(black_box(&cmd)) { black_box(k.count()); } });
 }
 let mut o=BytesMut::new();
 for (n,s) in [("bulk",b"$5\r\nhello\r\n".to_vec()),("null",b"_\r\n".to_vec()),("hgetall50",{let mut v=b"%50\r\n".to_vec(); for i in 0..100{v.extend(b"$10\r\n0123456789\r\n")} v}),("zrange50",{let mut v=b"*50\r\n".to_vec(); for i in 0..50{v.extend(b"*2\r\n$10\r\n0123456789\r\n,1.5\r\n")} v})] {
  t(&format!("resp2 {n}"), 1_000_000, ||{ o.clear(); larder_resp::reply::write_as_resp2(&mut o, larder_resp::reply::Shape::FlatPairs, black_box(&s)).unwrap(); });
 }
}

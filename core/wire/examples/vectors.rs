//! Writes `api/vectors/moqt.json`, the golden vectors of the wire format.

#[path = "../tests/wire/cases.rs"]
mod cases;
#[path = "../tests/wire/fields.rs"]
mod fields;

use serde_json::json;

const ABOUT: &str = "MoQT structures as bytes and as fields, written by `cargo run -p cc-wire --example \
vectors`. Reading hex gives fields, and writing that again gives hex. Profile 18 also stands for what does \
not depend on the draft: integers, datagrams, streams. Integers beyond 2^53 - 1 are decimal strings, bytes \
hexadecimal ones; an absent field is left out.";

fn main() -> std::io::Result<()> {
    let mut lines = Vec::new();
    for case in cases::all() {
        let bytes = case.item.bytes(case.profile);
        let (fields, _) = cases::read(case.profile, case.item.kind(), &bytes);
        let vector = json!({
            "name": case.name,
            "profile": case.profile.number(),
            "kind": case.item.kind(),
            "hex": fields::hex(&bytes),
            "fields": fields,
        });
        lines.push(format!("    {vector}"));
    }
    let text = format!("{{\n  \"about\": {},\n  \"vectors\": [\n{}\n  ]\n}}\n", json!(ABOUT), lines.join(",\n"));
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../api/vectors/moqt.json");
    std::fs::write(path, text)?;
    println!("{} vectors in {path}", lines.len());
    Ok(())
}

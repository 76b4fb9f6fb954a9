//! The golden vectors that all languages read: what is written here and what is in the file are the
//! same, both ways. `cargo run -p cc-wire --example vectors` writes the file anew.

use std::collections::BTreeSet;

use cc_wire::Profile;
use serde_json::Value;

use crate::cases;

fn file() -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../api/vectors/moqt.json");
    let text = std::fs::read_to_string(path).expect("api/vectors/moqt.json");
    let json: Value = serde_json::from_str(&text).expect("valid JSON");
    json["vectors"].as_array().expect("a list of vectors").clone()
}

fn bytes(hex: &str) -> Vec<u8> {
    assert_eq!(hex.len() % 2, 0);
    (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).expect("hex")).collect()
}

#[test]
fn bytes_to_fields_and_back() {
    for vector in file() {
        let name = vector["name"].as_str().expect("a name");
        let profile = match vector["profile"].as_u64() {
            Some(18) => Profile::D18,
            Some(22) => Profile::D22,
            other => panic!("{name}: profile {other:?}"),
        };
        let wire = bytes(vector["hex"].as_str().expect("bytes"));
        let (fields, again) = cases::read(profile, vector["kind"].as_str().expect("a kind"), &wire);
        assert_eq!(fields, vector["fields"], "{name} at {profile:?}");
        assert_eq!(again, wire, "{name} at {profile:?}");
    }
}

#[test]
fn cases_to_bytes() {
    let file = file();
    let key = |vector: &Value| (vector["name"].to_string(), vector["profile"].as_u64());
    let names: BTreeSet<_> = file.iter().map(key).collect();
    assert_eq!(names.len(), file.len(), "no name twice at a profile");
    let cases = cases::all();
    assert_eq!(cases.len(), file.len());
    for (case, vector) in cases.iter().zip(&file) {
        assert_eq!(vector["name"], case.name);
        assert_eq!(vector["profile"], case.profile.number());
        assert_eq!(vector["kind"], case.item.kind());
        let wire = bytes(vector["hex"].as_str().expect("bytes"));
        assert_eq!(case.item.bytes(case.profile), wire, "{}", case.name);
    }
}

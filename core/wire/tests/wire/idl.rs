//! The golden vectors of the IDL, as far as they are this crate's: varints, properties, capability hashes.

use cc_wire::{capability_hash, varint, Properties, Reader};
use serde_json::Value;

fn file(name: &str) -> Value {
    let path = format!("{}/../../api/vectors/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).expect("the vectors")).expect("valid JSON")
}

fn list<'a>(value: &'a Value, key: &str) -> &'a Vec<Value> {
    value[key].as_array().expect("a list")
}

fn bytes(hex: &Value) -> Vec<u8> {
    let hex = hex.as_str().expect("bytes");
    (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).expect("hex")).collect()
}

#[test]
fn capability_hashes() {
    for case in list(&file("capability.json"), "tags") {
        let tag = case["tag"].as_str().expect("a tag");
        assert_eq!(Some(capability_hash(tag)), case["hash"].as_u64(), "{tag}");
    }
}

#[test]
fn varints() {
    for case in list(&file("modalities.json"), "varints") {
        let value: u64 = case["value"].as_str().expect("a number").parse().expect("a number");
        let (wire, mut out) = (bytes(&case["hex"]), Vec::new());
        varint::put(&mut out, value);
        assert_eq!(out, wire, "{value}");
        assert_eq!(Reader::new(&wire).varint(), Ok(value));
    }
}

#[test]
fn properties_of_each_kind() {
    for case in list(&file("modalities.json"), "kinds") {
        for part in ["track", "object"] {
            let wire = bytes(&case[part]["hex"]);
            let properties = Properties::decode(&wire).expect("properties");
            let count = case[part]["values"].as_object().expect("values").len();
            assert_eq!(properties.iter().count(), count, "{case}");
            let mut again = Vec::new();
            properties.encode(&mut again);
            assert_eq!(again, wire, "{case}");
        }
    }
}

//! Both ends of a null handshake, driven by hand, beside quinn's TLS doing the same.

use std::sync::Arc;

use bytes::BytesMut;
use quinn_proto::crypto::rustls::{HandshakeData, QuicClientConfig, QuicServerConfig};
use quinn_proto::crypto::{ClientConfig, Keys, PacketKey, ServerConfig, Session};
use quinn_proto::transport_parameters::TransportParameters;
use quinn_proto::{ConnectionId, Side, TransportError, TransportErrorCode};

use super::{keys, NullConfig};

fn params(side: Side) -> TransportParameters {
    // Encoded by hand (RFC 9000, 18): max_idle_timeout and initial_source_connection_id.
    let id = if side == Side::Client { 1 } else { 2 };
    TransportParameters::read(side, &mut &[0x01, 0x02, 0x67, 0x10, 0x0f, 0x04, id, id, id, id][..]).unwrap()
}

fn config(alpns: &[&str]) -> Arc<NullConfig> {
    Arc::new(NullConfig { alpns: alpns.iter().map(|name| name.as_bytes().to_vec()).collect() })
}

fn sessions(client: &[&str], server: &[&str]) -> [Box<dyn Session>; 2] {
    let client = ClientConfig::start_session(config(client), 1, "localhost", &params(Side::Server)).unwrap();
    [client, ServerConfig::start_session(config(server), 1, &params(Side::Client))]
}

/// Sizes of flights as they were sent, and the last keys of each side.
struct Done {
    flights: Vec<usize>,
    keys: [Option<Keys>; 2],
}

/// Passes flights to and fro until neither side has one, in pieces of at most `piece` bytes.
fn shake(ends: &mut [Box<dyn Session>; 2], piece: usize) -> Result<Done, TransportError> {
    let mut done = Done { flights: Vec::new(), keys: [None, None] };
    for turn in 0..8 {
        let from = turn % 2;
        loop {
            let mut flight = Vec::new();
            let keys = ends[from].write_handshake(&mut flight);
            let quiet = keys.is_none() && flight.is_empty();
            done.keys[from] = keys.or(done.keys[from].take());
            if !flight.is_empty() {
                done.flights.push(flight.len());
            }
            for bytes in flight.chunks(piece) {
                ends[1 - from].read_handshake(bytes)?;
                // A client has to raise its keys between two flights, as QUIC has it do.
                if ends[1 - from].is_handshaking() {
                    let mut none = Vec::new();
                    if from == 1 {
                        let keys = ends[0].write_handshake(&mut none);
                        done.keys[0] = keys.or(done.keys[0].take());
                        assert!(none.is_empty());
                    }
                }
            }
            if quiet {
                break;
            }
        }
    }
    Ok(done)
}

#[test]
fn a_handshake_in_any_pieces_agrees_on_protocol_parameters_and_keys() {
    for piece in [1, 7, 100, 10_000] {
        let mut ends = sessions(&["moqt-22", "moqt-18"], &["moqt-18", "x"]);
        let done = shake(&mut ends, piece).unwrap();
        for end in &ends {
            assert!(!end.is_handshaking());
            let data = end.handshake_data().unwrap().downcast::<HandshakeData>().unwrap();
            assert_eq!(data.protocol.as_deref(), Some(&b"moqt-18"[..]));
        }
        let server = ends[1].handshake_data().unwrap().downcast::<HandshakeData>().unwrap();
        assert_eq!(server.server_name.as_deref(), Some("localhost"));
        assert_eq!(ends[0].transport_parameters().unwrap(), Some(params(Side::Client)));
        assert_eq!(ends[1].transport_parameters().unwrap(), Some(params(Side::Server)));
        let [Some(client), Some(server)] = done.keys else { panic!("both sides have keys") };
        for generation in 0..3 {
            let [client, server] = match generation {
                0 => [&client.packet, &server.packet].map(|pair| [tag(&*pair.local), tag(&*pair.remote)]),
                _ => {
                    let [a, b] = [ends[0].next_1rtt_keys().unwrap(), ends[1].next_1rtt_keys().unwrap()];
                    [[tag(&*a.local), tag(&*a.remote)], [tag(&*b.local), tag(&*b.remote)]]
                }
            };
            assert_eq!(client, [server[1].clone(), server[0].clone()]);
            assert_ne!(client[0], client[1]);
        }
    }
}

/// A fixed packet under a key.
fn tag(key: &dyn PacketKey) -> Vec<u8> {
    let mut packet = b"headpayload".to_vec();
    packet.resize(packet.len() + key.tag_len(), 0);
    key.encrypt(5, &mut packet, 4);
    packet
}

#[test]
fn no_common_protocol_is_the_alert_of_tls() {
    let error = shake(&mut sessions(&["a"], &["b"]), 10_000).err().unwrap();
    assert_eq!(error.code, TransportErrorCode::crypto(120));
}

#[test]
fn nonsense_is_an_error_and_no_panic() {
    for bytes in [&[9, 0, 0, 0][..], &[1, 255, 255, 255], &[20, 0, 0, 0], &[1, 0, 0, 2, 255, 255], &[1, 0, 0, 0]] {
        let [_, mut server] = sessions(&["a"], &["a"]);
        assert!(server.read_handshake(bytes).is_err(), "{bytes:?}");
    }
}

#[test]
fn any_flipped_bit_of_a_packet_shows() {
    let keys = keys::initial(&ConnectionId::new(&[7; 8]), Side::Client).packet;
    let peer = keys::initial(&ConnectionId::new(&[7; 8]), Side::Server).packet;
    let mut packet: Vec<u8> = (0..150).collect();
    packet.resize(150 + 16, 0);
    keys.local.encrypt(77, &mut packet, 20);
    let open = |packet: &[u8], number| {
        let mut payload = BytesMut::from(&packet[20..]);
        peer.remote.decrypt(number, &packet[..20], &mut payload).map(|()| payload.to_vec())
    };
    assert_eq!(open(&packet, 77).unwrap(), &packet[20..150]);
    assert!(open(&packet, 78).is_err());
    for bit in 0..packet.len() * 8 {
        packet[bit / 8] ^= 1 << (bit % 8);
        assert!(open(&packet, 77).is_err(), "bit {bit}");
        packet[bit / 8] ^= 1 << (bit % 8);
    }
    assert!(peer.remote.decrypt(1, &[], &mut BytesMut::from(&[0; 15][..])).is_err());
}

#[test]
fn a_retry_is_checked() {
    let id = ConnectionId::new(&[3; 8]);
    let (header, token) = (b"header".to_vec(), b"token".to_vec());
    let tag = ServerConfig::retry_tag(&*config(&["a"]), 1, &id, &[header.clone(), token.clone()].concat());
    let payload = [token, tag.to_vec()].concat();
    let [client, _] = sessions(&["a"], &["a"]);
    assert!(client.is_valid_retry(&id, &header, &payload));
    assert!(!client.is_valid_retry(&ConnectionId::new(&[4; 8]), &header, &payload));
    assert!(!client.is_valid_retry(&id, &header, &payload[1..]));
    assert!(!client.is_valid_retry(&id, &header, &[0; 3]));
}

/// To a few bytes: a signature's and a certificate's length vary from one to the next.
#[test]
fn flights_have_the_sizes_of_tls() {
    let null = shake(&mut sessions(&["moqt-18"], &["moqt-18"]), 10_000).unwrap().flights;

    let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = &[&rustls::version::TLS13];
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let mut server = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    server.alpn_protocols = vec![b"moqt-18".to_vec()];
    server.send_tls13_tickets = 0;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let mut client = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.alpn_protocols = vec![b"moqt-18".to_vec()];
    let client = Arc::new(QuicClientConfig::try_from(client).unwrap());
    let server = Arc::new(QuicServerConfig::try_from(server).unwrap());
    let mut ends = [
        client.start_session(1, "localhost", &params(Side::Server)).unwrap(),
        ServerConfig::start_session(server, 1, &params(Side::Client)),
    ];
    let tls = shake(&mut ends, 10_000).unwrap().flights;
    assert_eq!(null.len(), tls.len() + 1, "a ticket more: {null:?}, {tls:?}");

    for (at, (null, tls)) in null.iter().zip(&tls).enumerate() {
        assert!(null.abs_diff(*tls) <= 8, "flight {at}: {null}, {tls}");
    }
}

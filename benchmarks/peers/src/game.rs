//! renet over netcode: a game server's loop at its tick rate, which passes each unreliable message on to all others.
//! While nobody sends, server and clients look at their sockets seldom, for others are measured meanwhile.
//!
//! netcode encrypts every packet (ChaCha20-Poly1305). Its "unsecure" mode, used here, differs in how keys are agreed on.

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{ensure, Context};
use bytes::Bytes;
use renet::{ConnectionConfig, DefaultChannel, RenetClient, RenetServer};
use renet_netcode::{
    ClientAuthentication, NetcodeClientTransport, NetcodeServerTransport, ServerAuthentication, ServerConfig,
};

use crate::crowd::{tally, turns, Play, Publisher};

const LOOPBACK: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);
const PROTOCOL: u64 = 7;
/// Between two looks at the subscribers' sockets.
const LOOK: Duration = Duration::from_millis(4);
/// The same, and between two of the server's ticks, while nobody sends: within netcode's time-outs of seconds.
const REST: Duration = Duration::from_millis(100);
/// Without a message for so long the server rests.
const QUIET: Duration = Duration::from_secs(1);

fn since_1970() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// A server until standard input ends.
pub fn serve(hz: f64) -> anyhow::Result<()> {
    ensure!(hz > 0.0 && hz <= 1000.0, "HZ to 1,000");
    let socket = UdpSocket::bind(LOOPBACK)?;
    let address = socket.local_addr()?;
    let config = ServerConfig {
        current_time: since_1970(),
        max_clients: 1024,
        protocol_id: PROTOCOL,
        public_addresses: vec![address],
        authentication: ServerAuthentication::Unsecure,
    };
    let mut transport = NetcodeServerTransport::new(config, socket)?;
    let mut server = RenetServer::new(ConnectionConfig::default());
    println!("{}", address.port());
    thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    let tick = Duration::from_secs_f64(1.0 / hz);
    let (mut last, mut heard) = (Instant::now(), Instant::now());
    loop {
        let began = Instant::now();
        let took = began - last;
        last = began;
        server.update(took);
        transport.update(took, &mut server)?;
        while server.get_event().is_some() {}
        for from in server.clients_id() {
            while let Some(message) = server.receive_message(from, DefaultChannel::Unreliable) {
                heard = began;
                server.broadcast_message_except(from, DefaultChannel::Unreliable, message);
            }
        }
        transport.send_packets(&mut server);
        let each = if began - heard < QUIET { tick } else { REST };
        thread::sleep(each.saturating_sub(began.elapsed()));
    }
}

struct Client {
    client: RenetClient,
    transport: NetcodeClientTransport,
    last: Instant,
}

impl Client {
    fn dial(server: SocketAddr, id: u64) -> anyhow::Result<Client> {
        let how = ClientAuthentication::Unsecure {
            protocol_id: PROTOCOL,
            client_id: id,
            server_addr: server,
            user_data: None,
        };
        let transport = NetcodeClientTransport::new(since_1970(), how, UdpSocket::bind(LOOPBACK)?)?;
        Ok(Client { client: RenetClient::new(ConnectionConfig::default()), transport, last: Instant::now() })
    }

    /// Receives, and sends what is waiting.
    fn look(&mut self) -> anyhow::Result<()> {
        let took = self.last.elapsed();
        self.last += took;
        self.client.update(took);
        self.transport.update(took, &mut self.client).context("a renet client")?;
        if self.client.is_connected() {
            self.transport.send_packets(&mut self.client).context("a renet client")?;
        }
        Ok(())
    }
}

struct Sender(Arc<Mutex<Client>>, Bytes, usize);

impl Publisher for Sender {
    fn send(&mut self, _: u64) -> anyhow::Result<()> {
        let mut own = self.0.lock().expect("nobody panics with it");
        if own.client.is_connected() {
            for _ in 0..self.2 {
                own.client.send_message(DefaultChannel::Unreliable, self.1.clone());
            }
        }
        own.look()
    }
}

/// A publisher and its subscribers, each with a socket of its own.
pub fn play(port: u16, play: Play) -> anyhow::Result<()> {
    ensure!(play.objects == 0, "renet has no streams");
    let server = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let (tally, told) = tally(play);
    let ids = 1..=play.subscribers as u64;
    let mut readers = ids.map(|id| Client::dial(server, id)).collect::<anyhow::Result<Vec<_>>>()?;
    let publisher = Arc::new(Mutex::new(Client::dial(server, 0)?));
    let (counted, kept) = (tally.clone(), publisher.clone());
    thread::spawn(move || loop {
        // Between turns it stays connected.
        if let Err(error) = kept.lock().expect("nobody panics with it").look() {
            eprintln!("bench-peers: {error:#}");
            std::process::exit(1);
        }
        for (number, reader) in readers.iter_mut().enumerate() {
            if let Err(error) = reader.look() {
                eprintln!("bench-peers: {error:#}");
                std::process::exit(1);
            }
            while reader.client.receive_message(DefaultChannel::Unreliable).is_some() {
                counted.add(number);
            }
        }
        thread::sleep(if counted.is_resting() { REST } else { LOOK });
    });
    turns(play, Sender(publisher, vec![0; play.size].into(), play.tracks), &tally, &told)
}

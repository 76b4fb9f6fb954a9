//! The URL of a link: `moqt://host:port/path`.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use crate::boundary::{Answer, Failure};
use crate::generated::{status, PORT_RELAY};

/// Longest URL, bytes.
pub(crate) const URL_BYTES: usize = 4096;

/// What a URL says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Url {
    /// Host without brackets: the name for TLS.
    pub(crate) host: String,
    /// The port; 443 when none is given.
    pub(crate) port: u16,
    /// `host:port` as it goes into AUTHORITY.
    pub(crate) authority: String,
    /// Path and query; `/` when there is none.
    pub(crate) path: String,
}

impl Url {
    /// Reads a URL.
    ///
    /// # Errors
    /// BAD_URL; the words say which part and what is expected.
    pub(crate) fn parse(text: &str) -> Answer<Url> {
        let bad =
            |why: &str| Failure::new(status::BAD_URL, format!("{text:?} {why}; write it as moqt://host:port/path"));
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(bad("is no URL"));
        };
        if scheme.eq_ignore_ascii_case("https") {
            return Err(bad("means WebTransport, and this core speaks QUIC"));
        }
        if !scheme.eq_ignore_ascii_case("moqt") {
            return Err(bad("has another scheme than moqt"));
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(bad("has a character that must be percent-encoded"));
        }
        if rest.contains('#') {
            return Err(bad("has a fragment, which means nothing here"));
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if authority.contains('@') {
            return Err(bad("has a user name; pass the token apart from the URL"));
        }
        let (host, port) = match authority.strip_prefix('[') {
            Some(inner) => {
                let (host, port) = inner.split_once(']').ok_or_else(|| bad("has a bracket without its pair"))?;
                host.parse::<Ipv6Addr>().map_err(|_| bad("has no IPv6 address in its brackets"))?;
                match port.strip_prefix(':') {
                    Some(port) => (host, Some(port)),
                    None if port.is_empty() => (host, None),
                    None => return Err(bad("has something between the bracket and the port")),
                }
            }
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            },
        };
        let port = match port {
            None => PORT_RELAY,
            Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
                port.parse().ok().filter(|port| *port > 0).ok_or_else(|| bad("has no port from 1 to 65535"))?
            }
            Some(_) => return Err(bad("has a port that is no number (an IPv6 address goes in brackets)")),
        };
        if !authority.starts_with('[') && !is_host(host) {
            return Err(bad("has no host name or address"));
        }
        let shown = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let path = match path {
            "" => "/".to_owned(),
            query if query.starts_with('?') => format!("/{query}"),
            path => path.to_owned(),
        };
        Ok(Url { host: host.to_owned(), port, authority: format!("{shown}:{port}"), path })
    }

    /// The address that the URL itself names, if its host is one.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.host.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, self.port))
    }
}

/// A DNS name or an IPv4 address (RFC 3986, 3.2.2, as far as DNS and TLS allow it).
fn is_host(host: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    host.len() <= 253 && host.strip_suffix('.').unwrap_or(host).split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (String, u16, String, String) {
        let url = Url::parse(text).unwrap();
        (url.host, url.port, url.authority, url.path)
    }

    fn of(host: &str, port: u16, authority: &str, path: &str) -> (String, u16, String, String) {
        (host.into(), port, authority.into(), path.into())
    }

    #[test]
    fn hosts_ports_and_paths() {
        assert_eq!(parsed("moqt://127.0.0.1:7777"), of("127.0.0.1", 7777, "127.0.0.1:7777", "/"));
        assert_eq!(parsed("MOQT://a.example/x/y?z=1"), of("a.example", 443, "a.example:443", "/x/y?z=1"));
        assert_eq!(parsed("moqt://[::1]:9/p"), of("::1", 9, "[::1]:9", "/p"));
        assert_eq!(parsed("moqt://[2001:db8::1]?q"), of("2001:db8::1", 443, "[2001:db8::1]:443", "/?q"));
    }

    #[test]
    fn an_address_is_known_without_dns() {
        assert_eq!(Url::parse("moqt://[::1]:9").unwrap().address(), Some("[::1]:9".parse().unwrap()));
        assert_eq!(Url::parse("moqt://localhost:9").unwrap().address(), None);
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, word) in [
            ("https://a:1/", "WebTransport"),
            ("http://a:1/", "scheme"),
            ("a:1", "no URL"),
            ("", "no URL"),
            ("moqt://", "no host"),
            ("moqt://:1", "no host"),
            ("moqt://a:0", "port from 1"),
            ("moqt://a:65536", "port from 1"),
            ("moqt://a:", "port from 1"),
            ("moqt://a:+1", "port that is no number"),
            ("moqt://::1:9", "brackets"),
            ("moqt://[::1", "bracket"),
            ("moqt://[::1]9", "between"),
            ("moqt://[nope]:9", "IPv6"),
            ("moqt://u@a:1", "token"),
            ("moqt://a:1/#x", "fragment"),
            ("moqt://a:1/ ", "percent-encoded"),
            ("moqt://a..b:1", "no host"),
        ] {
            let failure = Url::parse(text).unwrap_err();
            assert_eq!(failure.status, status::BAD_URL);
            assert!(failure.text.contains(word), "{text}: {}", failure.text);
        }
    }
}

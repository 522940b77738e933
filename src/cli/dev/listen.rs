//! The port: the one asked for, else the next free one.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::TcpListener;

use crate::cli::failure::Failure;

/// How many ports are tried, as in Python hud.
const TRIED: u16 = 100;

/// A socket, and where clients find it.
pub(super) struct Bound {
    pub(super) listener: TcpListener,
    /// As clients of this machine write it.
    pub(super) address: SocketAddr,
    /// The port that was asked for, when it was in use.
    pub(super) instead_of: Option<u16>,
}

/// Listens on `port`, or with `strict` unset on the next free one of a hundred.
pub(super) async fn listen(host: IpAddr, port: u16, strict: bool) -> Result<Bound, Failure> {
    let last = if strict || port == 0 {
        port
    } else {
        port.saturating_add(TRIED - 1)
    };
    for candidate in port..=last {
        match TcpListener::bind(SocketAddr::new(host, candidate)).await {
            Ok(listener) => {
                let address = reachable(listener.local_addr()?);
                return Ok(Bound {
                    listener,
                    address,
                    instead_of: (port != 0 && candidate != port).then_some(port),
                });
            }
            Err(error) if error.kind() == ErrorKind::AddrInUse && candidate < last => {}
            Err(error) if error.kind() == ErrorKind::AddrInUse && last > port => {
                return Err(Failure::usage(format!(
                    "every port from {port} to {last} of {host} is in use\nhint: name another with --port; 0 takes any free one"
                )));
            }
            Err(error) => {
                let address = SocketAddr::new(host, candidate);
                let hint = if strict && error.kind() == ErrorKind::AddrInUse {
                    "leave --strict-port out to take the next free one, or name another with --port"
                } else {
                    "choose another address with --host or --port"
                };
                return Err(Failure::usage(format!(
                    "cannot listen on {address}: {error}\nhint: {hint}"
                )));
            }
        }
    }
    // The last candidate has returned.
    Err(Failure::usage(format!("no port from {port} to {last}")))
}

/// An address that stands for all of them cannot be connected to everywhere; loopback always reaches it.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::failure::words;

    const HOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[tokio::test]
    async fn a_busy_port_gives_way_to_the_next_unless_it_is_strict() {
        let first = listen(HOST, 0, false).await.unwrap();
        assert_eq!(first.instead_of, None);
        let port = first.address.port();
        let strict = listen(HOST, port, true).await.err().unwrap();
        let strict = words(&strict).unwrap();
        assert!(
            strict.starts_with(&format!("cannot listen on 127.0.0.1:{port}: ")),
            "{strict}"
        );
        assert!(strict.contains("leave --strict-port out"), "{strict}");
        let second = listen(HOST, port, false).await.unwrap();
        assert_eq!(second.instead_of, Some(port));
        assert!(second.address.port() > port);
    }

    #[tokio::test]
    async fn an_address_of_another_machine_is_refused_at_once() {
        let host: IpAddr = "192.0.2.1".parse().unwrap();
        let error = words(&listen(host, 0, false).await.err().unwrap()).unwrap();
        assert!(
            error.starts_with("cannot listen on 192.0.2.1:0: "),
            "{error}"
        );
    }

    #[test]
    fn all_interfaces_are_reached_over_loopback() {
        let check = |address: &str, expected: &str| {
            assert_eq!(reachable(address.parse().unwrap()).to_string(), expected);
        };
        check("0.0.0.0:80", "127.0.0.1:80");
        check("[::]:80", "[::1]:80");
        check("192.0.2.1:80", "192.0.2.1:80");
    }
}

//! Rules of the front, against copies that are played and clients that speak HTTP without a socket.

mod client;
mod limits;
mod played;
mod relaying;
mod rounds;
mod stdio;
mod streams;
mod versions;

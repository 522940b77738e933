//! The provider stand-in, tested against the official Python SDKs and with requests that are wrong on purpose.

//! Endpoint, authentication and streaming of each provider, plus the models that need none: `oracle` and `scripted`.

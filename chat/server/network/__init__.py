"""Sockets: where the server listens, how it encrypts, frames in and bytes out."""

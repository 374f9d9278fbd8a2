"""The configuration that Hydra composes; installed as `scar.conf`."""

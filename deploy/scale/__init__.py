"""What the bank needs at a multiple of its measured load, for `docs/scale.md`."""

"""Bytes: streams, tars, samples, shards, images and checkpoint files, strict and without torch where possible."""

"""Architectures, the normalising wrapper, and models to checkpoints and back."""

"""What ``advtool theory`` does: one file per model, and what they share."""

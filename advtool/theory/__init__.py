"""What five papers on robustness prove, computed, checked and corrected; numpy and scipy only, never torch."""

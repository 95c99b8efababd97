"""What five papers on robustness prove, computed, checked and corrected. numpy and scipy only; torch is never imported."""

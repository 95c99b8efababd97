"""Networks made ready to be attacked: folded, frozen, in the layout and precision that cost least."""

from advtool.prepared.network import LIKE, Network, Passes, differs, exact, in_full, not_finite, plain, prepare
from advtool.prepared.untouched import untouched

__all__ = ["LIKE", "Network", "Passes", "differs", "exact", "in_full", "not_finite", "plain", "prepare", "untouched"]

"""Explanations: attributions, large-eps pictures, measures of them, and how to draw them."""

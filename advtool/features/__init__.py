"""What models look at: datasets made from models, attributions, large-eps pictures, and how to draw them."""

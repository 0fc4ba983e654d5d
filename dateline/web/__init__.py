"""What ``dateline serve`` answers to the world."""

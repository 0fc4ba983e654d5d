"""The ground floor: what an article is, how it is read, and where it is kept."""

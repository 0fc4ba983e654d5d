"""The first floor, on the right: articles and subscribers become deliveries."""

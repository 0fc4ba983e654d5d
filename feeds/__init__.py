"""The first floor, on the left: articles become feeds and pages."""

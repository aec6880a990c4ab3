"""The page for people, at `/` of the API: its files, and what a browser may do with them."""

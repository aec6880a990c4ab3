"""What the API says about itself: its document, the pages that show it, and that there is nothing elsewhere."""

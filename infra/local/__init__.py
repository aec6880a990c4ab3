"""Reelhaul on a laptop: the same template, deployed to an embedded engine."""

"""The command `reelhaul`, for people and scripts that want files; `reelhaul.cli` is for whoever runs the service."""

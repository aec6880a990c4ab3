"""What every function of Reelhaul shares. This source tree is the Lambda layer `core`."""

"""One small interface and its typed reading for each role that a device can play."""

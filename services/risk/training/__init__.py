"""Trains the fraud model. Never part of a serving image: it needs the group `training`."""

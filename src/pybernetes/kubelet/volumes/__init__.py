"""Volumes of pods: what they contain is decided in `payload` and `plan`, made in `actions`, kept fresh by `manager`."""

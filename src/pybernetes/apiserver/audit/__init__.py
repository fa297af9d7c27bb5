"""The audit log: who did what, as events of audit.k8s.io/v1.

policy.py    at which level a request is told of                      pure
events.py    what an event says                                       pure
log.py       events into a file of lines, rotated
pipeline.py  the stages with eyes: used only where a policy and a log are configured
"""

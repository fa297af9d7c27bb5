"""Remove pods that no kubelet will ever remove."""

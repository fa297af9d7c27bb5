"""ClusterRoles made of other ClusterRoles."""

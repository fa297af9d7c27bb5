"""What a policy's expressions get wrong about the types it matches, in its status."""

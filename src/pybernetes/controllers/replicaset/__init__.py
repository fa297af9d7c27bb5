"""Keep so many pods of a template running."""

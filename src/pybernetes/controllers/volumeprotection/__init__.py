"""Objects of storage that must not go while they are used."""

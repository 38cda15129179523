"""Backup, restoring, and switching a gallery to another encoder."""

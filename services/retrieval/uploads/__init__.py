"""Photos and ZIP archives that are added."""

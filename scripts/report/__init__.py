"""The page that shows an evaluation: pictures first, then figures. One file that needs no network."""

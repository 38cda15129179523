"""The page's files, API documents, icon and QR codes."""

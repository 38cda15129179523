"""POST /match: from the photo to the answer."""

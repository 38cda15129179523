"""Translates values of core to models of contracts.

gallery      images, places and collections
collections  check-ups, matches, inbox and drift
statistics   how a collection is used, also as CSV
texts        which of a place's texts a reader gets
markdown     descriptions as HTML
branding     how a collection presents its museum
photos       originals, previews and recordings
plans        plans of uploads
editing      ETag, If-Match and X-Trash-Id
"""

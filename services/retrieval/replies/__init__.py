"""Translates values of core to models of contracts.

gallery      images, places and collections
collections  check-ups, matches and drift
statistics   how a collection is used, also as CSV
photos       originals and previews
plans        plans of uploads
editing      ETag, If-Match and X-Trash-Id
"""

"""Values of core as models of the wire.

gallery      images, places and collections
collections  check-ups, matches and drift
photos       originals and previews
plans        what an upload would become
editing      ETag, If-Match and X-Trash-Id
"""

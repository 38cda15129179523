"""Keypoints and descriptors of one photo, and how those of two agree.

xfeat        finds them with XFeat
lighterglue  matches two photos with LighterGlue
matching     matches two photos without a network, cheaply
regions      enlarged parts of a photo
rotation     turns a photo by quarter turns, and points back
codec        packs them for storage
"""

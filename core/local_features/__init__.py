"""Keypoints and descriptors of one photo, and how those of two agree.

xfeat             finds them with XFeat
lighterglue       matches XFeat's
aliked            finds them with ALIKED, and matches those
aliked_network    the network that finds them, as a CPU runs it best
lightglue         the network of both matchers
lightglue_layers  its layers, for one view at a time
matching          matches two photos without a network, cheaply
regions           enlarged parts of a photo
quadrilaterals    what stands in a frame, seen from the front
resizing          to the sizes that the networks take
rotation          turns a photo by quarter turns, and points back
codec             packs them for storage
"""

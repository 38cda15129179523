"""What the page is served with.

files  its files
lean   scripts and styles without comments
docs   the API documents, without a CDN
icon   its icon
qr     QR codes
"""

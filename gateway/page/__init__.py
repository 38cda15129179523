"""What the page is served with.

files  its files
docs   the API documents, without a CDN
icon   its icon
qr     QR codes
"""

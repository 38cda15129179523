"""Serves the page.

files  the page's files
lean   removes comments from scripts and styles
docs   the API documentation, without a CDN
icon   the product's icon
qr     QR codes
"""

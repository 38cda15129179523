"""The two services: core behind HTTP. They share this package's two modules and know nothing of each other."""

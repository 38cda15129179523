"""A phone's reader of QR codes."""

import cv2
import numpy as np


def read_code(png: bytes) -> str:
    """What a phone reads. OpenCV's other detector finds nothing in a quarter of all codes, however clear."""
    image = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE)
    return cv2.QRCodeDetectorAruco().detectAndDecode(image)[0]

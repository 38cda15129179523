"""The whole product in one process: both services and the gateway, joined by in-process transports."""

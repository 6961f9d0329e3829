"""The setup side of an app: what is registered before the first request. No I/O."""

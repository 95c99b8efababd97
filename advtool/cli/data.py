def data():
    """x"""

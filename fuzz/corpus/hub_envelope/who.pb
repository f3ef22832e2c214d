:
ops
*
ops
Ê
ops
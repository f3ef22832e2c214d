B
a.b.c
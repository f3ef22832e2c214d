â
opsbob
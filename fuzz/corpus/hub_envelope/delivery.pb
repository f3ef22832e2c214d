ª(
annopsm1 (0€Ð•ÿ¼1:hiBkHP
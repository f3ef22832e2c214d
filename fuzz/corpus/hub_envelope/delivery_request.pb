ª3
ann
bobr10€Ð•ÿ¼1:how are you?HZ0.1.1`è
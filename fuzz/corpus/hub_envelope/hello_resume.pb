
3ann,
secret

ann
ops	

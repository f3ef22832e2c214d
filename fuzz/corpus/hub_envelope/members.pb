Ú
opsannbob
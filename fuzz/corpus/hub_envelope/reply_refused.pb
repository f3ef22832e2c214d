Ú"
r1"The user is not connected.
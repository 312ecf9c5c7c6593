"""Where the code is, and which part of the network each class and function of it is: found out by trying."""

"""A claims study whose practices start in waves: group-time effects and what stands beside them."""

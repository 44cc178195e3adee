"""The lists that a program works with: its members on a day, their risk, their history, their gaps."""
